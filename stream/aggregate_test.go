package stream_test

import (
	"iter"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/window"
)

const ms = time.Millisecond

func countText(n int64) *string { return textOf(text(n)) }

func TestCount_NullKeysAndValues(t *testing.T) {
	d := script(t, func(b *stream.Builder) {
		b.Stream(topicIn).GroupByKey().Count(num("c")).MapValues(countText).To(topicOut)
	}, `in a x 1
		in - x 2
		in a - 3
		in a y 4
		in b y 0`,
		`0 a 1 1
		3 a 2 4
		4 b 1 0`)
	dropped(t, d, "null-key=1 null-value=1")
}

// A row's time is the latest of its records', also when an older one comes last.
func TestReduce_TimeNeverGoesBack(t *testing.T) {
	script(t, func(b *stream.Builder) {
		b.Stream(topicIn).GroupByKey().
			Reduce(textStore("s"), func(row, v *string) *string { return textOf(*row + *v) }).To(topicOut)
	}, `in a x 5
		in a y 3
		restart
		in a z 4`,
		`0 a x 5
		1 a xy 5
		2 a xyz 5`)
}

// A row that becomes nil is deleted, and begins anew, with its own time.
func TestReduce_NilDeletes(t *testing.T) {
	script(t, func(b *stream.Builder) {
		b.Stream(topicIn).GroupByKey().
			Reduce(textStore("s"), func(row, v *string) *string {
				if *v == "reset" {
					return nil
				}
				return textOf(*row + *v)
			}).To(topicOut)
	}, `in a x 1
		in a reset 2
		restart
		in a y 1
		in a z 0`,
		`0 a x 1
		1 a - 2
		2 a y 1
		3 a yz 1`)
}

func TestAggregate_EmitModes(t *testing.T) {
	words := func(s *string) iter.Seq[*string] {
		return func(yield func(*string) bool) {
			for _, r := range *s {
				if !yield(textOf(string(r))) {
					return
				}
			}
		}
	}
	aggregate := func(b *stream.Builder) stream.Grouped[string, *string] {
		return b.Stream(topicIn).FlatMapValues(words).GroupByKey()
	}
	in := "in a xy 1\n in a z 2"
	t.Run("on commit", func(t *testing.T) {
		script(t, func(b *stream.Builder) {
			aggregate(b).Aggregate(textStore("s"), emptyText, appendTo).To(topicOut)
		}, in, "0 a x,y 1\n 1 a x,y,z 2")
	})
	t.Run("on update", func(t *testing.T) {
		script(t, func(b *stream.Builder) {
			aggregate(b).EmitOnUpdate().Aggregate(textStore("s"), emptyText, appendTo).To(topicOut)
		}, in, "0 a x 1\n 0 a x,y 1\n 1 a x,y,z 2")
	})
}

func TestWindowed_Grace(t *testing.T) {
	for _, update := range []bool{false, true} {
		d := script(t, func(b *stream.Builder) {
			g := b.Stream(topicIn).GroupByKey()
			if update {
				g = g.EmitOnUpdate()
			}
			flat(g.WindowedBy(window.Tumbling(10*ms).Grace(5*ms)).Aggregate(textStore("st"), emptyText, appendTo), str).To(topicOut)
		}, `in a 1 0
			in a 2 9
			in a 3 10
			in b 4 14
			in a late-ok 3
			in b 5 15
			in a late-drop 4
			in a 6 14
			in a - 16
			in - n 17`,
			`0 a[0,10] 1 0
			1 a[0,10] 1,2 9
			2 a[10,20] 3 10
			3 b[10,20] 4 14
			4 a[0,10] 1,2,late-ok 9
			5 b[10,20] 4,5 15
			7 a[10,20] 3,6 14
			8 a[10,20] 3,6,null 16`)
		dropped(t, d, "late=1 null-key=1")
	}
}

// A late record is dropped for the windows that have closed and counted for
// those that have not.
func TestWindowed_HoppingLateForSome(t *testing.T) {
	d := script(t, func(b *stream.Builder) {
		w := b.Stream(topicIn).GroupByKey().WindowedBy(window.Hopping(10*ms, 5*ms))
		flat(w.Aggregate(textStore("st"), emptyText, appendTo), str).To(topicOut)
	}, `in a 1 7
		in a 2 11
		in a 3 8
		in b 4 20
		in a 5 14
		in a 6 9`,
		`0 a[0,10] 1 7
		0 a[5,15] 1 7
		1 a[5,15] 1,2 11
		1 a[10,20] 2 11
		2 a[5,15] 1,2,3 11
		3 b[15,25] 4 20
		3 b[20,30] 4 20`)
	dropped(t, d, "late=5")
}

func TestWindowed_NullValuesCount(t *testing.T) {
	d := script(t, func(b *stream.Builder) {
		w := b.Stream(topicIn).GroupByKey().WindowedBy(window.Tumbling(10 * ms).Grace(5 * ms))
		flat(w.Count(num("c")), text).To(topicOut)
	}, `in a - 1
		in a x 2
		restart
		in a - 3
		in - y 4
		in b - 12`,
		`0 a[0,10] 1 1
		1 a[0,10] 2 2
		2 a[0,10] 3 3
		4 b[10,20] 1 12`)
	dropped(t, d, "null-key=1")
}

func join(_ string, a, b *string) *string { return textOf(*a + "|" + *b) }

func sessionsOf(w window.Sessions, update bool) func(*stream.Builder) {
	return func(b *stream.Builder) {
		g := b.Stream(topicIn).GroupByKey()
		if update {
			g = g.EmitOnUpdate()
		}
		flat(g.SessionsBy(w).Aggregate(textStore("st"), emptyText, appendTo, join), str).To(topicOut)
	}
}

