package stream_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

// perMinute is a window without grace, so that records are soon late.
var perMinute = window.Tumbling(time.Minute)

var (
	lateClicks = topic.New("late-clicks", serde.String, serde.String)
	visits     = state.New("visits", serde.String, serde.Int64)
)

// A record that comes after its window has closed goes to the side output.
func ExampleDropped() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		perUser := b.Stream(clicks).GroupByKey().WindowedBy(perMinute).Count(visits)
		stream.Dropped[string, string](perUser).To(lateClicks)
	}))
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	d.SendAt(clicks, "ann", "/", noon)
	d.SendAt(clicks, "bob", "/", noon.Add(2*time.Minute))
	d.SendAt(clicks, "ann", "/old", noon.Add(time.Second))
	for _, r := range d.Records(lateClicks) {
		fmt.Printf("%s %s %s\n", r.Key, r.Value, r.Headers[0].Value)
	}
	// Output: ann /old late
}

func ExampleStream_Dropped() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		page := b.Stream(clicks).MapValues(func(page string) string {
			if page == "" {
				panic("no page")
			}
			return page[1:]
		})
		page.To(out)
		page.Dropped[string, string]().To(lateClicks)
	}), streamtest.OnError(func(*stream.RecordError) stream.Action { return stream.Skip }))
	d.Send(clicks, "ann", "/home")
	d.Send(clicks, "bob", "")
	for _, r := range d.Records(lateClicks) {
		fmt.Printf("%s %s\n", r.Key, r.Headers[0].Value)
	}
	// Output: bob failed
}

// A function that failed is called three times more before its record becomes a
// dead letter.
func ExampleRetries() {
	calls := 0
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).Foreach(func(string, string) {
			calls++
			panic("the service is down")
		})
	}), streamtest.OnError(stream.Retries(3, stream.DeadLetter)))
	d.Send(clicks, "ann", "/")
	letters := d.Records(topic.New(streamtest.DeadLetters, serde.String, serde.String))
	fmt.Println(calls, len(letters))
	// Output: 4 1
}

// What goes into a windowed count comes out: in it, or at its side.
func TestDropped_NothingIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
			perUser := b.Stream(clicks).GroupByKey().WindowedBy(perMinute.Grace(10 * time.Second)).Count(visits)
			perUser.Apply(stream.FromTable).
				SelectKey(func(w window.Key[string], _ int64) string { return w.String() }).
				To(totals)
			stream.Dropped[string, string](perUser).To(lateClicks)
		}))
		n := rapid.IntRange(1, 60).Draw(rt, "records")
		for range n {
			key := []byte(rapid.SampledFrom([]string{"a", "b", ""}).Draw(rt, "key"))
			if len(key) == 0 {
				key = nil
			}
			at := time.UnixMilli(rapid.Int64Range(0, 600_000).Draw(rt, "time"))
			d.SendRaw("clicks", key, []byte("/"), at)
		}
		counted := int64(0)
		for _, c := range maps.Collect(d.Read(totals)) {
			counted += c
		}
		if aside := int64(len(d.Records(lateClicks))); counted+aside != int64(n) {
			rt.Errorf("%d counted and %d aside, of %d", counted, aside, n)
		}
		if told := d.Dropped("late") + d.Dropped("null-key"); counted+told != int64(n) {
			rt.Errorf("%d counted and %d counted as dropped, of %d", counted, told, n)
		}
	})
}

// Asking for the drops of an operator with the wrong types is a mistake that is
// found at once.
func TestDropped_WrongTypes(t *testing.T) {
	_, err := stream.Build(func(b *stream.Builder) {
		stream.Dropped[string, int64](b.Stream(clicks).GroupByKey().Count(visits)).To(totals)
	})
	var wrong *stream.BuildError
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "Count(visits) reads no stream of string, int64") || !strings.Contains(wrong.At, "dropped_test.go") {
		t.Errorf("building it gave %v", err)
	}
}

