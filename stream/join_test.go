package stream_test

import (
	"testing"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/window"
)

func textJoin() state.Join[string, *string, *string] {
	return state.NewJoin("j", serde.String, textSerde, textSerde)
}

func both(l, r *string) *string { return textOf(str(l) + "+" + str(r)) }

func perhaps(l, r *string, known bool) *string {
	if !known {
		return textOf(str(l) + "+none")
	}
	return both(l, r)
}

func innerJoin(w window.Join) func(*stream.Builder) {
	return func(b *stream.Builder) {
		b.Stream(topicL).Join(b.Stream(topicR), w, textJoin(), both).To(topicOut)
	}
}

func leftJoin(w window.Join) func(*stream.Builder) {
	return func(b *stream.Builder) {
		b.Stream(topicL).LeftJoin(b.Stream(topicR), w, textJoin(), perhaps).To(topicOut)
	}
}

// Both borders of the window belong to it.
func TestJoin_Borders(t *testing.T) {
	d := script(t, innerJoin(window.Within(10*ms).After(3*ms).Grace(100*ms)), `l k L20 20
		r k R10 10
		r k R9 9
		r k R23 23
		r k R24 24
		restart
		l k L21 21
		r j Rj 21
		l k L13 13`,
		`1 k L20+R10 20
		3 k L20+R23 23
		5 k L21+R23 23
		5 k L21+R24 24
		7 k L13+R9 13
		7 k L13+R10 13`)
	dropped(t, d, "")
}

func TestJoin_Nulls(t *testing.T) {
	d := script(t, innerJoin(window.Within(10*ms).Grace(10*ms)), `l - x 1
		r - x 1
		l k - 2
		r k R 3
		l k L 4
		r k - 5
		l j J 5`,
		`4 k L+R 4`)
	dropped(t, d, "null-key=2 null-value=2")
}

// Equal records are records of their own, in the order in which they came.
func TestJoin_Duplicates(t *testing.T) {
	script(t, innerJoin(window.Within(5*ms)), `l k L1 10
		l k L2 10
		r k R1 10
		restart
		r k R1 10
		l k L3 11
		r k R2 9`,
		`2 k L1+R1 10
		2 k L2+R1 10
		3 k L1+R1 10
		3 k L2+R1 10
		4 k L3+R1 11
		4 k L3+R1 11
		5 k L1+R2 10
		5 k L2+R2 10
		5 k L3+R2 11`)
}

func TestJoin_WithItself(t *testing.T) {
	script(t, func(b *stream.Builder) {
		s := b.Stream(topicL)
		s.Join(s, window.Within(5*ms).Grace(10*ms), textJoin(), both).To(topicOut)
	}, `l a 1 10
		l a 2 12
		l b 3 13
		l a 4 6
		l a 5 17`,
		`0 a 1+1 10
		1 a 2+1 12
		1 a 1+2 12
		1 a 2+2 12
		2 b 3+3 13
		3 a 4+1 10
		3 a 4+4 6
		3 a 1+4 10
		4 a 5+2 17
		4 a 2+5 17
		4 a 5+5 17`)
}

// A left record without a match is told of when stream time has passed its
// window and grace, not before; one that comes later than that, at once.
func TestLeftJoin_Unmatched(t *testing.T) {
	script(t, leftJoin(window.Within(5*ms).Grace(2*ms)), `l a a1 10
		l b b1 11
		r b B 13
		r c C 14
		l c late 1
		restart
		r z tick 17
		r z tick 18
		l a a2 30
		r a A 36
		r z tick 37
		r z tick 38`,
		`2 b b1+B 13
		4 c late+none 1
		6 a a1+none 10
		10 a a2+none 30`)
}

// Unmatched records come in the order of their times, then of their keys.
func TestLeftJoin_UnmatchedOrder(t *testing.T) {
	script(t, leftJoin(window.Within(5*ms)), `l b b 12
		l a a 12
		l c c 11
		l a a2 12
		restart
		r z tick 40`,
		`4 c c+none 11
		4 a a+none 12
		4 a a2+none 12
		4 b b+none 12`)
}

func TestLeftJoin_MatchedIsNotUnmatched(t *testing.T) {
	script(t, leftJoin(window.Within(5*ms).Grace(5*ms)), `l a a 10
		r a A 12
		restart
		r z tick 100`,
		`1 a a+A 12`)
}

// The other record may have to be later than this one. Then a record is still
// waited for when before + after have passed.
func TestLeftJoin_OnlyLater(t *testing.T) {
	script(t, leftJoin(window.Within(0).Before(-8*ms).After(10*ms)), `l a a 10
		l b b 15
		restart
		r a A 19
		l c c 20
		r b B 24
		r z tick 100`,
		`2 a a+A 19
		4 b b+B 24
		5 c c+none 20`)
}

// A late record waits for the grace too. In Kafka Streams it doesn't, and may have
// two results.
func TestLeftJoin_LateWithinGrace(t *testing.T) {
	in := `l z tick 50
		l a a1 44
		l b b1 45
		restart
		r a A 44
		r b B 45`
	script(t, leftJoin(window.Within(5*ms).Grace(100*ms)), in,
		`3 a a1+A 44
		4 b b1+B 45`)
	script(t, leftJoin(window.Within(5*ms).Grace(100*ms)), in,
		`1 a a1+none 44
		3 a a1+A 44
		4 b b1+B 45`, stream.LikeKafka())
}

