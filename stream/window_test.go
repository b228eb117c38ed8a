package stream_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

var monthly = topic.New("monthly", window.KeySerde(serde.String), serde.Int64)

func TestWindowed_Unlimited(t *testing.T) {
	d := script(t, func(b *stream.Builder) {
		b.Stream(topicIn).GroupByKey().WindowedBy(window.Unlimited(time.UnixMilli(10))).
			Count(num("c")).MapValues(countText).
			Apply(stream.Changes[window.Key[string], *string]).
			Map(func(w window.Key[string], v **string) (string, *string) { return w.Key + text(w.StartMS), *v }).To(topicOut)
	}, `in a x 10
		restart
		in a x 9
		in a x 9000000000
		in a x 11`,
		`0 a10 1 10
		2 a10 2 9000000000
		3 a10 3 9000000000`)
	if n := d.Dropped("no-window"); n != 1 {
		t.Errorf("%d records were in no window, want 1", n)
	}
}

// months are the calendar's.
func months(t time.Time) (start, end time.Time) {
	start = time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return start, start.AddDate(0, 1, 0)
}

func TestWindowed_Custom(t *testing.T) {
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).GroupByKey().WindowedBy(window.Custom(31*24*time.Hour, months)).Count(counts).To(monthly)
	}))
	day := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, time.UTC) }
	for _, at := range []time.Time{day(1, 31), day(2, 1), day(2, 28), day(3, 1)} {
		d.SendAt(clicks, "ann", "/", at)
		d.Restart()
	}
	d.SendAt(clicks, "ann", "/", day(2, 28)) // late
	want := []int64{1, 1, 2, 1}
	for i, r := range d.Records(monthly) {
		if i >= len(want) || r.Value != want[i] || r.Key.Start().Day() != 1 || r.Key.End().Day() != 1 {
			t.Errorf("record %d is %v: %d", i, r.Key, r.Value)
		}
	}
	dropped(t, d, "late=1")
}

// A function that makes a wrong window fails the record.
func TestWindowed_CustomMisfit(t *testing.T) {
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).GroupByKey().WindowedBy(window.Custom(time.Hour, months)).Count(counts)
	}), streamtest.OnError(func(*stream.RecordError) stream.Action { return stream.Fail }))
	d.Send(clicks, "ann", "/")
	var e *stream.RecordError
	if !errors.As(d.Err(), &e) || !strings.Contains(e.Error(), "none is longer than 1h") {
		t.Errorf("got %v", d.Err())
	}
}

// With a gap of 0, records of one time make a session.
func TestSessions_NoGap(t *testing.T) {
	for _, update := range []bool{false, true} {
		script(t, sessionsOf(window.Session(0), update), `in a 1 5
			in a 2 5
			restart
			in a 3 6`,
			`0 a[5,5] 1 5
			1 a[5,5] |1,2 5
			2 a[6,6] 3 6`)
	}
}

// A row of a session that leaves a filter is told of, unless Kafka Streams' answer
// is asked for.
func TestSessions_RowLeavesFilter(t *testing.T) {
	for _, kafka := range []bool{false, true} {
		var opts []stream.Option
		want := 2
		if kafka {
			opts, want = append(opts, stream.LikeKafka()), 1
		}
		topo, err := stream.Build(func(b *stream.Builder) {
			b.Stream(clicks).GroupByKey().EmitOnUpdate().SessionsBy(window.Session(time.Minute)).Count(counts).
				Filter(func(_ window.Key[string], n int64) bool { return n == 1 }).To(monthly)
		}, opts...)
		if err != nil {
			t.Fatal(err)
		}
		d := streamtest.New(t, topo)
		d.Send(clicks, "ann", "/")
		d.Send(clicks, "ann", "/")
		if got := len(d.Records(monthly)); got != want {
			t.Errorf("like Kafka %t: %d records, want %d", kafka, got, want)
		}
	}
}
