package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/internal/clock"
)

// body is a response of given bytes.
type body []byte

func (b body) AppendTo(dst []byte) []byte { return append(dst, b...) }

// pieces is a response in pieces.
type pieces struct {
	net.Buffers
	released *atomic.Int32
}

func (p pieces) AppendTo(dst []byte) []byte  { panic("must be sent in pieces") }
func (p pieces) Segments([]byte) net.Buffers { return append(net.Buffers(nil), p.Buffers...) }
func (p pieces) Release()                    { p.released.Add(1) }

// handle is a Handler made of a function.
type handle func(*Request) (Reply, error)

func (h handle) Handle(_ context.Context, r *Request) (Reply, bool, error) {
	reply, err := h(r)
	return reply, false, err
}

type wait func(context.Context) (Response, error)

func (w wait) Await(ctx context.Context) (Response, error) { return w(ctx) }

// serve serves one end of a pipe and returns the other, and what Serve returns.
func serve(h Handler) (net.Conn, <-chan error) {
	client, server := pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(context.Background(), server, h, Options{
			Clock: clock.System, Memory: memory(1 << 20), RequestBytes: limit(1 << 20), InFlight: 4,
			IdleTimeout: time.Minute, FrameTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		})
	}()
	return client, ended
}

// request is a frame with a key, a correlation id and a body.
func request(key int16, id int32, body string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(id))
	b = append(b, 0xff, 0xff)
	return frame(append(b, body...))
}

// response reads one response.
func response(t *testing.T, c net.Conn) (id int32, body string) {
	t.Helper()
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, int(binary.BigEndian.Uint32(head[:]))-4)
	if _, err := io.ReadFull(c, rest); err != nil {
		t.Fatal(err)
	}
	return int32(binary.BigEndian.Uint32(head[4:])), string(rest)
}

func TestServe_AnswersInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var released atomic.Int32
		var handled []int32
		c, ended := serve(handle(func(r *Request) (Reply, error) {
			handled = append(handled, r.CorrelationID)
			switch r.Key {
			case 1: // slow
				return wait(func(context.Context) (Response, error) {
					<-time.After(time.Hour)
					return body(r.Body), nil
				}), nil
			case 2: // in pieces
				return Ready{pieces{net.Buffers{[]byte("<"), r.Body, []byte(">")}, &released}}, nil
			case 3: // not answered
				return Ready{}, nil
			}
			return Ready{body(r.Body)}, nil
		}))
		_, _ = c.Write(bytes.Join([][]byte{request(1, 10, "slow"), request(0, 11, "fast"), request(3, 12, ""), request(2, 13, "mid")}, nil))
		for _, want := range []struct {
			id   int32
			body string
		}{{10, "slow"}, {11, "fast"}, {13, "<mid>"}} {
			if id, body := response(t, c); id != want.id || body != want.body {
				t.Errorf("got %d %q, want %v", id, body, want)
			}
		}
		c.Close()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if len(handled) != 4 || released.Load() != 1 {
			t.Errorf("handled %v, released %d", handled, released.Load())
		}
	})
}

func TestServe_ClosesOnErrors(t *testing.T) {
	sentinel := errors.New("refused")
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"bad frame":      {[]byte{0xff, 0xff, 0xff, 0xff, 0, 0}, ErrFrame},
		"refused":        {request(1, 1, ""), sentinel},
		"panic":          {request(2, 1, ""), ErrPanic},
		"panic in await": {request(3, 1, ""), ErrPanic},
	} {
		synctest.Test(t, func(t *testing.T) {
			conn, ended := serve(handle(func(r *Request) (Reply, error) {
				switch r.Key {
				case 1:
					return nil, sentinel
				case 2:
					panic("bug")
				}
				return wait(func(context.Context) (Response, error) { panic("bug") }), nil
			}))
			_, _ = conn.Write(c.in)
			if n, err := conn.Read(make([]byte, 10)); n != 0 || err == nil {
				t.Errorf("%s: an answer of %d bytes", name, n)
			}
			if err := <-ended; !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		})
	}
}

func TestServe_Timeouts(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want time.Duration
	}{
		"idle":          {nil, time.Minute},
		"started frame": {[]byte{0}, 10 * time.Second},
		"slow frame":    {request(0, 1, "body")[:12], 10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			conn, ended := serve(handle(func(*Request) (Reply, error) { return Ready{}, nil }))
			_, _ = conn.Write(c.in)
			if err := <-ended; err == nil || time.Since(began) != c.want {
				t.Errorf("%s: closed after %v (%v), want %v", name, time.Since(began), err, c.want)
			}
		})
	}
}

func TestServe_PeerThatLeavesFreesAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		freed := make(chan error, 1)
		conn, ended := serve(handle(func(*Request) (Reply, error) {
			return wait(func(ctx context.Context) (Response, error) {
				<-ctx.Done()
				freed <- ctx.Err()
				return nil, ctx.Err()
			}), nil
		}))
		_, _ = conn.Write(request(0, 1, ""))
		synctest.Wait()
		conn.Close()
		<-freed
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestServe_Mute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var handled []time.Duration
		c, ended := serve(handle(func(r *Request) (Reply, error) {
			handled = append(handled, time.Since(began))
			switch r.Key {
			case 1:
				r.Mute = time.Hour
			case 2:
				return Ready{muting{body("m"), time.Minute}}, nil
			}
			return Ready{body("ok")}, nil
		}))
		_, _ = c.Write(request(1, 1, ""))
		if id, _ := response(t, c); id != 1 || time.Since(began) != 0 {
			t.Errorf("the answer itself is late: %v", time.Since(began))
		}
		_, _ = c.Write(request(2, 2, ""))
		response(t, c)
		synctest.Wait()
		_, _ = c.Write(request(0, 3, ""))
		response(t, c)
		if want := []time.Duration{0, time.Hour, time.Hour + time.Minute}; !slices.Equal(handled, want) {
			t.Errorf("handled at %v, want %v", handled, want)
		}
		c.Close()
		<-ended
	})
}

type muting struct {
	body
	d time.Duration
}

func (m muting) Mute() time.Duration { return m.d }

// talk is a handler whose first request has a header, and the others none.
type talk struct{ n int }

func (h *talk) Raw() bool { return h.n > 0 }

func (h *talk) Handle(_ context.Context, r *Request) (Reply, bool, error) {
	h.n++
	r.Last = h.n == 3
	if r.Raw != (h.n > 1) {
		return nil, false, errors.New("raw or not")
	}
	return Ready{body(r.Body)}, false, nil
}

func TestServe_RawAndLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ended := serve(&talk{})
		_, _ = c.Write(append(request(0, 1, "a"), frame([]byte("b"))...))
		_, _ = c.Write(append(frame([]byte("c")), frame([]byte("never"))...))
		if _, b := response(t, c); b != "a" {
			t.Errorf("%q", b)
		}
		rest, err := io.ReadAll(c)
		if err != nil || string(rest) != "\x00\x00\x00\x01b\x00\x00\x00\x01c" {
			t.Errorf("%q, %v", rest, err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
