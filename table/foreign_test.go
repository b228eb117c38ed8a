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

// viaForeign declares what a join by foreign keys needs in these tests, where a
// row of l is "<foreign key><rest>".
func viaForeign() state.Foreign[string, *string, *string] {
	return state.NewForeign("fk", serde.String, textSerde, textSerde)
}

// initial is the first letter of a row, none for one that begins with x.
func initial(_ string, v *string) *string {
	if *v == "" || (*v)[0] == 'x' {
		return nil
	}
	return text((*v)[:1])
}

var byText = topic.New("r", textSerde, textSerde)

func rightRows() state.Store[*string, *string] { return state.New("rt", textSerde, textSerde) }

func joinForeign(b *stream.Builder) {
	b.Table(left, rows("lt")).JoinForeign(b.Table(byText, rightRows()), initial, viaForeign(), rows("result"), both).To(result)
}

func leftJoinForeign(b *stream.Builder) {
	b.Table(left, rows("lt")).LeftJoinForeign(b.Table(byText, rightRows()), initial, viaForeign(), rows("result"), perhaps).To(result)
}

func outerJoinForeign(b *stream.Builder) {
	b.Table(left, rows("lt")).OuterJoinForeign(b.Table(byText, rightRows()), initial, viaForeign(), rows("result"),
		func(k string, ok bool, fk *string) string {
			if ok {
				return k
			}
			return "only-" + *fk
		},
		func(l *string, ok bool, r *string, ok2 bool) *string {
			switch {
			case !ok:
				return text("none+" + *r)
			case !ok2:
				return text(*l + "+none")
			}
			return both(l, r)
		}).To(result)
}

func TestJoinForeign_Changes(t *testing.T) {
	d := run(t, joinForeign, `l 1 a1 10
		r a A 5
		l 2 a2 3
		l 3 a3 1
		restart
		r a AA 7
		l 2 b2 8
		r b B 2
		l 2 b3 9
		restart
		r b - 11
		l 3 - 12
		r a - 4
		l 1 a4 13
		l 1 - 14
		r a A 15
		l 4 x4 16
		l 5 a5 16
		l 5 x5 17
		l 6 - 18`,
		`1 1 a1+A 10
		2 2 a2+A 5
		3 3 a3+A 5
		4 1 a1+AA 10
		4 2 a2+AA 7
		4 3 a3+AA 7
		5 2 - 8
		6 2 b2+B 8
		7 2 b3+B 9
		8 2 - 11
		9 3 - 12
		10 1 - 10
		12 1 - 14
		15 5 a5+A 16
		16 5 - 17`)
	if n := d.Dropped("null-foreign-key"); n != 2 {
		t.Errorf("%d rows without a foreign key were counted, want 2", n)
	}
}

func TestLeftJoinForeign_Changes(t *testing.T) {
	run(t, leftJoinForeign, `l 1 a1 10
		r a A 5
		l 1 b1 11
		restart
		r a AA 12
		l 1 x1 13
		r b B 14
		l 1 - 15
		l 2 - 16
		l 3 a3 17
		r a - 18`,
		`0 1 a1+none 10
		1 1 a1+A 10
		2 1 b1+none 11
		4 1 x1+none 13
		6 1 - 15
		8 3 a3+AA 17
		9 3 a3+none 18`)
}

func TestOuterJoinForeign_Changes(t *testing.T) {
	run(t, outerJoinForeign, `r a A 1
		r b B 2
		l 1 a1 3
		l 2 a2 4
		l 1 b1 5
		restart
		l 2 x2 6
		r a AA 7
		r a - 8
		l 1 - 9
		r b - 10
		l 3 a3 11
		r a A 12`,
		`0 only-a none+A 1
		1 only-b none+B 2
		2 only-a - 3
		2 1 a1+A 3
		3 2 a2+A 4
		4 only-b - 5
		4 1 b1+B 5
		5 only-a none+A 6
		5 2 x2+none 6
		6 only-a none+AA 7
		7 only-a - 8
		8 only-b none+B 9
		8 1 - 9
		9 only-b - 10
		10 3 a3+none 11
		11 3 a3+A 12`)
}

