package window_test

import (
	"testing"
	"time"

	"github.com/leatstream/leat/internal/invariant"
	"github.com/leatstream/leat/window"
)

func BenchmarkSpans(b *testing.B) {
	for _, w := range []window.Fixed{
		window.Tumbling(time.Minute), window.Hopping(5*time.Minute, time.Minute),
	} {
		b.Run(w.String(), func(b *testing.B) {
			b.ReportAllocs()
			ts, sum := int64(1_700_000_000_000), int64(0)
			for b.Loop() {
				for s := range w.Spans(ts) {
					sum += s.EndMS
				}
				ts++
			}
			if sum == 0 {
				b.Fatal("no windows")
			}
		})
	}
}

func TestSpans_NoAllocation(t *testing.T) {
	if invariant.Enabled {
		t.Skip("the race detector and the invariants may allocate")
	}
	w, n := window.Hopping(5*time.Minute, time.Minute), 0
	count := func(s window.Span) { n += int(s.EndMS & 1) }
	if got := testing.AllocsPerRun(100, func() {
		for s := range w.Spans(1_700_000_000_000) {
			count(s)
			if w.Late(s.EndMS, 1_700_000_000_000) {
				n++
			}
		}
	}); got != 0 {
		t.Errorf("%v allocations a record", got)
	}
}
