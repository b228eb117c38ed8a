package wire

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/leatstream/leat/internal/clock"
)

// pipeBytes is how much one direction of a pipe holds before Write waits.
const pipeBytes = 1 << 20

// Pipe returns the two ends of a connection without a socket. Unlike
// net.Pipe it holds bytes on the way, so that requests and responses can be
// pipelined; like it, it has deadlines. It waits on condition variables and
// timers of clk only, so it can be used inside a testing/synctest bubble.
func Pipe(clk clock.Clock, client, server net.Addr) (clientEnd, serverEnd net.Conn) {
	up, down := newStream(clk), newStream(clk)
	return &pipeConn{in: down, out: up, local: client, remote: server},
		&pipeConn{in: up, out: down, local: server, remote: client}
}

// Addr is the address of an end of a pipe.
type Addr string

// Network is "inproc".
func (Addr) Network() string  { return "inproc" }
func (a Addr) String() string { return string(a) }

// pipeConn is one end: it reads from one stream and writes to the other.
type pipeConn struct {
	in, out       *stream
	local, remote net.Addr
}

func (c *pipeConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *pipeConn) Write(p []byte) (int, error) { return c.out.write(p) }
func (c *pipeConn) LocalAddr() net.Addr         { return c.local }
func (c *pipeConn) RemoteAddr() net.Addr        { return c.remote }

// Close ends both directions. The other end still reads what is on the way.
func (c *pipeConn) Close() error {
	c.out.closeWrite()
	c.in.closeRead()
	return nil
}

func (c *pipeConn) SetReadDeadline(t time.Time) error {
	return c.in.setDeadline(&c.in.readBy, t)
}

func (c *pipeConn) SetWriteDeadline(t time.Time) error {
	return c.out.setDeadline(&c.out.writeBy, t)
}

func (c *pipeConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// stream is one direction: a ring of bytes between a writer and a reader.
type stream struct {
	clk clock.Clock

	mu          sync.Mutex
	changed     sync.Cond // anything below
	ring        []byte
	start, size int // the bytes on the way: size bytes from start, wrapping
	writeClosed bool
	readClosed  bool
	readBy      deadline
	writeBy     deadline
	readers     int
	writers     int
}

// deadline is a point in time; zero is none.
type deadline struct{ at time.Time }

func (d deadline) passed(now time.Time) bool { return !d.at.IsZero() && !d.at.After(now) }

func newStream(clk clock.Clock) *stream {
	s := &stream{clk: clk}
	s.changed.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readClosed:
			return 0, io.ErrClosedPipe
		case s.readBy.passed(s.clk.Now()):
			return 0, os.ErrDeadlineExceeded
		case s.size > 0:
			n := s.take(p)
			if s.writers > 0 {
				s.changed.Broadcast()
			}
			return n, nil
		case s.writeClosed:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		s.readers++
		s.wait(s.readBy)
		s.readers--
	}
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 0
	for {
		switch {
		case s.writeClosed || s.readClosed:
			return done, io.ErrClosedPipe
		case s.writeBy.passed(s.clk.Now()):
			return done, os.ErrDeadlineExceeded
		}
		n := s.put(p[done:])
		done += n
		if n > 0 && s.readers > 0 {
			s.changed.Broadcast()
		}
		if done == len(p) {
			return done, nil
		}
		s.writers++
		s.wait(s.writeBy)
		s.writers--
	}
}

// wait waits for a change, or for the deadline. The timer is made only when
// something waits: most deadlines are moved long before they pass.
func (s *stream) wait(by deadline) {
	if by.at.IsZero() {
		s.changed.Wait()
		return
	}
	t := s.clk.AfterFunc(by.at.Sub(s.clk.Now()), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	s.changed.Wait()
	t.Stop()
}

// take moves bytes from the ring to p.
func (s *stream) take(p []byte) int {
	n := min(len(p), s.size)
	first := copy(p[:n], s.ring[s.start:])
	copy(p[first:n], s.ring)
	s.size -= n
	s.start += n
	if s.start >= len(s.ring) {
		s.start -= len(s.ring)
	}
	if s.size == 0 {
		s.start = 0
	}
	return n
}

// put moves as much of p into the ring as it holds, growing it up to
// pipeBytes.
func (s *stream) put(p []byte) int {
	if want := s.size + len(p); want > len(s.ring) && len(s.ring) < pipeBytes {
		s.resize(min(pipeBytes, max(want, 2*len(s.ring), 4<<10)))
	}
	n := min(len(p), len(s.ring)-s.size)
	at := s.start + s.size
	if at >= len(s.ring) {
		at -= len(s.ring)
	}
	first := copy(s.ring[at:], p[:n])
	copy(s.ring, p[first:n])
	s.size += n
	return n
}

func (s *stream) resize(n int) {
	ring := make([]byte, n)
	size := s.take(ring[:s.size])
	s.ring, s.start, s.size = ring, 0, size
}

func (s *stream) closeWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeClosed = true
	s.changed.Broadcast()
}

func (s *stream) closeRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readClosed = true
	s.ring, s.start, s.size = nil, 0, 0
	s.changed.Broadcast()
}

func (s *stream) setDeadline(d *deadline, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.at = t
	if s.readers+s.writers > 0 {
		s.changed.Broadcast() // whoever waits looks at the new deadline
	}
	return nil
}
