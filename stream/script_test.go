package stream_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

// The topics of the scripts: keys are strings, values strings that may be null.
var (
	textSerde   = serde.Pointer(serde.String)
	nilKeyTopic = topic.New("g", textSerde, textSerde)
	topicIn     = topic.New("in", serde.String, textSerde)
	topicL      = topic.New("l", serde.String, textSerde)
	topicR      = topic.New("r", serde.String, textSerde)
	topicOut    = topic.New("out", serde.String, textSerde)
)

func textStore(name string) state.Store[string, *string] {
	return state.New(name, serde.String, textSerde)
}

func textTopic(name string) topic.Topic[string, *string] {
	return topic.New(name, serde.String, textSerde)
}

// str is the text of what may be null.
func str(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

func textOf(s string) *string { return &s }

// appendTo makes a row of the values of its records, with commas between.
func appendTo(_ string, v *string, row *string) *string {
	if row == nil || *row == "" {
		return textOf(str(v))
	}
	return textOf(*row + "," + str(v))
}

func emptyText() *string { return textOf("") }

// flat turns the changes of a windowed table into records whose keys are text:
// "a[0,10]".
func flat[V any](t table.Table[window.Key[string], V], show func(V) string) stream.Stream[string, *string] {
	return t.Apply(stream.Changes[window.Key[string], V]).
		Map(func(w window.Key[string], v *V) (string, *string) {
			key := fmt.Sprintf("%s[%d,%d]", w.Key, w.StartMS, w.EndMS)
			if v == nil {
				return key, nil
			}
			return key, textOf(show(*v))
		})
}

// script runs a topology over records, one a line: topic, key, value, time in
// milliseconds, with - for null. It compares what is written to "out", one a
// line: the number of the record that caused it (from 0), key, value, time.
// "advance <ms>" moves the wall clock, and "restart" restarts the tasks.
func script(t *testing.T, build func(*stream.Builder), in, want string, opts ...stream.Option) *streamtest.Driver {
	t.Helper()
	topo, err := stream.Build(build, opts...)
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, topo)
	var got strings.Builder
	n := -1
	for line := range strings.Lines(in) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		switch f[0] {
		case "restart":
			d.Restart()
			continue
		case "advance":
			n++
			d.Advance(time.Duration(number(t, f[1])) * time.Millisecond)
		default:
			n++
			d.SendRaw(f[0], nullable(f[1]), nullable(f[2]), time.UnixMilli(number(t, f[3])))
		}
		for _, r := range d.Records(topicOut) {
			if r.NoKey {
				r.Key = "-"
			}
			if r.NoValue {
				r.Value = textOf("-")
			}
			got.WriteString(clean(fmt.Sprintf("%d %s %s %d", n, r.Key, *r.Value, r.Time.UnixMilli())))
		}
	}
	if g, w := got.String(), clean(want); g != w {
		t.Errorf("got:\n%swant:\n%s", g, w)
	}
	return d
}

func nullable(s string) []byte {
	if s == "-" {
		return nil
	}
	return []byte(s)
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// clean takes the indentation away.
func clean(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if f := strings.Fields(line); len(f) > 0 {
			b.WriteString(strings.Join(f, " ") + "\n")
		}
	}
	return b.String()
}

// dropped compares the counters of dropped records: "late=2 null-key=1".
func dropped(t *testing.T, d *streamtest.Driver, want string) {
	t.Helper()
	var got []string
	for _, reason := range []string{"late", "null-key", "null-value", "negative-timestamp", "undecodable", "failed", "unencodable", "future-timestamp"} {
		if n := d.Dropped(reason); n > 0 {
			got = append(got, fmt.Sprintf("%s=%d", reason, n))
		}
	}
	if g := strings.Join(got, " "); g != want {
		t.Errorf("dropped %q, want %q", g, want)
	}
}
