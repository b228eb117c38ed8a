package stream_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/window"
	"pgregory.net/rapid"
)

func slidingOf(w window.Slides, update bool) func(*stream.Builder) {
	return func(b *stream.Builder) {
		g := b.Stream(topicIn).GroupByKey()
		if update {
			g = g.EmitOnUpdate()
		}
		flat(g.SlidingBy(w).Aggregate(textStore("st"), emptyText, appendTo), str).To(topicOut)
	}
}

// Each record has a window that ends with it, and one behind it once that holds a
// record.
func TestSliding_Windows(t *testing.T) {
	in := `in a 1 20
		in a 2 25
		restart
		in a 3 22
		in b 4 25
		in a 5 50
		in a 6 20`
	want := `0 a[10,20] 1 20
		1 a[21,31] 2 25
		1 a[15,25] 1,2 25
		2 a[21,31] 2,3 25
		2 a[15,25] 1,2,3 25
		2 a[12,22] 1,3 22
		2 a[23,33] 2 25
		3 b[15,25] 4 25
		4 a[40,50] 5 50
		5 a[15,25] 1,2,3,6 25
		5 a[12,22] 1,3,6 22
		5 a[10,20] 1,6 20`
	for _, update := range []bool{false, true} {
		dropped(t, script(t, slidingOf(window.Sliding(10*ms).Grace(time.Second), update), in, want), "")
	}
}

// A record is dropped for the windows that are closed, or altogether.
func TestSliding_Late(t *testing.T) {
	d := script(t, slidingOf(window.Sliding(10*ms).Grace(5*ms), false), `in a 1 30
		in b 2 45
		in a 3 34
		in a - 45
		in - 4 45
		in a 5 29`,
		`0 a[20,30] 1 30
		1 b[35,45] 2 45
		2 a[31,41] 3 34`)
	dropped(t, d, "late=2 null-key=1 null-value=1")
}

// Windows don't start before the epoch: the records of its first moments share
// one.
func TestSliding_Early(t *testing.T) {
	script(t, slidingOf(window.Sliding(10*ms).Grace(time.Second), true), `in a 1 4
		in a 2 8
		restart
		in a 3 2`,
		`0 a[0,10] 1 4
		1 a[5,15] 2 8
		1 a[0,10] 1,2 8
		2 a[3,13] 1,2 8
		2 a[0,10] 1,2,3 8`)
}

// A nil row is no window; the record's other windows are.
func TestSliding_NilRow(t *testing.T) {
	last := func(b *stream.Builder) {
		s := b.Stream(topicIn).GroupByKey().EmitOnUpdate().SlidingBy(window.Sliding(10 * ms).Grace(time.Second))
		flat(s.Reduce(textStore("st"), func(_, v *string) *string {
			if *v == "none" {
				return nil
			}
			return v
		}), str).To(topicOut)
	}
	script(t, last, `in a 1 20
		in a none 25
		in a 2 20`,
		`0 a[10,20] 1 20
		1 a[21,31] none 25
		1 a[15,25] - 25
		2 a[10,20] 2 20`)
}

// TestSliding_Model holds the windows against their definition, whatever the
// order of the records, the cache, and the commits and restarts between.
func TestSliding_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		diff := rapid.Int64Range(0, 12).Draw(t, "diff")
		update := rapid.Bool().Draw(t, "every update")
		w := window.Sliding(time.Duration(diff) * ms).Grace(time.Second)
		e := newEngine(t, rapid.SampledFrom([]int64{0, 2000, 1 << 20}).Draw(t, "cache"), func(b *stream.Builder) {
			g := b.Stream(lawNum).GroupByKey()
			if update {
				g = g.EmitOnUpdate()
			}
			g.SlidingBy(w).Reduce(num("s"), plus).To(lawWin)
		})
		type sent struct {
			key    string
			at, is int64
		}
		var all []sent
		for range rapid.IntRange(1, 25).Draw(t, "records") {
			r := sent{rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "key"), rapid.Int64Range(0, 50).Draw(t, "time"), rapid.Int64Range(1, 99).Draw(t, "value")}
			all = append(all, r)
			e.send("a", r.key, binary.BigEndian.AppendUint64(nil, uint64(r.is)), r.at)
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0:
				e.commit()
			case 1:
				e.restart(rapid.Bool().Draw(t, "empty"))
			}
		}
		e.commit()

		want := map[string]string{}
		sum := func(key string, start int64) {
			var n int64
			for _, r := range all {
				if r.key == key && r.at >= start && r.at <= start+diff {
					n += r.is
				}
			}
			if n > 0 {
				k, _ := window.KeySerde(serde.String).Append(nil, window.Key[string]{Key: key, Span: w.Span(start)})
				want[string(k)] = string(binary.BigEndian.AppendUint64(nil, uint64(n)))
			}
		}
		for _, r := range all {
			sum(r.key, max(0, r.at-diff))
			sum(r.key, r.at+1)
		}
		if got := e.rows("out"); !maps.Equal(got, want) {
			t.Fatalf("%v of %v: got %q, want %q", w, all, got, want)
		}
	})
}

// Rows that a function changes in place are not shared by windows, and what a row
// was is told right.
func TestSliding_InPlace(t *testing.T) {
	if !null.Mutable[*box]() {
		t.Fatal("a box is a value")
	}
	boxes := state.New("boxes", serde.String, serde.Pointer(serde.JSON[box]()))
	for _, update := range []bool{false, true} {
		script(t, func(b *stream.Builder) {
			g := b.Stream(lawNumIn).GroupByKey()
			if update {
				g = g.EmitOnUpdate()
			}
			g.SlidingBy(window.Sliding(10*ms).Grace(time.Second)).
				Aggregate(boxes, func() *box { return &box{} }, addBox).
				GroupBy(func(w window.Key[string], x *box) (string, int64) { return fmt.Sprint(w.Key, w.StartMS), x.N }, lawVia).
				Reduce(num("t"), plus, minus).MapValues(func(n int64) *string { return textOf(text(n)) }).
				Filter(func(string, *string) bool { return true }).To(topicOut)
		}, `num a 12345678 20
			num a 12345678 25
			num a 12345678 22`,
			`0 a10 1 20
			1 a21 1 25
			1 a15 2 25
			2 a21 2 25
			2 a15 3 25
			2 a12 2 22
			2 a23 1 25`)
	}
}