// OnDrop is asked once for each record and reason, and DeadLetter keeps the record
// as it came.
func TestOnDrop_DeadLetter(t *testing.T) {
	var asked []stream.DroppedRecord
	d := streamtest.New(t, build(t, func(b *stream.Builder) {
		b.Stream(clicks).GroupByKey().
			WindowedBy(window.Hopping(time.Minute, 10*time.Second)). // a late record is late in six windows
			Count(visits)
	}), streamtest.OnDrop(func(r *stream.DroppedRecord) stream.Action {
		asked = append(asked, *r)
		return stream.DeadLetter
	}))
	d.SendRaw("clicks", []byte("k"), []byte("v"), time.UnixMilli(600_000))
	d.SendRaw("clicks", []byte("k"), []byte("late"), time.UnixMilli(60_000), stream.Header{Key: "trace", Value: []byte("7")})
	if len(asked) != 1 || asked[0].Reason != "late" || asked[0].Operator != "Count(visits)" || asked[0].Offset != 1 || asked[0].Time.UnixMilli() != 60_000 {
		t.Errorf("asked about %+v", asked)
	}
	letters := d.Records(topic.New(streamtest.DeadLetters, serde.String, serde.String))
	if len(letters) != 1 || letters[0].Key != "k" || letters[0].Value != "late" {
		t.Fatalf("dead letters: %+v", letters)
	}
	got := map[string]string{}
	for _, h := range letters[0].Headers {
		got[h.Key] = string(h.Value)
	}
	want := map[string]string{"trace": "7", stream.HeaderReason: "late", stream.HeaderOperator: "Count(visits)",
		stream.HeaderTopic: "clicks", stream.HeaderPartition: "0", stream.HeaderOffset: "1"}
	if !maps.Equal(got, want) {
		t.Errorf("headers %v, want %v", got, want)
	}
	if n := d.Dropped("late"); n != 6 {
		t.Errorf("counted %d late windows, want 6", n)
	}
}

// With Fail the app stops at the first record that would be lost.
func TestOnDrop_Fail(t *testing.T) {
	d := streamtest.New(t, build(t, func(b *stream.Builder) {
		b.Stream(clicks).GroupByKey().Count(visits)
	}), streamtest.OnDrop(func(*stream.DroppedRecord) stream.Action { return stream.Fail }),
		streamtest.OnError(func(*stream.RecordError) stream.Action { return stream.Skip }))
	d.SendRaw("clicks", nil, []byte("v"), time.UnixMilli(0))
	var r *stream.DroppedRecord
	if err := d.Err(); !errors.As(err, &r) || r.Reason != "null-key" {
		t.Errorf("the app ended with %v", err)
	}
}

// One record of the year 2099 doesn't make all others late.
func TestMaxFuture(t *testing.T) {
	d := streamtest.New(t, build(t, func(b *stream.Builder) {
		b.Stream(clicks).GroupByKey().WindowedBy(perMinute).Count(visits).
			Apply(stream.FromTable).
			SelectKey(func(w window.Key[string], _ int64) string { return w.Key }).
			To(totals)
	}), streamtest.MaxFuture(time.Hour))
	now := streamtest.Start
	d.SendAt(clicks, "a", "/", now)
	d.SendAt(clicks, "a", "/", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))
	d.SendAt(clicks, "a", "/", now.Add(time.Second))
	d.SendAt(clicks, "b", "/", now.Add(59*time.Minute)) // within the bound
	var got []int64
	for _, n := range d.Read(totals) {
		got = append(got, n)
	}
	if !slices.Equal(got, []int64{1, 2, 1}) || d.Dropped("future-timestamp") != 1 {
		t.Errorf("counts %v, %d records from the future", got, d.Dropped("future-timestamp"))
	}
}

// A call that succeeds the second time leaves no trace but the time it took, and
// the operators before it aren't run again.
func TestRetry(t *testing.T) {
	before, calls := 0, 0
	d := streamtest.New(t, build(t, func(b *stream.Builder) {
		b.Stream(clicks).
			Peek(func(string, string) { before++ }).
			MapValues(func(v string) string {
				if calls++; calls < 3 {
					panic("not yet")
				}
				return v
			}).
			To(out)
	}), streamtest.OnError(stream.Retries(2, stream.Fail)))
	d.Send(clicks, "a", "/")
	if got := d.Records(out); len(got) != 1 || before != 1 || calls != 3 {
		t.Errorf("%d results, %d calls before, %d calls", len(got), before, calls)
	}
	if took := d.Now().Sub(streamtest.Start); took <= 0 {
		t.Errorf("it waited %v between the attempts", took)
	}
}
