package table_test

import (
	"errors"
	"fmt"
	"slices"
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
	"pgregory.net/rapid"
)

const ms = time.Millisecond

// suppressed runs a suppressed table over lines of key, value (- to delete) and
// time, and returns what was told of after each, as "1 a 5 7": the line, the key,
// the value, the time.
func suppressed(t *testing.T, how table.Suppression, lines string, opts ...stream.Option) []string {
	t.Helper()
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Table(numbers, state.New("rows", serde.String, serde.Int64)).
			Suppress(state.New("kept", serde.String, serde.Int64), how).
			To(topic.New("told", serde.String, serde.Int64))
	}, opts...))
	var got []string
	for i, line := range strings.Split(lines, "\n") {
		f := strings.Fields(line)
		if f[0] == "restart" {
			d.Restart()
			continue
		}
		var value []byte
		var n, ts int64
		if f[1] != "-" {
			fmt.Sscan(f[1], &n)
			value, _ = serde.Int64.Append(nil, n)
		}
		fmt.Sscan(f[2], &ts)
		d.SendRaw(numbers.Name(), []byte(f[0]), value, time.UnixMilli(ts), stream.Header{Key: "line", Value: []byte(fmt.Sprint(i))})
		for _, r := range d.Records(topic.New("told", serde.String, serde.Int64)) {
			v := fmt.Sprint(r.Value)
			if r.NoValue {
				v = "-"
			}
			got = append(got, fmt.Sprintf("%d %s %s %d by %s", i, r.Key, v, r.Time.UnixMilli(), r.Headers[0].Value))
		}
	}
	return got
}

func TestSuppress_TimeLimit(t *testing.T) {
	for _, c := range []struct {
		name string
		how  table.Suppression
		in   string
		want []string
	}{
		{"the last change of each row, in order of the first", table.UntilTimeLimit(10 * ms),
			"a 1 3\nb 2 2\na 3 4\nrestart 0 0\nc 4 13", []string{"4 b 2 2 by 1", "4 a 3 4 by 2"}},
		{"a deletion is told where the row was", table.UntilTimeLimit(2 * ms),
			"a 1 0\na 2 2\na - 4\nb 1 9", []string{"1 a 2 2 by 1", "3 a - 4 by 2"}},
		{"a row that came and went is not told", table.UntilTimeLimit(5 * ms), "a 1 0\na - 1\nb 1 5\nb 2 20", []string{"3 b 2 20 by 3"}},
		{"what comes late waits no longer", table.UntilTimeLimit(5 * ms), "a 1 10\nb 2 5", []string{"1 b 2 5 by 1"}},
		{"when full, the earliest go on", table.UntilTimeLimit(time.Hour).MaxRecords(2),
			"b 1 5\na 1 6\nc 1 1\nrestart 0 0\na 2 9\nd 1 9", []string{"2 c 1 1 by 2", "5 b 1 5 by 0"}},
		{"by bytes", table.UntilTimeLimit(time.Hour).MaxBytes(1), "b 1 5", []string{"0 b 1 5 by 0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := suppressed(t, c.how, c.in); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A full buffer that must not tell of anything early stops the app, also if bad
// records are skipped.
func TestSuppress_ShutsDown(t *testing.T) {
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Table(numbers, state.New("rows", serde.String, serde.Int64)).
			Suppress(state.New("kept", serde.String, serde.Int64), table.UntilTimeLimit(time.Hour).MaxRecords(1).ShutDownWhenFull())
	}), streamtest.OnError(func(e *stream.RecordError) stream.Action { return stream.Skip }))
	d.Send(numbers, "a", 1)
	d.Send(numbers, "a", 2)
	if d.Err() != nil {
		t.Fatalf("it stopped too early: %v", d.Err())
	}
	d.Send(numbers, "b", 1)
	if err := d.Err(); !errors.Is(err, table.ErrBufferFull) || !strings.Contains(err.Error(), `store "kept" holds 2 records`) {
		t.Errorf("got %v", err)
	}
}

// Whoever sums up a table that tells of its rows later, and not of all, must get
// the sum of the rows that it told of.
func TestEmission_SumsAreExact(t *testing.T) {
	for name, later := range map[string]func(table.Table[string, int64]) table.Table[string, int64]{
		"suppressed": func(t table.Table[string, int64]) table.Table[string, int64] {
			return t.Suppress(state.New("kept", serde.String, serde.Int64), table.UntilTimeLimit(3*ms).MaxRecords(2))
		},
		"every":     func(t table.Table[string, int64]) table.Table[string, int64] { return t.EmitEvery(5 * ms) },
		"on commit": func(t table.Table[string, int64]) table.Table[string, int64] { return t.EmitOnCommit() },
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				sums, rows := state.New("sums", serde.String, serde.Int64), map[string]int64{}
				d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
					told := later(b.Table(numbers, state.New("rows", serde.String, serde.Int64)))
					told.Foreach(func(k string, v int64, ok bool) {
						if delete(rows, k); ok {
							rows[k] = v
						}
					})
					told.GroupBy(func(_ string, v int64) (string, int64) { return "all", v }, topic.New("via", serde.String, serde.Int64)).
						Reduce(sums, func(row, v int64) int64 { return row + v }, func(row, v int64) int64 { return row - v })
				}))
				for i := range rapid.IntRange(1, 30).Draw(t, "records") {
					k, at := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key"), time.UnixMilli(int64(i))
					switch rapid.IntRange(0, 9).Draw(t, "step") {
					case 0:
						d.SendRaw(numbers.Name(), []byte(k), nil, at)
					case 1:
						d.Restart()
					case 2:
						d.Advance(5 * ms)
					default:
						d.SendAt(numbers, k, rapid.Int64Range(1, 99).Draw(t, "value"), at)
					}
					want := int64(0)
					for _, v := range rows {
						want += v
					}
					if got, _, err := d.Store(sums).Get("all"); err != nil || got != want {
						t.Fatalf("the sum is %d, %v; the rows that were told are %v", got, err, rows)
					}
				}
			})
		})
	}
}

func TestSuppress_BuildErrors(t *testing.T) {
	kept, windows := state.New("kept", serde.String, serde.Int64), window.Tumbling(time.Second)
	for want, how := range map[string]table.Suppression{
		"zero Suppression":            {},
		"keys have windows":           table.UntilWindowCloses(windows),
		"size 0s isn't positive":      table.UntilWindowCloses(window.Tumbling(0)),
		"can't be told of early":      table.UntilWindowCloses(windows).MaxRecords(1).EmitEarlyWhenFull(),
		"MaxRecords is 0":             table.UntilTimeLimit(time.Second).MaxRecords(0),
		"MaxBytes is -1":              table.UntilTimeLimit(time.Second).MaxBytes(-1),
		"whole number of millisecond": table.UntilTimeLimit(-time.Second),
		"never closes":                table.UntilWindowCloses(window.Unlimited(time.Unix(0, 0))),
	} {
		_, err := stream.Build(func(b *stream.Builder) {
			b.Table(numbers, state.New("rows", serde.String, serde.Int64)).Suppress(kept, how)
		})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "suppress_test.go:") {
			t.Errorf("want %q and the place, got %v", want, err)
		}
	}
	_, err := stream.Build(func(b *stream.Builder) {
		b.Table(numbers, state.New("rows", serde.String, serde.Int64)).MapValues(func(v int64) int64 { return v }).EmitEvery(time.Second)
	})
	if err == nil || !strings.Contains(err.Error(), "put .Materialize(store) before") {
		t.Errorf("an emission for a computed table: %v", err)
	}
}
