package stream_test

import (
	"testing"
	"time"

	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/window"
)

// side appends a value with a mark, to see which stream it is of.
func side(mark string) func(string, *string, *string) *string {
	return func(k string, v, row *string) *string { return appendTo(k, textOf(mark+str(v)), row) }
}

func cogrouped(b *stream.Builder) stream.Cogrouped[string, *string] {
	return b.Stream(topicL).GroupByKey().Cogroup(side("l")).And(b.Stream(topicR).GroupByKey(), side("r"))
}

func TestCogroup_OneRowOfTwoStreams(t *testing.T) {
	for _, update := range []bool{false, true} {
		d := script(t, func(b *stream.Builder) {
			c := cogrouped(b)
			if update {
				c = c.EmitOnUpdate()
			}
			c.Aggregate(textStore("st"), emptyText).To(topicOut)
		}, `l a 1 10
			r a 2 5
			restart
			r b 3 6
			l a 4 11
			l a - 12
			r - 5 13`,
			`0 a l1 10
			1 a l1,r2 10
			2 b r3 6
			3 a l1,r2,l4 11`)
		dropped(t, d, "null-key=1 null-value=1")
	}
}

// A stream may be in it twice: it is taken in once for each time.
func TestCogroup_SameStreamTwice(t *testing.T) {
	script(t, func(b *stream.Builder) {
		g := b.Stream(topicL).GroupByKey()
		g.Cogroup(side("x")).And(g, side("y")).EmitOnUpdate().Aggregate(textStore("st"), emptyText).To(topicOut)
	}, "l a 1 1", "0 a x1 1\n 0 a x1,y1 1")
}

// And leaves the Cogrouped it is called on as it was.
func TestCogroup_IsAValue(t *testing.T) {
	script(t, func(b *stream.Builder) {
		l, r := b.Stream(topicL).GroupByKey(), b.Stream(topicR).GroupByKey()
		base := l.Cogroup(side("l"))
		base.And(r, side("r")).Aggregate(textStore("one"), emptyText).To(topicOut)
		base.And(r, side("R")).Aggregate(textStore("two"), emptyText).To(topicOut)
	}, "r a 1 1", "0 a r1 1\n 0 a R1 1")
}

// Each stream has a stream time of its own, on a store that all share.
func TestCogroup_OwnStreamTimes(t *testing.T) {
	in := `l a 1 0
		r a 2 30
		restart
		l a 3 5
		r a 4 5
		l b 5 8
		l a 6 30
		l a 7 9`
	d := script(t, func(b *stream.Builder) {
		flat(cogrouped(b).WindowedBy(window.Tumbling(10*ms).Retention(time.Minute)).Aggregate(textStore("st"), emptyText), str).To(topicOut)
	}, in, `0 a[0,10] l1 0
		1 a[30,40] r2 30
		2 a[0,10] l1,l3 5
		4 b[0,10] l5 8
		5 a[30,40] r2,l6 30`)
	dropped(t, d, "late=2")
}

// A window that the store has forgotten for another stream's sake begins anew.
func TestCogroup_ExpiredForAnother(t *testing.T) {
	for _, update := range []bool{false, true} {
		script(t, func(b *stream.Builder) {
			c := cogrouped(b)
			if update {
				c = c.EmitOnUpdate()
			}
			flat(c.WindowedBy(window.Tumbling(10*ms)).Aggregate(textStore("st"), emptyText), str).To(topicOut)
		}, `l a 1 0
			r a 2 30
			l a 3 5
			restart
			l a 4 6`,
			`0 a[0,10] l1 0
			1 a[30,40] r2 30
			2 a[0,10] l3 5
			3 a[0,10] l4 6`)
	}
}

func TestCogroup_Sessions(t *testing.T) {
	d := script(t, func(b *stream.Builder) {
		flat(cogrouped(b).SessionsBy(window.Session(5*ms).Grace(time.Second)).Aggregate(textStore("st"), emptyText, join), str).To(topicOut)
	}, `l a 1 0
		r a 2 9
		restart
		l a 3 4
		l - 3 4`,
		`0 a[0,0] l1 0
		1 a[9,9] r2 9
		2 a[0,0] - 0
		2 a[9,9] - 9
		2 a[0,9] |l1|r2,l3 9`)
	dropped(t, d, "null-key=1")
}

func TestCogroup_Sliding(t *testing.T) {
	d := script(t, func(b *stream.Builder) {
		flat(cogrouped(b).SlidingBy(window.Sliding(10*ms).Grace(time.Second)).Aggregate(textStore("st"), emptyText), str).To(topicOut)
	}, `l a 1 20
		restart
		r a 2 25
		r a - 25`,
		`0 a[10,20] l1 20
		1 a[21,31] r2 25
		1 a[15,25] l1,r2 25`)
	dropped(t, d, "null-value=1")
}
