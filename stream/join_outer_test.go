package stream_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
	"pgregory.net/rapid"
)

func either(l *string, ok bool, r *string, ok2 bool) *string {
	if !ok {
		l = textOf("none")
	}
	if !ok2 {
		r = textOf("none")
	}
	return both(l, r)
}

func outerJoin(w window.Join) func(*stream.Builder) {
	return func(b *stream.Builder) {
		b.Stream(topicL).OuterJoin(b.Stream(topicR), w, textJoin(), either).To(topicOut)
	}
}

// What waited in vain comes in the order of its time, the right side first, then
// by key.
func TestOuterJoin_Order(t *testing.T) {
	script(t, outerJoin(window.Within(5*ms)), `l b lb 10
		l a la 10
		r c rc 10
		r d rd 9
		restart
		l z tick 30
		l z tick 31`,
		`4 d none+rd 9
		4 c none+rc 10
		4 a la+none 10
		4 b lb+none 10`)
}

// Each side waits for as long as its reach is.
func TestOuterJoin_Asymmetrical(t *testing.T) {
	script(t, outerJoin(window.Within(0).Before(2*ms).After(20*ms)), `r a ra 10
		l b lb 10
		r c rc 15
		restart
		r y y 13
		r z z 18
		r z z2 31
		r z z3 52`,
		`2 a none+ra 10
		4 y none+y 13
		4 c none+rc 15
		5 b lb+none 10
		5 z none+z 18
		6 z none+z2 31`)
}

// Kafka Streams remembers the time of the last record that it looked at, and looks
// again too late.
func TestLeftJoin_KafkaLooksLate(t *testing.T) {
	in := `l a la 10
		l b lb 25
		r z z 26
		l c lc 32
		r z z 33`
	w := window.Within(0).After(20 * ms)
	script(t, leftJoin(w), in, `3 a la+none 10`)
	script(t, leftJoin(w), in, `4 a la+none 10`, stream.LikeKafka())
}

func TestOuterJoin_Nulls(t *testing.T) {
	d := script(t, outerJoin(window.Within(5*ms)), `l - x 1
		r - y 2
		l k - 3
		r k - 4
		l - - 5
		r k R 5
		l k L 6`,
		`0 - x+none 1
		1 - none+y 2
		6 k L+R 6`)
	dropped(t, d, "null-key=1 null-value=2")
}

// Records without a key pass a repartition that is told to let them.
func TestOuterJoin_RepartitionAll(t *testing.T) {
	script(t, func(b *stream.Builder) {
		none := func(string, *string) *string { return nil }
		l := b.Stream(topicL).SelectKey(none).RepartitionAll(nilKeyTopic)
		r := b.Stream(topicR).SelectKey(func(k string, _ *string) *string { return &k }).Repartition(topic.New("h", textSerde, textSerde))
		l.OuterJoin(r, window.Within(5*ms), state.NewJoin("j", textSerde, textSerde, textSerde), either).
			SelectKey(func(k *string, _ *string) string { return str(k) }).To(topicOut)
	}, `l a x 1`, `0 null x+none 1`)
}

// The law of the outer join: each record meets all of its key within the reaches,
// and those that met none have one result. Records come in order of time, and all
// windows are closed in the end.
func TestOuterJoin_Law(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := rapid.Int64Range(-4, 8).Draw(t, "before"), rapid.Int64Range(-4, 8).Draw(t, "after")
		if before+after < 0 {
			before, after = -before, -after
		}
		w := window.Within(0).Before(time.Duration(before) * ms).After(time.Duration(after) * ms).
			Grace(time.Duration(rapid.Int64Range(0, 5).Draw(t, "grace")) * ms)
		d := streamtest.MustNew(stream.MustBuild(outerJoin(w)))
		type rec struct {
			side, key, value string
			at               int64
		}
		var recs []rec
		at := int64(0)
		for i := range rapid.IntRange(1, 25).Draw(t, "records") {
			at += rapid.Int64Range(0, 4).Draw(t, "later")
			r := rec{rapid.SampledFrom([]string{"l", "r"}).Draw(t, "side"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"), fmt.Sprint(i), at}
			recs = append(recs, r)
			d.SendRaw(r.side, []byte(r.key), []byte(r.value), time.UnixMilli(r.at))
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				d.Restart()
			}
		}
		d.SendRaw("l", []byte("end"), []byte("end"), time.UnixMilli(at+1000))
		var got, want []string
		for _, r := range d.Records(topicOut) {
			if r.Key == "end" {
				continue // where after is negative, it is closed at once
			}
			got = append(got, fmt.Sprint(r.Key, *r.Value, r.Time.UnixMilli()))
		}
		for _, a := range recs {
			alone := true
			for _, b := range recs {
				near := b.at >= a.at-before && b.at <= a.at+after
				if a.side == "r" {
					near = a.at >= b.at-before && a.at <= b.at+after
				}
				if a.side == b.side || a.key != b.key || !near {
					continue
				}
				alone = false
				if a.side == "l" {
					want = append(want, fmt.Sprint(a.key, a.value+"+"+b.value, max(a.at, b.at)))
				}
			}
			switch {
			case alone && a.side == "l":
				want = append(want, fmt.Sprint(a.key, a.value+"+none", a.at))
			case alone:
				want = append(want, fmt.Sprint(a.key, "none+"+a.value, a.at))
			}
		}
		slices.SortFunc(got, cmp.Compare[string])
		slices.SortFunc(want, cmp.Compare[string])
		if !slices.Equal(got, want) {
			t.Fatalf("got %s, want %s", strings.Join(got, " "), strings.Join(want, " "))
		}
	})
}

// Where a reach is nothing, matches at the window's border are found; Kafka
// Streams loses them.
func TestJoin_NoReach(t *testing.T) {
	in := `l a l 10
		r a r 10`
	script(t, innerJoin(window.Within(0)), in, `1 a l+r 10`)
	script(t, innerJoin(window.Within(0)), in, ``, stream.LikeKafka())
}

// Under LikeKafka it can be looked for what has joined none from time to time.
func TestUnmatchedInterval(t *testing.T) {
	in := `l a l 10
		l b l 20
		l c l 30
		advance 1000
		l d l 40`
	script(t, outerJoin(window.Within(1*ms)), in, `1 a l+none 10
		2 b l+none 20
		4 c l+none 30`, stream.LikeKafka())
	script(t, outerJoin(window.Within(1*ms)), in, `4 a l+none 10
		4 b l+none 20
		4 c l+none 30`, stream.LikeKafka(), stream.UnmatchedInterval(time.Second))
}
