package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/clock"
)

// Options configures the serving of one connection. All fields are required.
type Options struct {
	Clock        clock.Clock
	Memory       *Memory
	RequestBytes func(key int16) int // largest frame of an API; of -1, a raw one
	InFlight     int                 // requests in work before reading stops
	IdleTimeout  time.Duration       // wait for the first byte of a frame
	FrameTimeout time.Duration       // wait for the rest of it
	WriteTimeout time.Duration       // wait for the peer to take a response
}

// session is one connection being served: a reader that runs stage one of
// each request, and a writer that awaits stage two and sends the responses. As
// long as the writer has nothing to do, the reader sends responses that are ready
// itself: to wake another goroutine takes longer than many a request.
type session struct {
	conn    net.Conn
	handler Handler
	opt     Options
	queue   chan pending
	queued  int64        // requests put into queue; the reader's own
	sent    atomic.Int64 // of those, how many have left for the peer
	early   []byte       // the response that the reader sends itself
	asked   atomic.Int64 // requests
	done    atomic.Int64 // of those, how many need nothing more
	muted   atomic.Int64 // until when, in nanoseconds since 1970
}

// pending is a request whose response has not been sent.
type pending struct {
	correlationID int32
	flexible      bool
	raw           bool
	last          bool
	reply         Reply
}

