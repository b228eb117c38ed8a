package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/leatstream/leat/broker/internal/api"
	"github.com/leatstream/leat/broker/internal/wire"
)

// Waits for a peer that has begun something.
const (
	frameTimeout = 30 * time.Second // to send the rest of a request
	writeTimeout = 30 * time.Second // to take a response
)

// listen opens the socket, if there is to be one.
func (b *Broker) listen() error {
	if b.cfg.Listen == "" {
		return nil
	}
	l, err := b.cfg.ListenFunc("tcp", b.cfg.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: the address is in use; stop the program that uses it, or choose another port: %w", b.cfg.Listen, err)
	case err != nil:
		return fmt.Errorf("listen on %s: %w", b.cfg.Listen, err)
	}
	b.listener = l
	advertise := b.cfg.Advertise
	if advertise == "" {
		advertise = l.Addr().String()
	}
	host, port, err := splitAddress(advertise)
	if err != nil {
		return fmt.Errorf("advertise: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return fmt.Errorf("advertise: clients can't connect to %s; set Advertise to the HOST:PORT under which they reach this machine", host)
	}
	b.remote = api.Node{Host: host, Port: port}
	return nil
}

// serve starts what runs until Close.
func (b *Broker) serve() {
	if b.listener != nil {
		b.tasks.Go(b.accept)
	}
	if b.cfg.MaintenanceInterval > 0 {
		b.tasks.Go(func() { b.every(b.cfg.MaintenanceInterval, b.maintain) })
	}
	if b.cfg.Durability.kind == durabilityInterval {
		b.tasks.Go(func() { b.every(b.cfg.Durability.every, b.flush) })
	}
}

// accept serves the connections that come in.
func (b *Broker) accept() {
	pause := time.Millisecond
	for {
		conn, err := b.listener.Accept()
		if err == nil {
			pause = time.Millisecond
			if err := b.serveConn(conn, false); err != nil {
				conn.Close()
			}
			continue
		}
		if b.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		// Most likely no file descriptors: closing connections bring new ones.
		b.cfg.Logger.Error("a connection could not be accepted", "err", err)
		if !b.sleep(pause) {
			return
		}
		pause = min(2*pause, time.Second)
	}
}

// errTooMany refuses a connection.
var errTooMany = errors.New("broker: too many connections")

// serveConn serves a connection in the background until it ends.
func (b *Broker) serveConn(conn net.Conn, local bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return ErrClosed
	case b.conns >= b.cfg.Limits.Connections:
		b.cfg.Logger.Warn("a connection was refused: there are too many", "client", conn.RemoteAddr(), "limit", b.cfg.Limits.Connections)
		return errTooMany
	}
	b.conns++
	b.meters.connections.Add(b.ctx, 1)
	b.tasks.Go(func() {
		err := wire.Serve(b.ctx, conn, b.meters.count(b.server), wire.Options{
			Clock: b.cfg.Clock, RequestBytes: b.server.RequestBytes, InFlight: b.cfg.Limits.InFlight,
			IdleTimeout: b.cfg.Limits.IdleTimeout, FrameTimeout: frameTimeout, WriteTimeout: writeTimeout,
			Local: local,
		})
		if err != nil && b.ctx.Err() == nil {
			b.logEnd(conn, err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.conns--
		b.meters.connections.Add(context.Background(), -1)
	})
	return nil
}

// logEnd tells why a connection was closed. Only a bug is the operator's
// business; what clients do wrong would let them fill the log.
func (b *Broker) logEnd(conn net.Conn, err error) {
	if errors.Is(err, wire.ErrPanic) {
		b.cfg.Logger.Error("a request failed by a bug in the broker; its connection is closed", "client", conn.RemoteAddr(), "err", err)
		return
	}
	b.cfg.Logger.Debug("connection closed", "client", conn.RemoteAddr(), "err", err)
}

// pipes numbers the ends of in-process connections.
var pipes atomic.Int64

// Dial connects to the broker inside the process, without a socket. It has the
// form that Kafka clients take as their dial function. The network is ignored;
// addr must be the broker's: Addr, or an address from its metadata.
func (b *Broker) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if addr != address(b.local) && (b.listener == nil || addr != address(b.remote)) {
		return nil, fmt.Errorf("%w: %q (this broker is %q)", ErrUnknownAddress, addr, b.Addr())
	}
	from := wire.Addr("inproc-client-" + strconv.FormatInt(pipes.Add(1), 10))
	client, server := wire.Pipe(b.cfg.Clock, from, wire.Addr(address(b.local)))
	if err := b.serveConn(server, true); err != nil {
		return nil, err
	}
	return client, nil
}

func address(n api.Node) string { return net.JoinHostPort(n.Host, strconv.Itoa(int(n.Port))) }

// splitAddress parses HOST:PORT.
func splitAddress(addr string) (host string, port int32, err error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: want HOST:PORT: %w", addr, err)
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("address %q: want HOST:PORT", addr)
	}
	return host, int32(n), nil
}
