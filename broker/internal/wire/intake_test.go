package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"pgregory.net/rapid"
)

// network gives bytes in pieces of certain sizes, as a network does.
type network struct {
	rest  []byte
	sizes func() int
}

func (p *network) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.sizes())], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// TestIntake_Frames has frames that come in any pieces come out as they were,
// and nothing kept once there is nothing more to come.
func TestIntake_Frames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(minFrame, 300), rapid.IntRange(minFrame, 5*grow)), 1, 20).Draw(t, "frames")
		var in []byte
		var want [][]byte
		for i, n := range sizes {
			b := bytes.Repeat([]byte{byte(i)}, n)
			want, in = append(want, b), append(in, frame(b)...)
		}
		piece := rapid.OneOf(rapid.IntRange(1, 10), rapid.IntRange(1, 100_000))
		m := memory(4 * grow)
		r := newIntake(&network{in, func() int { return piece.Draw(t, "piece") }}, m)
		lim := limits{memory: m, bytes: limit(5 * grow)}
		for i, w := range want {
			f, err := readFrame(t.Context(), r, false, lim)
			if err != nil || !bytes.Equal(f.bytes, w) {
				t.Fatalf("frame %d: %d bytes, %v; want %d", i, len(f.bytes), err, len(w))
			}
			lim.prove(f)
			m.free(f, true)
		}
		if _, err := readFrame(t.Context(), r, false, lim); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last frame: %v", err)
		}
		if len(r.buf) != smallIntake {
			t.Fatalf("a connection without requests keeps %d bytes", len(r.buf))
		}
		if !m.left.TryAcquire(m.limit) {
			t.Fatal("some of the memory isn't given back")
		}
	})
}

// TestIntake_Together has small requests that come together read many at a time.
func TestIntake_Together(t *testing.T) {
	const count = 10_000
	in := bytes.Repeat(frame(make([]byte, 100)), count)
	reads := 0
	r := newIntake(&network{in, func() int { reads++; return len(in) }}, memory(1))
	lim := limits{memory: r.memory, bytes: limit(100)}
	for range count {
		if _, err := readFrame(t.Context(), r, false, lim); err != nil {
			t.Fatal(err)
		}
	}
	if most := 2 + 2*len(in)/largeIntake; reads > most {
		t.Fatalf("%d reads for %d bytes, more than %d", reads, len(in), most)
	}
}

// TestReadFrame_Proven has a connection that has sent a large frame get the
// memory for the next in one piece, and count in full.
func TestReadFrame_Proven(t *testing.T) {
	const size = 3*grow + 5
	m := memory(10 * grow)
	lim := limits{memory: m, bytes: limit(size)}
	lim.prove(inbound{bytes: make([]byte, size)})
	f, err := readFrame(t.Context(), newIntake(bytes.NewReader(frame(make([]byte, size))), m), false, lim)
	if err != nil || f.charged != size {
		t.Fatalf("%d bytes are counted, %v; want %d", f.charged, err, size)
	}
	lim.prove(inbound{bytes: make([]byte, 2*provable)})
	if got := lim.first(4 * provable); got != provable {
		t.Errorf("a frame gets %d bytes before it has come; want %d", got, provable)
	}
}
