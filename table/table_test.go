package table_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
	"pgregory.net/rapid"
)

var (
	textSerde = serde.Pointer(serde.String)
	left      = topic.New("l", serde.String, textSerde)
	right     = topic.New("r", serde.String, textSerde)
	result    = topic.New("out", serde.String, textSerde)
	via       = topic.New("via", serde.String, serde.String)
	numbers   = topic.New("n", serde.String, serde.Int64)
)

func rows(name string) state.Store[string, *string] { return state.New(name, serde.String, textSerde) }

func text(s string) *string { return &s }

func perhaps(l, r *string, known bool) *string {
	if !known {
		return text(*l + "+none")
	}
	return text(*l + "+" + *r)
}

func both(l, r *string) *string { return perhaps(l, r, true) }

// run sends records, one a line: topic, key, value, time in milliseconds, with -
// for null; "restart" restarts the tasks. It compares what is written to "out":
// the number of the record that caused it, key, value, time.
func run(t *testing.T, build func(*stream.Builder), in, want string) *streamtest.Driver {
	t.Helper()
	topo, err := stream.Build(build)
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, topo)
	var got strings.Builder
	n := -1
	null := func(s string) []byte {
		if s == "-" {
			return nil
		}
		return []byte(s)
	}
	for line := range strings.Lines(in) {
		var name, key, value string
		var ms int64
		if c, _ := fmt.Sscan(line, &name, &key, &value, &ms); c == 1 && name == "restart" {
			d.Restart()
			continue
		} else if c != 4 {
			t.Fatalf("a line with %d words: %s", c, line)
		}
		n++
		d.SendRaw(name, null(key), null(value), time.UnixMilli(ms))
		for _, r := range d.Records(result) {
			if r.NoValue {
				r.Value = text("-")
			}
			fmt.Fprintf(&got, "%d %s %s %d\n", n, r.Key, *r.Value, r.Time.UnixMilli())
		}
	}
	var trimmed strings.Builder
	for line := range strings.Lines(want) {
		trimmed.WriteString(strings.TrimSpace(line) + "\n")
	}
	if got.String() != trimmed.String() {
		t.Errorf("got:\n%swant:\n%s", got.String(), trimmed.String())
	}
	return d
}

// A row that never passed isn't retracted; one that passed is, also after a
// restart, and when what it was before is older than what comes.
func TestFilter_Retractions(t *testing.T) {
	run(t, func(b *stream.Builder) {
		b.Table(left, rows("t")).Filter(func(_ string, v *string) bool { return len(*v) == 2 }).To(result)
	}, `l a 1 1
		l a 22 2
		restart
		l a 3 3
		l a 5 4
		l b - 5
		l a 44 2
		l a - 6`,
		`1 a 22 2
		2 a - 3
		5 a 44 2
		6 a - 6`)
}

func TestLeftJoin_Changes(t *testing.T) {
	d := run(t, func(b *stream.Builder) {
		b.Table(left, rows("lt")).LeftJoin(b.Table(right, rows("rt")), perhaps).To(result)
	}, `l a l1 10
		r a r1 5
		l a l2 3
		r b r2 7
		restart
		l a - 12
		l b l3 1
		r a - 20
		r b - 8
		l b - 9
		r c r4 32
		r a r5 2
		l a l5 2
		l - x 31`,
		`0 a l1+none 10
		1 a l1+r1 10
		2 a l2+r1 5
		4 a - 12
		5 b l3+r2 7
		7 b l3+none 8
		8 b - 9
		11 a l5+r5 2`)
	if got := d.Dropped("null-key"); got != 1 {
		t.Errorf("%d records without a key were counted, want 1", got)
	}
}

func TestJoin_Changes(t *testing.T) {
	run(t, func(b *stream.Builder) {
		b.Table(left, rows("lt")).Join(b.Table(right, rows("rt")), both).To(result)
	}, `l a l1 10
		r a r1 5
		l a l2 12
		r b r2 7
		r a - 20
		restart
		l a l3 21
		r a r3 1
		l a - 30`,
		`1 a l1+r1 10
		2 a l2+r1 12
		4 a - 20
		6 a l3+r3 21
		7 a - 30`)
}

