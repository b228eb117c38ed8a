package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
)

// FuzzReadFrame reads any bytes as the frames of a connection: each is what was
// sent, or the connection ends with an error that says why; what was only
// announced takes no memory.
func FuzzReadFrame(f *testing.F) {
	ok := frame([]byte{0, 1, 0, 2, 0, 0, 0, 3, 0xff, 0xff})
	f.Add(bytes.Repeat(ok, 3), false)
	f.Add(frame(make([]byte, 5*grow+7)), false)
	f.Add(frame(make([]byte, 5*grow+7))[:2*grow], false)
	f.Add(append(ok, 0x7f, 0xff, 0xff, 0xff, 0, 1), false)
	f.Add([]byte{0x3f, 0xff, 0xff, 0xff, 0, 0, 0, 0}, false)
	f.Add(frame([]byte("token")), true)
	f.Add([]byte{0, 0, 0, 0, 0}, true)
	f.Fuzz(func(t *testing.T, in []byte, raw bool) {
		const most = 1 << 30
		m := memory(8 * grow)
		r := bufio.NewReaderSize(bytes.NewReader(in), 4096)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rest := in
		frames := 0
		for {
			got, err := readFrame(t.Context(), r, raw, limits{memory: m, bytes: limit(most)})
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrFrame) {
					t.Fatalf("after %d frames: %v", frames, err)
				}
				if errors.Is(err, io.EOF) && len(rest) > 0 {
					t.Fatalf("%d bytes after %d frames were not looked at", len(rest), frames)
				}
				break
			}
			n := binary.BigEndian.Uint32(rest)
			if !bytes.Equal(got.bytes, rest[4:4+n]) {
				t.Fatalf("frame %d: %x of %x", frames, got.bytes, rest)
			}
			rest = rest[4+n:]
			frames++
			_, _, _ = parseHeader(got.bytes) // must not panic
			m.free(got, true)
		}
		runtime.ReadMemStats(&after)
		if n, most := after.TotalAlloc-before.TotalAlloc, uint64(8*len(in)+(frames+4)*4*grow); n > most {
			t.Fatalf("%d bytes took %d, more than %d", len(in), n, most)
		}
		if !m.left.TryAcquire(m.limit) {
			t.Fatal("some of the memory isn't given back")
		}
	})
}

// FuzzCursor reads any bytes as fields, in any order: nothing that comes out is
// more than what went in.
func FuzzCursor(f *testing.F) {
	f.Add([]byte{5, 'n', 'a', 'm', 'e', 0}, []byte("sT"), true)
	f.Add([]byte{0, 4, 'n', 'a', 'm', 'e', 0, 0, 0, 2, 1, 2}, []byte("sa11"), false)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, []byte("T"), true)
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff}, []byte("b"), false)
	f.Fuzz(func(t *testing.T, body, fields []byte, flexible bool) {
		c := NewCursor(body, flexible)
		total := 0
		for _, field := range fields {
			switch field {
			case 's':
				total += len(c.String())
			case 'b':
				total += len(c.Bytes())
			case 'a':
				if n := c.Array(2); n < 0 || 2*n > len(body) {
					t.Fatalf("an array of %d in %d bytes", n, len(body))
				}
			case 'i':
				c.ID()
			case 'T':
				c.Tags()
			default:
				total += len(c.Fixed(int(field % 20)))
			}
		}
		if total > len(body) {
			t.Fatalf("%d bytes made %d", len(body), total)
		}
		if c.Err() != nil && (!errors.Is(c.Err(), ErrFrame) || c.Int32() != 0 || c.String() != nil) {
			t.Fatalf("after %v there is more", c.Err())
		}
	})
}
