package stream_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

func TestWordCount(t *testing.T) {
	var (
		lines  = topic.New("lines", serde.String, serde.String)
		words  = topic.New("words", serde.String, serde.String)
		totals = topic.New("totals", serde.String, serde.Int64)
		counts = state.New("counts", serde.String, serde.Int64)
	)
	topo := stream.MustBuild(func(b *stream.Builder) {
		b.Stream(lines).
			FlatMapValues(strings.FieldsSeq).
			GroupBy(func(_, word string) string { return word }, words).
			Count(counts).
			To(totals)
	})
	d := streamtest.New(t, topo)
	d.Send(lines, "", "to be or not to be")
	d.Send(lines, "", "be")
	got := maps.Collect(d.Read(totals))
	want := map[string]int64{"to": 2, "be": 3, "or": 1, "not": 1}
	if !maps.Equal(got, want) {
		t.Errorf("totals = %v, want %v", got, want)
	}
	d.Restart()
	d.Send(lines, "", "be")
	if n, ok, err := d.Store(counts).Get("be"); n != 4 || !ok || err != nil {
		t.Errorf("counts[be] = %d, %t, %v", n, ok, err)
	}
	d.Advance(time.Hour)
	t.Log(topo.Describe())
}