// A row that moves leaves its group and joins another; one that stays is taken
// out and put in in one step.
func TestGroupBy_AddsAndSubtracts(t *testing.T) {
	aggregate := state.New("agg", serde.String, textSerde)
	run(t, func(b *stream.Builder) {
		b.Table(left, rows("t")).
			GroupBy(func(_ string, v *string) (string, string) { return (*v)[:1], *v }, via).
			Aggregate(aggregate, func() *string { return text("") },
				func(_, v string, row *string) *string { return text(*row + "+" + v) },
				func(_, v string, row *string) *string { return text(*row + "-" + v) }).
			To(result)
	}, `l 1 ax 1
		l 2 ay 5
		l 1 bz 3
		restart
		l 1 bw 2
		l 2 - 9
		l 3 - 10
		l 1 bw 11`,
		`0 a +ax 1
		1 a +ax+ay 5
		2 a +ax+ay-ax 5
		2 b +bz 3
		3 b +bz-bz+bw 3
		4 a +ax+ay-ax-ay 9
		6 b +bz-bz+bw-bw+bw 11`)
}

// A row whose group is nil is in none.
func TestGroupBy_NilKey(t *testing.T) {
	grouped := topic.New("via", textSerde, serde.String)
	counts := state.New("c", textSerde, serde.Int64)
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Table(left, rows("t")).
			GroupBy(func(_ string, v *string) (*string, string) {
				if *v == "x" {
					return nil, *v
				}
				return v, *v
			}, grouped).
			Count(counts)
	}))
	for _, v := range []string{"a", "x", "b"} {
		d.Send(left, "1", text(v))
	}
	for group, want := range map[string]int64{"a": 0, "b": 1} {
		if n, ok, err := d.Store(counts).Get(&group); n != want || !ok || err != nil {
			t.Errorf("group %s has %d, %t, %v; want %d", group, n, ok, err, want)
		}
	}
}

// A group whose row becomes nil is gone.
func TestGroupBy_NilRowDeletes(t *testing.T) {
	run(t, func(b *stream.Builder) {
		b.Table(left, rows("t")).
			GroupBy(func(_ string, v *string) (string, string) { return "g", *v }, via).
			Aggregate(rows("agg"), func() *string { return text("") },
				func(_, v string, row *string) *string { return text(*row + v) },
				func(_, v string, row *string) *string {
					if *row == v {
						return nil
					}
					return text(strings.Replace(*row, v, "", 1))
				}).
			To(result)
	}, `l 1 a 1
		l 2 b 2
		l 1 - 3
		l 2 - 4
		l 1 c 5`,
		`0 g a 1
		1 g ab 2
		2 g b 3
		3 g - 4
		4 g c 5`)
}

func TestMapValues_DeletionsPass(t *testing.T) {
	run(t, func(b *stream.Builder) {
		b.Table(left, rows("t")).
			MapValues(func(v *string) *string { return text(*v + "!") }).
			MapValuesWithKey(func(k string, v *string) *string { return text(k + *v) }).
			To(result)
	}, "l a x 1\nl a - 2", "0 a ax! 1\n1 a - 2")
}

// Whatever rows come, change group and go: the sums of the groups are those of
// the rows there are.
func TestGroupBy_SumsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sums := state.New("sums", serde.String, serde.Int64)
		store := state.New("rows", serde.String, serde.Int64)
		nums := topic.New("via", serde.String, serde.Int64)
		group := func(v int64) string { return fmt.Sprint(v % 3) }
		d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
			b.Table(numbers, store).
				GroupBy(func(_ string, v int64) (string, int64) { return group(v), v }, nums).
				Reduce(sums, func(row, v int64) int64 { return row + v }, func(row, v int64) int64 { return row - v })
		}))
		table := map[string]int64{}
		for range rapid.IntRange(1, 30).Draw(t, "records") {
			k := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key")
			switch v := rapid.Int64Range(-1, 20).Draw(t, "value"); v {
			case -1:
				d.Delete(numbers, k)
				delete(table, k)
			default:
				d.Send(numbers, k, v)
				table[k] = v
			}
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				d.Restart()
			}
		}
		want := map[string]int64{}
		for _, v := range table {
			want[group(v)] += v
		}
		got := maps.Collect(d.Store(sums).All())
		zero := func(_ string, n int64) bool { return n == 0 }
		maps.DeleteFunc(got, zero)
		maps.DeleteFunc(want, zero)
		if !maps.Equal(got, want) {
			t.Fatalf("the sums are %v, want %v", got, want)
		}
	})
}