// revised encodes texts with the number of a schema before them, which may change
// while the app runs.
type revised struct{ schema *byte }

func (s revised) Append(dst []byte, v *string) ([]byte, error) {
	return append(append(dst, *s.schema), *v...), nil
}

func (s revised) Decode(src []byte) (*string, error) {
	if len(src) == 0 {
		return nil, fmt.Errorf("no schema")
	}
	return text(string(src[1:])), nil
}

// When the bytes of the left rows change and the rows don't, answers still count:
// what is compared is a version of the row. A hash of its bytes, as Kafka Streams
// has it, silences the join until the row is written again.
func TestJoinForeign_SchemaChange(t *testing.T) {
	for _, kafka := range []bool{false, true} {
		schema := byte(1)
		lefts := topic.New("l", serde.String, serde.Serde[*string](revised{&schema}))
		var opts []stream.Option
		if kafka {
			opts = append(opts, stream.LikeKafka())
		}
		d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
			b.Table(lefts, state.New("lt", serde.String, lefts.Value())).
				MapValues(func(v *string) *string { return v }).
				Filter(func(string, *string) bool { return true }).
				Apply(stream.Changes).MapValues(func(v **string) *string {
				if v == nil {
					return nil
				}
				return *v
			}).ToTable(state.New("copy", serde.String, lefts.Value())).
				JoinForeign(b.Table(byText, rightRows()), initial, viaForeign(), rows("result"), both).To(result)
		}, opts...))
		d.Send(byText, text("a"), text("A"))
		d.Send(lefts, "k", text("a1"))
		schema = 2
		d.Send(byText, text("a"), text("AA"))
		d.Restart()
		d.Send(byText, text("a"), text("AAA"))
		var got []string
		for _, v := range d.Read(result) {
			got = append(got, *v)
		}
		want := "a1+A a1+AA a1+AAA"
		if kafka {
			want = "a1+A"
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("like Kafka %t: got %q, want %q", kafka, s, want)
		}
	}
}

// The result is that of a join of both tables as they are, whatever changed, in
// which order and with what restarts.
func TestForeignJoins_Law(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]string{"inner", "left", "outer"}).Draw(t, "kind")
		topo := stream.MustBuild(map[string]func(*stream.Builder){"inner": joinForeign, "left": leftJoinForeign, "outer": outerJoinForeign}[kind])
		d := streamtest.MustNew(topo)
		ls, rs, got := map[string]string{}, map[string]string{}, map[string]string{}
		at := int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "changes") {
			at++
			name, model := "l", ls
			key := rapid.SampledFrom([]string{"1", "10", "2"}).Draw(t, "left key")
			value := rapid.SampledFrom([]string{"", "a", "a2", "b", "x", "bb"}).Draw(t, "left value")
			if rapid.Bool().Draw(t, "right") {
				name, model = "r", rs
				key = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "right key")
				value = rapid.SampledFrom([]string{"", "A", "B"}).Draw(t, "right value")
			}
			if value == "" {
				delete(model, key)
				d.SendRaw(name, []byte(key), nil, time.UnixMilli(at))
			} else {
				model[key] = value
				d.SendRaw(name, []byte(key), []byte(value), time.UnixMilli(at))
			}
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				d.Restart()
			}
			for _, r := range d.Records(result) {
				if delete(got, r.Key); !r.NoValue {
					got[r.Key] = *r.Value
				}
			}
			if want := joined(kind, ls, rs); !maps.Equal(got, want) {
				t.Fatalf("%s join of %v with %v is %v, want %v", kind, ls, rs, got, want)
			}
		}
	})
}

// joined is the result of a foreign-key join as one would compute it at once.
func joined(kind string, ls, rs map[string]string) map[string]string {
	want, referred := map[string]string{}, map[string]bool{}
	for k, l := range ls {
		fk := l[:1]
		referred[fk] = true
		if r, ok := rs[fk]; ok && fk != "x" {
			want[k] = l + "+" + r
		} else if kind != "inner" {
			want[k] = l + "+none"
		}
	}
	for k, r := range rs {
		if kind == "outer" && !referred[k] {
			want["only-"+k] = "none+" + r
		}
	}
	return want
}
