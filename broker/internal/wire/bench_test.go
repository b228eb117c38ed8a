package wire

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/clock"
)

// BenchmarkServe_Alone has a client that waits for each answer, over TCP.
func BenchmarkServe_Alone(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_ = Serve(b.Context(), conn, handle(func(r *Request) (Reply, error) { r.Reusable = true; return Ready{body("answer")}, nil }), Options{
			Clock: clock.System, Memory: memory(1 << 20), RequestBytes: limit(1 << 20), InFlight: 32,
			IdleTimeout: time.Minute, FrameTimeout: time.Minute, WriteTimeout: time.Minute,
		})
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ask, answer := request(0, 1, "question"), make([]byte, 14)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(ask); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer); err != nil {
			b.Fatal(err)
		}
	}
}