// Any record that takes part brings what waits in vain, in Kafka Streams one that
// is not late.
func TestLeftJoin_WhatBringsResults(t *testing.T) {
	in := `l a a1 10
		r z - 50
		r z late 20
		r z tick 49
		restart
		r z tick 50`
	script(t, leftJoin(window.Within(5*ms).Grace(2*ms)), in, `2 a a1+none 10`)
	script(t, leftJoin(window.Within(5*ms).Grace(2*ms)), in, `4 a a1+none 10`, stream.LikeKafka())
}

// A dropped record moves stream time, but what waits must not expire by that.
func TestLeftJoin_DroppedRecordMovesTime(t *testing.T) {
	script(t, leftJoin(window.Within(5*ms)), `l a a1 10
		r a - 1000
		l b b1 900
		restart
		l z tick 1001`,
		`2 a a1+none 10
		2 b b1+none 900`)
}

func TestLeftJoin_Nulls(t *testing.T) {
	d := script(t, leftJoin(window.Within(5*ms)), `l - x 1
		r - y 2
		l a - 3
		l t tick 20`, "0 - x+none 1")
	dropped(t, d, "null-key=1 null-value=1")
}

// Records that are too late to be kept still join what is there.
func TestJoin_Late(t *testing.T) {
	d := script(t, innerJoin(window.Within(5*ms).Grace(10*ms)), `l a a1 100
		r a A104 104
		l t tick 200
		r a old 101
		l a old2 99`,
		`1 a a1+A104 104
		4 a old2+old 101
		4 a old2+A104 104`)
	dropped(t, d, "late=1")
}

func TestJoinTable_Nulls(t *testing.T) {
	in := `s a 1 1
		t a A 100
		s a 2 5
		s - 3 6
		s a - 7
		t a - 8
		s a 4 9
		t b B 10
		restart
		s b 5 2
		t - x 3`
	left, right := textTopic("s"), textTopic("t")
	d := script(t, func(b *stream.Builder) {
		b.Stream(left).JoinTable(b.Table(right, textStore("t")), both).To(topicOut)
	}, in, `2 a 2+A 5
		8 b 5+B 2`)
	dropped(t, d, "null-key=1")
	d = script(t, func(b *stream.Builder) {
		b.Stream(left).LeftJoinTable(b.Table(right, textStore("t")), perhaps).To(topicOut)
	}, in, `0 a 1+none 1
		2 a 2+A 5
		3 - 3+none 6
		6 a 4+none 9
		8 b 5+B 2`)
	dropped(t, d, "null-key=1")
}

// A row changes what is joined after it, not what was joined before.
func TestJoinTable_Aggregate(t *testing.T) {
	script(t, func(b *stream.Builder) {
		counts := b.Stream(topicR).GroupByKey().Count(num("c"))
		b.Stream(topicL).LeftJoinTable(counts, func(v *string, n int64, known bool) *string {
			return textOf(str(v) + text(n))
		}).To(topicOut)
	}, `l a x 1
		r a - 2
		r a y 2
		l a x 3
		r a y 4
		l a x 5`,
		`0 a x0 1
		3 a x1 3
		5 a x2 5`)
}

func TestJoinGlobal_Nulls(t *testing.T) {
	left, right := textTopic("s"), textTopic("g")
	in := `g x GX 100
		s k x1 1
		s k y2 2
		s - x4 4
		s k - 5
		g x - 6
		s k x7 7
		g y GY 8
		s k y8 8`
	first := func(_ string, v *string) string { return (*v)[:1] }
	d := script(t, func(b *stream.Builder) {
		b.Stream(left).JoinGlobal(b.GlobalTable(right), first, both).To(topicOut)
	}, in, `1 k x1+GX 1
		3 - x4+GX 4
		8 k y8+GY 8`)
	dropped(t, d, "null-value=1")
	script(t, func(b *stream.Builder) {
		b.Stream(left).LeftJoinGlobal(b.GlobalTable(right), first, perhaps).To(topicOut)
	}, in, `1 k x1+GX 1
		2 k y2+none 2
		3 - x4+GX 4
		6 k x7+none 7
		8 k y8+GY 8`)
}

// A key function that returns nil says that there is no row to look for.
func TestJoinGlobal_NilKey(t *testing.T) {
	byText := stream.GlobalTable[*string, *string]{}
	build := func(kind string) func(*stream.Builder) {
		return func(b *stream.Builder) {
			byText = b.GlobalTable(nilKeyTopic)
			key := func(_ string, v *string) *string {
				if *v == "none" {
					return nil
				}
				return v
			}
			if kind == "inner" {
				b.Stream(topicL).JoinGlobal(byText, key, both).To(topicOut)
			} else {
				b.Stream(topicL).LeftJoinGlobal(byText, key, perhaps).To(topicOut)
			}
		}
	}
	in := "g x GX 1\n l k x 1\n l k none 2"
	d := script(t, build("inner"), in, "1 k x+GX 1")
	dropped(t, d, "null-key=1")
	d = script(t, build("left"), in, "1 k x+GX 1\n 2 k none+none 2")
	dropped(t, d, "")
}
