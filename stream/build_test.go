package stream_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (write it anew with -update)\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// rekeyed is a stream whose records are not partitioned by their key.
func rekeyed(b *stream.Builder) stream.Stream[string, string] {
	return b.Stream(words).SelectKey(func(k, v string) string { return v })
}

func concat(a, b string) string { return a + b }

// mistakes is a topology for each mistake that Build finds.
var mistakes = []struct {
	name  string
	build func(*stream.Builder)
}{
	{"a topology without a source", func(b *stream.Builder) {}},
	{"GroupByKey after SelectKey", func(b *stream.Builder) { rekeyed(b).GroupByKey().Count(counts) }},
	{"GroupByKey after Map, with others between", func(b *stream.Builder) {
		b.Stream(words).Map(func(k, v string) (string, string) { return v, k }).
			Filter(func(_, v string) bool { return v != "" }).MapValues(strings.ToUpper).
			GroupByKey().Count(counts)
	}},
	{"GroupByKey after Process", func(b *stream.Builder) {
		b.Stream(words).Process(dedupe, counts).GroupByKey().Count(sums)
	}},
	{"GroupByKey after a merge with a rekeyed stream", func(b *stream.Builder) {
		b.Stream(words).Merge(rekeyed(b)).GroupByKey().Count(counts)
	}},
	{"ToTable after SelectKey", func(b *stream.Builder) { rekeyed(b).ToTable(lasts) }},
	{"Join after SelectKey", func(b *stream.Builder) {
		rekeyed(b).Join(b.Stream(lines), window.Within(time.Second), paid, concat)
	}},
	{"Join with a rekeyed stream", func(b *stream.Builder) {
		b.Stream(lines).Join(rekeyed(b), window.Within(time.Second), paid, concat)
	}},
	{"JoinTable after SelectKey", func(b *stream.Builder) {
		rekeyed(b).JoinTable(b.Table(customers, customerStore), concat)
	}},
	{"a store used twice", func(b *stream.Builder) {
		b.Stream(words).GroupByKey().Count(counts)
		b.Stream(lines).GroupByKey().Count(counts)
	}},
	{"a store of two types, shared", func(b *stream.Builder) {
		other := state.New("counts", serde.String, serde.String)
		b.Stream(words).Process(dedupe, counts)
		b.Stream(words).Process(dedupe, other)
	}},
	{"a store of two kinds, shared", func(b *stream.Builder) {
		b.Stream(words).Process(dedupe, counts)
		b.Stream(words).Process(dedupe, state.NewWindow("counts", serde.String, serde.Int64, time.Hour, time.Minute))
	}},
	{"a window store with a span of life", func(b *stream.Builder) {
		mortal := state.New("counts", serde.String, serde.Int64, state.TTL(time.Hour))
		b.Stream(words).GroupByKey().WindowedBy(window.Tumbling(time.Minute)).Count(mortal)
	}},
	{"a store with a span of life and a bound", func(b *stream.Builder) {
		b.Stream(words).ToTable(state.New("lasts", serde.String, serde.String, state.TTL(time.Hour), state.LRU(3)))
	}},
	{"a window store without retention", func(b *stream.Builder) {
		b.Stream(words).Process(dedupe, state.NewWindow("counts", serde.String, serde.Int64, 0, time.Minute))
	}},
	{"an output of no processor", func(b *stream.Builder) {
		b.Stream(words).Output(stream.NewOutput[string, string]("more"))
	}},
	{"a topic of two types", func(b *stream.Builder) {
		other := topic.New("words", serde.String, serde.Int64)
		b.Stream(words).To(out)
		b.Stream(other).To(totals)
	}},
	{"a bad name of a topic", func(b *stream.Builder) {
		b.Stream(topic.New("two words", serde.String, serde.String)).To(out)
	}},
	{"a bad name of a store", func(b *stream.Builder) {
		b.Stream(words).ToTable(state.New("a/b", serde.String, serde.String))
	}},
	{"a zero topic", func(b *stream.Builder) {
		var zero topic.Topic[string, string]
		b.Stream(words).To(zero)
	}},
	{"a zero store", func(b *stream.Builder) {
		var zero state.Store[string, int64]
		b.Stream(words).GroupByKey().Count(zero)
	}},
	{"a zero store of a join", func(b *stream.Builder) {
		var zero state.Join[string, string, string]
		b.Stream(words).Join(b.Stream(lines), window.Within(time.Second), zero, concat)
	}},
	{"a topic without a serde", func(b *stream.Builder) {
		b.Stream(topic.New[string, string]("words", serde.String, nil)).To(out)
	}},
	{"a topic with no partitions", func(b *stream.Builder) {
		b.Stream(words).Repartition(topic.New("via", serde.String, serde.String, topic.Partitions(0)))
	}},
	{"a window of no size", func(b *stream.Builder) {
		b.Stream(words).GroupByKey().WindowedBy(window.Tumbling(0)).Count(counts)
	}},
	{"a window with gaps", func(b *stream.Builder) {
		b.Stream(words).GroupByKey().WindowedBy(window.Hopping(time.Second, time.Minute)).Count(counts)
	}},
	{"a session of less than no gap", func(b *stream.Builder) {
		b.Stream(words).GroupByKey().SessionsBy(window.Session(-time.Second)).Count(counts)
	}},
	{"sliding windows of no kind", func(b *stream.Builder) {
		b.Stream(words).GroupByKey().SlidingBy(window.Slides{}).Count(counts)
	}},
	{"a window for good with a grace", func(b *stream.Builder) {
		b.Stream(words).GroupByKey().WindowedBy(window.Unlimited(time.UnixMilli(0)).Grace(time.Second)).Count(counts)
	}},
	{"a cogroup of a rekeyed stream in windows that are wrong", func(b *stream.Builder) {
		c := b.Stream(words).GroupByKey().Cogroup(addPage).And(rekeyed(b).GroupByKey(), addPage)
		c.WindowedBy(window.Tumbling(0)).Aggregate(lasts, begin)
		c.SlidingBy(window.Sliding(-1)).Aggregate(lasts, begin)
		c.SessionsBy(window.Session(-1)).Aggregate(lasts, begin, func(_, a, b string) string { return a + b })
	}},
	{"a join window of no time", func(b *stream.Builder) {
		b.Stream(words).Join(b.Stream(lines), window.Within(time.Second).Before(-time.Minute), paid, concat)
	}},
	{"two mistakes", func(b *stream.Builder) {
		rekeyed(b).GroupByKey().Count(counts)
		rekeyed(b).ToTable(lasts)
	}},
}

