package client

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// dialTimeout is for how long a broker may leave an attempt to connect
// unanswered.
const dialTimeout = 10 * time.Second

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dialer returns how to open connections.
func (c *Config) dialer() dialFunc {
	dial := c.Dial
	plain := &net.Dialer{Timeout: dialTimeout}
	switch {
	case dial != nil:
	case c.TLS != nil:
		dial = (&tls.Dialer{NetDialer: plain, Config: c.TLS}).DialContext
	default:
		dial = plain.DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return conn, patient(err)
	}
}

// patient makes a refused connection look like one that timed out.
//
// The library repeats requests whose connection timed out for as long as the
// session of a group lasts, but gives up at once where one was refused and there
// is no other broker to ask. With a single broker, that it is restarted would
// mean for its clients that they lose all their tasks. Yet a refusal says less
// than a timeout: most often, that the broker will be there in a moment.
func patient(err error) error {
	var op *net.OpError
	var call *os.SyscallError
	if !errors.As(err, &op) || op.Op != "dial" || op.Timeout() || !errors.As(err, &call) || !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	later := *op
	later.Err = &os.SyscallError{Syscall: call.Syscall, Err: refused{call.Err}}
	return &later
}

// refused is an error that says of itself that it is a timeout.
type refused struct{ error }

func (refused) Timeout() bool   { return true }
func (refused) Temporary() bool { return true }

func (r refused) Unwrap() error { return r.error }
