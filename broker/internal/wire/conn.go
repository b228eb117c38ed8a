package wire

import (
	"bufio"
	"context"
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
	RequestBytes func(key int16) int // largest frame of an API
	InFlight     int                 // requests in work before reading stops
	IdleTimeout  time.Duration       // wait for the first byte of a frame
	FrameTimeout time.Duration       // wait for the rest of it
	WriteTimeout time.Duration       // wait for the peer to take a response
	Local        bool                // see Request.Local
}

// session is one connection being served: a reader that runs stage one of
// each request, and a writer that awaits stage two and sends the responses.
type session struct {
	conn    net.Conn
	handler Handler
	opt     Options
	queue   chan pending
	asked   atomic.Int64 // requests
	done    atomic.Int64 // of those, how many need nothing more
}

// pending is a request whose response has not been sent.
type pending struct {
	correlationID int32
	flexible      bool
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
	if cause := context.Cause(ctx); !errors.Is(cause, errPeerClosed) && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

var errPeerClosed = errors.New("closed by the peer")

// read reads requests and runs their first stage.
func (s *session) read(ctx context.Context) error {
	r := bufio.NewReaderSize(s.conn, 64<<10)
	var spare []byte
	for {
		if err := s.awaitFrame(r); err != nil {
			return err
		}
		frame, err := readFrame(r, spare, s.opt.RequestBytes)
		if err != nil {
			return err
		}
		head, body, err := parseHeader(frame)
		if err != nil {
			return err
		}
		req := &Request{Header: head, Body: body, Client: s.conn.RemoteAddr(), Local: s.opt.Local}
		reply, flexible, err := s.handle(ctx, req)
		spare = nil
		if req.Reusable && cap(frame) <= maxSpare {
			spare = frame
		}
		if err != nil {
			return fmt.Errorf("request with key %d version %d: %w", head.Key, head.Version, err)
		}
		s.asked.Add(1)
		select {
		case s.queue <- pending{head.CorrelationID, flexible, reply}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// maxSpare bounds the memory that a connection keeps for its next request.
const maxSpare = 2 << 20

// awaitFrame waits for the first byte of a frame. A frame that has begun must
// end soon, so that slow peers can't hold memory.
func (s *session) awaitFrame(r *bufio.Reader) error {
	if r.Buffered() >= 4 {
		return nil
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
	if r.Buffered() >= 4 && r.Buffered() >= frameEnd(r) {
		return nil
	}
	return s.conn.SetReadDeadline(s.opt.Clock.Now().Add(s.opt.FrameTimeout))
}

// frameEnd is the number of bytes until the end of the frame at the front of r.
func frameEnd(r *bufio.Reader) int {
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
	for {
		p, ok, err := s.next(&buf)
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
		if resp == nil {
			continue
		}
		if segs, ok := resp.(Segments); ok {
			if err := s.writeSegments(&buf, p, segs); err != nil {
				return err
			}
			continue
		}
		buf = appendResponse(buf, p, resp)
		if len(buf) >= flushAt {
			if err := s.flush(&buf); err != nil {
				return err
			}
		}
	}
}

// next returns the next request to answer, sending what is collected before
// it waits for one.
func (s *session) next(buf *[]byte) (pending, bool, error) {
	select {
	case p, ok := <-s.queue:
		return p, ok, nil
	default:
	}
	if err := s.flush(buf); err != nil {
		return pending{}, false, err
	}
	p, ok := <-s.queue
	return p, ok, nil
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
	_, err := all.WriteTo(s.conn)
	return err
}
