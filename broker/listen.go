package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/broker/internal/api"
	"github.com/leatstream/leat/broker/internal/wire"
)

// Waits for a peer that has begun something.
const (
	frameTimeout = 30 * time.Second // to send the rest of a request
	writeTimeout = 30 * time.Second // to take a response
)

// serve starts what runs until Close.
func (b *Broker) serve() {
	for _, e := range b.entrances {
		b.tasks.Go(func() { b.accept(e) })
	}
	b.tend()
}

// accept serves the connections that come in.
func (b *Broker) accept(e *entrance) {
	pause := time.Millisecond
	for {
		conn, err := e.listener.Accept()
		if err == nil {
			pause = time.Millisecond
			if err := b.serveConn(conn, e); err != nil {
				conn.Close()
			}
			continue
		}
		if b.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		// Most likely no file descriptors: closing connections bring new ones.
		b.cfg.Logger.Error("a connection could not be accepted", "listener", e.cfg.Name, "err", err)
		if !b.sleep(pause) {
			return
		}
		pause = min(2*pause, time.Second)
	}
}

// errTooMany refuses a connection.
var errTooMany = errors.New("broker: too many connections")

// serveConn serves a connection in the background until it ends.
func (b *Broker) serveConn(conn net.Conn, e *entrance) error {
	host := hostOf(conn)
	if err := b.admit(host); err != nil {
		return err
	}
	b.meters.connections.Add(b.ctx, 1)
	b.tasks.Go(func() {
		if err := b.serveClient(conn, e); err != nil && b.ctx.Err() == nil {
			b.logEnd(conn, err)
		}
		conn.Close()
		b.meters.connections.Add(context.Background(), -1)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.conns--
		if b.hosts[host]--; b.hosts[host] == 0 {
			delete(b.hosts, host)
		}
	})
	return nil
}

// admit takes a place for one more connection.
func (b *Broker) admit(host string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.settings()
	limit, perHost := int(v.Int("max.connections")), int(v.Int("max.connections.per.ip"))
	switch {
	case b.closed:
		return ErrClosed
	case b.conns >= limit:
		b.meters.refused.Add(b.ctx, 1)
		b.cfg.Logger.Warn("a connection was refused: there are too many", "host", host, "limit", limit)
		return errTooMany
	case host != "" && b.hosts[host] >= perHost:
		b.meters.refused.Add(b.ctx, 1)
		b.cfg.Logger.Warn("a connection was refused: there are too many of its host", "host", host, "limit", perHost)
		return errTooMany
	}
	b.conns++
	b.hosts[host]++
	return nil
}

// hostOf is the host of a connection's other end; "" inside the process.
func hostOf(conn net.Conn) string {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return host
}

// serveClient serves a connection until it ends.
func (b *Broker) serveClient(conn net.Conn, e *entrance) error {
	// Whoever doesn't say in time who it is mustn't keep the place.
	deadline := b.cfg.Clock.Now().Add(b.cfg.Limits.LoginTimeout)
	raw, principal := conn, anonymous
	if e.tls != nil {
		secure := tls.Server(conn, e.tls)
		var err error
		if principal, err = b.shakeHands(secure, e, deadline); err != nil {
			return err
		}
		conn = secure
	}
	gate := b.server.NewConn(e.enter(principal), conn.RemoteAddr(), b.disturb(b.meters.count(b.server)))
	if !gate.Known() {
		t := b.cfg.Clock.AfterFunc(deadline.Sub(b.cfg.Clock.Now()), func() {
			if !gate.Known() {
				raw.Close()
			}
		})
		defer t.Stop()
	}
	return wire.Serve(b.ctx, conn, gate, wire.Options{
		Clock: b.cfg.Clock, Memory: b.memory, RequestBytes: gate.RequestBytes, InFlight: b.cfg.Limits.InFlight,
		IdleTimeout: b.cfg.Limits.IdleTimeout, FrameTimeout: frameTimeout, WriteTimeout: writeTimeout,
	})
}

// shakeHands begins TLS, and finds out who the client is.
func (b *Broker) shakeHands(conn *tls.Conn, e *entrance, deadline time.Time) (principal string, err error) {
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if err := conn.HandshakeContext(b.ctx); err != nil {
		return "", fmt.Errorf("TLS handshake: %w", err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return "", err
	}
	return e.certs.principal(conn.ConnectionState())
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
// addr must be the broker's: Addr, or an address from its metadata. By the
// address of a listener clients come in as they would through its socket: with
// TLS and SASL, if it has them. Without listeners they come in as the program
// itself, which may do everything.
func (b *Broker) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e := b.entranceOf(addr)
	if e == nil {
		return nil, fmt.Errorf("%w: %q (this broker is %q)", ErrUnknownAddress, addr, b.Addr())
	}
	from := wire.Addr("inproc-client-" + strconv.FormatInt(pipes.Add(1), 10))
	client, server := wire.Pipe(b.cfg.Clock, from, wire.Addr(address(e.node)))
	if err := b.serveConn(server, e); err != nil {
		return nil, err
	}
	return client, nil
}

// entranceOf finds the way in at an address; nil if there is none.
func (b *Broker) entranceOf(addr string) *entrance {
	if addr == address(b.local.node) {
		return b.local
	}
	for _, e := range b.entrances {
		if addr == address(e.node) {
			return e
		}
	}
	return nil
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