// A record extends a session (whose old row goes), or joins two.
func TestSessions_ExtendAndMerge(t *testing.T) {
	in := `in a 1 0
		in a 2 5
		in a 3 20
		in a 4 11
		in a 5 15
		in b 6 8
		in a 7 30
		restart
		in a 8 30
		in a 9 10`
	want := `0 a[0,0] 1 0
		1 a[0,0] - 0
		1 a[0,5] |1,2 5
		2 a[20,20] 3 20
		3 a[11,11] 4 11
		4 a[11,11] - 11
		4 a[20,20] - 20
		4 a[11,20] |4|3,5 20
		5 b[8,8] 6 8
		6 a[30,30] 7 30
		7 a[30,30] |7,8 30
		8 a[0,5] - 5
		8 a[11,20] - 20
		8 a[0,20] ||1,2||4|3,5,9 20`
	for _, update := range []bool{false, true} {
		d := script(t, sessionsOf(window.Session(5*ms).Grace(100*ms), update), in, want)
		dropped(t, d, "")
	}
}

// A session that keeps its span goes and comes, if every update is told of. (The
// last record of a commit makes one update of the two.)
func TestSessions_RecordWithin(t *testing.T) {
	in := `in a 1 0
		in a 2 5
		in a 3 2`
	script(t, sessionsOf(window.Session(5*ms).Grace(100*ms), true), in, `0 a[0,0] 1 0
		1 a[0,0] - 0
		1 a[0,5] |1,2 5
		2 a[0,5] - 5
		2 a[0,5] ||1,2,3 5`)
	script(t, sessionsOf(window.Session(5*ms).Grace(100*ms), false), in, `0 a[0,0] 1 0
		1 a[0,0] - 0
		1 a[0,5] |1,2 5
		2 a[0,5] ||1,2,3 5`)
}

// A nil row is no session.
func TestSessions_NilRow(t *testing.T) {
	last := func(update bool) func(*stream.Builder) {
		return func(b *stream.Builder) {
			g := b.Stream(topicIn).GroupByKey()
			if update {
				g = g.EmitOnUpdate()
			}
			flat(g.SessionsBy(window.Session(5*ms).Grace(100*ms)).Reduce(textStore("st"), func(_, v *string) *string { return v }), str).To(topicOut)
		}
	}
	in := `in a 1 0
		in a - 5
		restart
		in a 2 7`
	script(t, last(false), in, `0 a[0,0] 1 0
		1 a[0,0] - 0
		2 a[7,7] 2 7`)
	script(t, last(true), in, `0 a[0,0] 1 0
		1 a[0,0] - 0
		1 a[0,5] - 5
		2 a[7,7] 2 7`)
}

// A session that a record can still continue is found, also at the very end of
// its time. (Kafka Streams' store forgets it a millisecond before.)
func TestSessions_Late(t *testing.T) {
	in := `in a 1 0
		in b 2 8
		in a 3 1
		in b 4 10
		in a 5 2
		in a 6 6
		in b 7 30
		restart
		in a 8 22
		in c 9 21
		in a 10 21
		in b 11 24`
	want := `0 a[0,0] 1 0
		1 b[8,8] 2 8
		2 a[0,0] - 0
		2 a[0,1] |1,3 1
		3 b[8,8] - 8
		3 b[8,10] |2,4 10
		4 a[2,2] 5 2
		5 a[2,2] - 2
		5 a[2,6] |5,6 6
		6 b[30,30] 7 30
		7 a[22,22] 8 22
		9 a[22,22] - 22
		9 a[21,22] |8,10 22
		10 b[24,24] 11 24`
	for _, update := range []bool{false, true} {
		d := script(t, sessionsOf(window.Session(5*ms).Grace(3*ms), update), in, want)
		dropped(t, d, "late=1")
	}
}

func TestSessions_CountAndReduce(t *testing.T) {
	script(t, func(b *stream.Builder) {
		s := b.Stream(topicIn).GroupByKey().SessionsBy(window.Session(5 * ms).Grace(time.Second))
		flat(s.Count(num("c")), text).To(topicOut)
	}, `in a x 10
		in a - 20
		in a z 15`,
		`0 a[10,10] 1 10
		1 a[20,20] 1 20
		2 a[10,10] - 10
		2 a[20,20] - 20
		2 a[10,20] 3 20`)
	script(t, func(b *stream.Builder) {
		s := b.Stream(topicIn).GroupByKey().SessionsBy(window.Session(5 * ms).Grace(time.Second))
		flat(s.Reduce(textStore("r"), func(row, v *string) *string { return textOf(*row + *v) }), str).To(topicOut)
	}, `in a x 10
		in a y 20
		in a z 15`,
		`0 a[10,10] x 10
		1 a[20,20] y 20
		2 a[10,10] - 10
		2 a[20,20] - 20
		2 a[10,20] xyz 20`)
}

// Rows may be of any type that has a serde, and a function may change them in
// place, without what was told of them before changing too.
func TestAggregate_InPlace(t *testing.T) {
	boxes := state.New("boxes", serde.String, serde.Pointer(serde.JSON[box]()))
	script(t, func(b *stream.Builder) {
		b.Stream(lawNumIn).GroupByKey().
			Aggregate(boxes, func() *box { return &box{} }, addBox).
			Filter(func(_ string, x *box) bool { return x.N != 2 }).
			MapValues(func(x *box) *string { return textOf(text(x.N)) }).
			To(topicOut)
	}, `num a 12345678 1
		num a 12345678 2
		num a 12345678 3
		num a 12345678 4`,
		`0 a 1 1
		1 a - 2
		2 a 3 3
		3 a 4 4`)
}
