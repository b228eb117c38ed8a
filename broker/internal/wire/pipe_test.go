package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/internal/clock"
)

func pipe() (client, server net.Conn) { return Pipe(clock.System, Addr("client"), Addr("server")) }

func TestPipe_CarriesBytesInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := pipe()
		sizes := rapid.SliceOfN(rapid.IntRange(1, 3*pipeBytes/2), 1, 5).Draw(t, "writes")
		var want []byte
		for i, n := range sizes {
			want = append(want, bytes.Repeat([]byte{byte(i + 1)}, n)...)
		}
		go func() {
			rest := want
			for _, n := range sizes {
				if _, err := a.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
			a.Close()
		}()
		buf := make([]byte, rapid.IntRange(1000, 1<<20).Draw(t, "read size"))
		var got []byte
		for {
			n, err := b.Read(buf)
			got = append(got, buf[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes came, %d were sent", len(got), len(want))
		}
	})
}

func TestPipe_Deadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pipe()
		began := time.Now()
		_ = a.SetReadDeadline(began.Add(5 * time.Second))
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Errorf("read: %v after %v", err, time.Since(began))
		}
		var timeout net.Error
		if _, err := a.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("a passed deadline: %v", err)
		}
		_ = a.SetWriteDeadline(began.Add(time.Minute))
		if n, err := a.Write(make([]byte, 2*pipeBytes)); !errors.Is(err, os.ErrDeadlineExceeded) || n != pipeBytes || time.Since(began) != time.Minute {
			t.Errorf("write: %d, %v after %v", n, err, time.Since(began))
		}
		_ = a.SetDeadline(time.Time{})
		go func() {
			<-time.After(time.Hour)
			b.Close()
		}()
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || time.Since(began) != time.Minute+time.Hour {
			t.Errorf("read of a closed pipe: %v after %v", err, time.Since(began))
		}
		if _, err := a.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("write to a closed pipe: %v", err)
		}
	})
}

func TestPipe_NewDeadlineFreesReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := pipe()
		done := make(chan error)
		go func() {
			_, err := a.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		_ = a.SetReadDeadline(time.Now().Add(-time.Second))
		if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
}