var lineNumber = regexp.MustCompile(`(_test\.go):\d+`)

func TestBuild_Mistakes(t *testing.T) {
	var text strings.Builder
	for _, m := range mistakes {
		_, err := stream.Build(m.build)
		if err == nil {
			t.Errorf("%s: no error", m.name)
			continue
		}
		// The golden file shouldn't change with every line of this one.
		fmt.Fprintf(&text, "%s\n%s\n\n", m.name, lineNumber.ReplaceAllString(err.Error(), "$1:N"))
		var mistake *stream.BuildError
		if m.name != "a topology without a source" && !errors.As(err, &mistake) {
			t.Errorf("%s: %v is no BuildError", m.name, err)
		}
	}
	golden(t, "mistakes.txt", text.String())
}

// The place of a mistake is that of the call that makes it.
func TestBuild_Place(t *testing.T) {
	var line int
	_, err := stream.Build(func(b *stream.Builder) {
		s := rekeyed(b)
		_, _, line, _ = runtime.Caller(0)
		s.GroupByKey()
	})
	var mistake *stream.BuildError
	if !errors.As(err, &mistake) {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("stream/build_test.go:%d", line+1); mistake.At != want {
		t.Errorf("the mistake is at %s, want %s", mistake.At, want)
	}
}

func TestMustBuild_Panics(t *testing.T) {
	defer func() {
		if _, ok := recover().(error); !ok {
			t.Error("no panic with an error")
		}
	}()
	stream.MustBuild(func(*stream.Builder) {})
}

// everything is a topology with every kind of node in it.
func everything(b *stream.Builder) {
	s := b.Stream(words)
	yes, no := s.Filter(func(k, v string) bool { return true }).Split(func(k, v string) bool { return true })
	yes.Merge(no).
		MapValues(strings.ToUpper).
		Peek(func(k, v string) {}).
		GroupBy(func(k, v string) string { return v }, topic.New("by-word", serde.String, serde.String)).
		Count(counts).
		Filter(func(_ string, n int64) bool { return n > 1 }).
		To(totals)
	people := b.Table(customers, customerStore)
	s.LeftJoinTable(people, func(a, b string, _ bool) string { return a + b }).
		JoinGlobal(b.GlobalTable(prices), func(k, v string) string { return v }, concat).
		LeftJoin(b.Stream(payments), window.Within(time.Hour), paid, func(a, b string, _ bool) string { return a + b }).
		To(out)
	people.Join(b.Stream(orders).ToTable(lasts), concat).
		GroupBy(func(k, v string) (string, string) { return v, k }, topic.New("by-address", serde.String, serde.String)).
		Count(sums).
		Apply(stream.FromTable).
		Foreach(func(string, int64) {})
	perHour := state.New("per-hour", serde.String, serde.Int64)
	b.Stream(clicks).GroupByKey().WindowedBy(window.Tumbling(time.Hour)).Count(perHour).
		Foreach(func(window.Key[string], int64, bool) {})
	visits := state.New("visits", serde.String, serde.Int64)
	b.Stream(clicks).GroupByKey().SessionsBy(window.Session(time.Hour)).Count(visits)
	seen := state.New("seen", serde.String, serde.Int64)
	b.Stream(clicks).Process(func(*stream.Processor[string, string]) func(stream.Record[string, string]) error {
		return func(stream.Record[string, string]) error { return nil }
	}, seen).To(out)
}

func TestDescribe(t *testing.T) {
	text := stream.MustBuild(everything).Describe()
	golden(t, "describe.txt", text)
	if again := stream.MustBuild(everything).String(); again != text {
		t.Errorf("the same topology, described again:\n%s", again)
	}
}