// Serve serves conn until the peer closes it, misbehaves, or ctx is done, and
// closes it. The error is nil if the peer closed it between two requests.
func Serve(ctx context.Context, conn net.Conn, handler Handler, opt Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{conn: conn, handler: handler, opt: opt, queue: make(chan pending, opt.InFlight)}

	// The reader blocks in Read and the writer in Write or Await; closing the
	// connection and the context frees both.
	unhook := context.AfterFunc(ctx, func() { conn.Close() })
	defer unhook()

	written := make(chan struct{})
	go func() {
		defer close(written)
		if err := s.write(ctx); err != nil {
			cancel(err)
		}
	}()
	err := s.read(ctx)
	if err == nil {
		err = errPeerClosed
	}
	// Responses to a peer that has gone are of no use to it.
	cancel(err)
	close(s.queue)
	<-written
	conn.Close()
	if cause := context.Cause(ctx); !errors.Is(cause, errPeerClosed) && !errors.Is(cause, errLast) && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

var errPeerClosed = errors.New("closed by the peer")

// read reads requests and runs their first stage.
func (s *session) read(ctx context.Context) error {
	r := newIntake(s.conn, s.opt.Memory)
	defer r.close()
	handler, _ := s.handler.(RawHandler)
	lim := limits{memory: s.opt.Memory, bytes: s.opt.RequestBytes}
	for {
		if err := s.awaitFrame(ctx, r); err != nil {
			return err
		}
		raw := handler != nil && handler.Raw()
		f, err := readFrame(ctx, r, raw, lim)
		if err != nil {
			return err
		}
		lim.prove(f)
		last, err := s.serveFrame(ctx, f, raw, !whole(r))
		if err == nil {
			err = s.drain(&s.early)
		}
		if err != nil {
			return err
		}
		if last {
			<-ctx.Done() // the writer ends the connection
			return ctx.Err()
		}
	}
}

// serveFrame runs the first stage of a frame's request and queues its reply. If
// it is alone, with no further request behind it, its response may leave at once.
func (s *session) serveFrame(ctx context.Context, f inbound, raw, alone bool) (last bool, err error) {
	req := &Request{Raw: raw, Body: f.bytes, Client: s.conn.RemoteAddr()}
	defer func() { s.opt.Memory.free(f, req.Reusable) }()
	if !raw {
		if req.Header, req.Body, err = parseHeader(f.bytes); err != nil {
			return false, err
		}
	}
	reply, flexible, err := s.handle(ctx, req)
	if err != nil {
		return false, fmt.Errorf("request with key %d version %d: %w", req.Key, req.Version, err)
	}
	s.mute(req.Mute)
	s.asked.Add(1)
	p := pending{req.CorrelationID, flexible, raw, req.Last, reply}
	if now, ok := reply.(Ready); ok && alone && !p.last && s.sent.Load() == s.queued {
		s.done.Add(1)
		return false, s.send(&s.early, p, now.Response)
	}
	select {
	case s.queue <- p:
		s.queued++
		return req.Last, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// mute leaves the connection unread for d.
func (s *session) mute(d time.Duration) {
	if d <= 0 {
		return
	}
	until := s.opt.Clock.Now().Add(d).UnixNano()
	for {
		old := s.muted.Load()
		if until <= old || s.muted.CompareAndSwap(old, until) {
			return
		}
	}
}

// listen waits until the connection isn't muted.
func (s *session) listen(ctx context.Context) error {
	for {
		until := s.muted.Load()
		if until == 0 {
			return nil
		}
		left := time.Duration(until - s.opt.Clock.Now().UnixNano())
		if left <= 0 {
			return nil
		}
		t := s.opt.Clock.NewTimer(left)
		select {
		case <-t.C():
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// awaitFrame waits for the first byte of a frame. A frame that has begun must
// end soon, so that slow peers can't hold memory.
func (s *session) awaitFrame(ctx context.Context, r source) error {
	if r.Buffered() >= 4 {
		if err := s.listen(ctx); err != nil {
			return err
		}
		return s.expectFrame(r)
	}
	for {
		done := s.done.Load()
		if err := s.conn.SetReadDeadline(s.opt.Clock.Now().Add(s.opt.IdleTimeout)); err != nil {
			return err
		}
		_, err := r.Peek(1)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe):
			return errPeerClosed
		case errors.Is(err, os.ErrDeadlineExceeded) && (done < s.asked.Load() || done < s.done.Load()):
			continue // it was we who were silent, not the peer
		default:
			return err
		}
		break
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	return s.expectFrame(r)
}

// whole reports whether a whole frame is there.
func whole(r source) bool { return r.Buffered() >= 4 && r.Buffered() >= frameEnd(r) }

// expectFrame limits the time for the rest of a frame, unless it is there.
func (s *session) expectFrame(r source) error {
	if whole(r) {
		return nil
	}
	return s.conn.SetReadDeadline(s.opt.Clock.Now().Add(s.opt.FrameTimeout))
}

// frameEnd is the number of bytes until the end of the frame at the front of r.
func frameEnd(r source) int {
	head, err := r.Peek(4)
	if err != nil {
		return 0
	}
	return 4 + int(int32(binary.BigEndian.Uint32(head)))
}

// handle runs the first stage and turns a panic of it into an error: one bad
// request costs its connection, not the process.
func (s *session) handle(ctx context.Context, r *Request) (reply Reply, flexible bool, err error) {
	defer recovered(&err)
	return s.handler.Handle(ctx, r)
}

func (s *session) await(ctx context.Context, p pending) (resp Response, err error) {
	defer recovered(&err)
	return p.reply.Await(ctx)
}

// ErrPanic is wrapped by the error for a handler that panicked.
var ErrPanic = errors.New("internal error")

func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: panic: %v\n%s", ErrPanic, p, debug.Stack())
	}
}

// flushAt is the size at which collected small responses are sent.
const flushAt = 64 << 10

// write sends the responses in the order of the requests. Responses that are
// ready together leave in one write.
func (s *session) write(ctx context.Context) error {
	var buf []byte
	for taken := int64(0); ; taken++ {
		p, ok, err := s.next(&buf, taken)
		if err != nil || !ok {
			return err
		}
		if _, ready := p.reply.(Ready); !ready {
			if err := s.flush(&buf); err != nil {
				return err
			}
		}
		resp, err := s.await(ctx, p)
		s.done.Add(1)
		if err != nil {
			return err
		}
		if err := s.send(&buf, p, resp); err != nil {
			return err
		}
	}
}

// send sends a response, or collects it.
func (s *session) send(buf *[]byte, p pending, resp Response) error {
	switch segs, pieces := resp.(Segments); {
	case pieces:
		if err := s.writeSegments(buf, p, segs); err != nil {
			return err
		}
	case resp != nil:
		if *buf == nil {
			*buf = s.opt.Memory.buffer(1 << smallestPooled)[:0]
		}
		*buf = appendResponse(*buf, p, resp)
	}
	if m, ok := resp.(Muting); ok {
		s.mute(m.Mute())
	}
	if len(*buf) >= flushAt || p.last {
		if err := s.flush(buf); err != nil {
			return err
		}
	}
	if p.last {
		return errLast
	}
	return nil
}

// errLast ends a connection whose handler wanted it to.
var errLast = errors.New("closed by the broker")

// next returns the next request to answer, sending what is collected before
// it waits for one. taken is how many it has returned before.
func (s *session) next(buf *[]byte, taken int64) (pending, bool, error) {
	select {
	case p, ok := <-s.queue:
		return p, ok, nil
	default:
	}
	if err := s.drain(buf); err != nil {
		return pending{}, false, err
	}
	s.sent.Store(taken) // now the reader may send
	p, ok := <-s.queue
	return p, ok, nil
}

// drain sends what is collected, and keeps no memory for more: nobody knows how
// long it is until there is any.
func (s *session) drain(buf *[]byte) error {
	if *buf == nil {
		return nil
	}
	err := s.flush(buf)
	s.opt.Memory.recycle(*buf)
	*buf = nil
	return err
}

func (s *session) flush(buf *[]byte) error {
	if len(*buf) == 0 {
		return nil
	}
	if err := s.conn.SetWriteDeadline(s.opt.Clock.Now().Add(s.opt.WriteTimeout)); err != nil {
		return err
	}
	_, err := s.conn.Write(*buf)
	*buf = (*buf)[:0]
	if cap(*buf) > 4*flushAt {
		*buf = nil
	}
	return err
}

// appendHeader appends a frame's length, to be set later, and the response
// header.
func appendHeader(dst []byte, p pending) []byte {
	dst = append(dst, 0, 0, 0, 0)
	if p.raw {
		return dst
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.correlationID))
	if p.flexible {
		dst = append(dst, 0) // no tagged fields
	}
	return dst
}

func appendResponse(dst []byte, p pending, resp Response) []byte {
	at := len(dst)
	dst = appendHeader(dst, p)
	dst = resp.AppendTo(dst)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

func (s *session) writeSegments(before *[]byte, p pending, resp Segments) error {
	defer resp.Release()
	if err := s.flush(before); err != nil {
		return err
	}
	head := appendHeader(make([]byte, 0, 16), p)
	bufs := resp.Segments(make([]byte, 0, 4<<10))
	size := len(head) - 4
	for _, b := range bufs {
		size += len(b)
	}
	binary.BigEndian.PutUint32(head, uint32(size))
	if err := s.conn.SetWriteDeadline(s.opt.Clock.Now().Add(s.opt.WriteTimeout)); err != nil {
		return err
	}
	all := append(net.Buffers{head}, bufs...)
	if _, encrypted := s.conn.(*tls.Conn); encrypted {
		return writeJoined(s.conn, all)
	}
	_, err := all.WriteTo(s.conn)
	return err
}

// joined is how many bytes are joined at most.
const joined = 32 << 10

// writeJoined joins small pieces, each of which would become a TLS record and a
// system call of its own.
func writeJoined(to net.Conn, pieces net.Buffers) error {
	w := bufio.NewWriterSize(to, joined)
	for _, p := range pieces {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return w.Flush()
}
