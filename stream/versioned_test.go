package stream_test

import (
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
)

func init() {
	laws = append(laws,
		law{"versioned table", true, true, func(b *stream.Builder) {
			b.Table(lawB, versionedPtr("r")).MapValues(orNone).To(lawOut)
		}},
		law{"join as of the record's time", true, true, func(b *stream.Builder) {
			b.Stream(lawA).LeftJoinTable(b.Table(lawB, versionedPtr("r")), pair).To(lawOut)
		}},
		law{"join as of, with grace", true, true, func(b *stream.Builder) {
			b.Stream(lawA).LeftJoinTable(b.Table(lawB, versionedPtr("r")), pair, stream.JoinGrace(10*time.Millisecond, ptr("waiting"))).To(lawOut)
		}},
		law{"join with a filtered versioned table, with grace", true, true, func(b *stream.Builder) {
			odd := b.Table(lawB, versionedPtr("r")).Filter(func(_ string, v *int64) bool { return *v%2 == 1 })
			b.Stream(lawA).JoinTable(odd, func(l, r *int64) string { return pair(l, r, true) }, stream.JoinGrace(25*time.Millisecond, ptr("waiting"))).To(lawOut)
		}},
		law{"versioned table, grouped again", false, true, func(b *stream.Builder) {
			b.Stream(lawA).ToTable(versionedPtr("r")).
				GroupBy(func(_ string, v *int64) (string, int64) { return text(*v % 3), *v }, lawVia).
				Reduce(num("t"), plus, minus).MapValues(text).To(lawOut)
		}},
		law{"versioned store of a processor", true, true, func(b *stream.Builder) {
			s := versionedPtr("s")
			b.Stream(lawA).Process(logVersions(s), s).To(lawOut)
		}},
	)
}

func orNone(v *int64) string { return pair(v, nil, false) }

func versionedPtr(name string) state.Store[string, *int64] {
	return state.New(name, serde.String, serde.Pointer(serde.Int64), state.Versioned(25*time.Millisecond))
}

// logVersions puts each record into a store, and tells what it finds there.
func logVersions(s state.Store[string, *int64]) func(*stream.Processor[string, string]) func(stream.Record[string, *int64]) error {
	return func(p *stream.Processor[string, string]) func(stream.Record[string, *int64]) error {
		versions := p.Versioned(s)
		return func(r stream.Record[string, *int64]) error {
			to, kept, err := versions.Put(r.Key, r.Value, r.Time)
			if err != nil {
				return err
			}
			found := fmt.Sprint(kept, showEnd(to))
			for _, ago := range []time.Duration{-time.Second, 0, 5, 20, 30} {
				v, ok, err := versions.AsOf(r.Key, r.Time.Add(-ago*time.Millisecond))
				if err != nil {
					return err
				}
				if ok {
					found += fmt.Sprintf(" %d@%d-%s", *v.Value, v.From.UnixMilli(), showEnd(v.To))
				} else {
					found += " none"
				}
			}
			return p.Forward(r.Key, found)
		}
	}
}

func showEnd(at time.Time) string {
	if at.IsZero() {
		return "open"
	}
	return fmt.Sprint(at.UnixMilli())
}

// The topics of the tests below.
var (
	vRows   = topic.New("rows", serde.String, serde.Pointer(serde.String))
	vEvents = topic.New("events", serde.String, serde.Pointer(serde.String))
	vOut    = topic.New("joined", serde.String, serde.Pointer(serde.String))
	vStore  = state.New("rows", serde.String, serde.Pointer(serde.String), state.Versioned(100*time.Millisecond))
	vBuffer = state.New("waiting", serde.String, serde.Pointer(serde.String))
)

func deref(s *string) string {
	if s == nil {
		return "none"
	}
	return *s
}

func joinText(e, r *string, known bool) *string {
	s := *e + "+" + deref(r)
	if known != (r != nil) {
		s += " but known is wrong"
	}
	return &s
}

func send(d *streamtest.Driver, to topic.Topic[string, *string], key, value string, ts int64) {
	var v *string
	if value != "" {
		v = &value
	}
	d.SendAt(to, key, v, time.UnixMilli(ts))
}

func readAll(d *streamtest.Driver, from topic.Topic[string, *string]) string {
	var all []string
	for _, r := range d.Records(from) {
		all = append(all, fmt.Sprintf("%s=%s@%d", r.Key, deref(r.Value), r.Time.UnixMilli()))
	}
	return strings.Join(all, " ")
}

// The row is that of the record's time, whatever came before it, as far back as
// the history; the newest row is never forgotten.
func TestJoinTable_AsOf(t *testing.T) {
	build := func(how ...stream.TableJoin) func(*stream.Builder) {
		return func(b *stream.Builder) {
			rows := b.Table(vRows, vStore)
			b.Stream(vEvents).LeftJoinTable(rows, joinText, how...).To(vOut)
		}
	}
	play := func(d *streamtest.Driver) {
		send(d, vRows, "a", "v10", 10)
		send(d, vRows, "a", "v30", 30)
		send(d, vEvents, "a", "e20", 20)
		send(d, vEvents, "a", "e5", 5)
		send(d, vRows, "a", "v20", 20) // late: into the history
		send(d, vEvents, "a", "e25", 25)
		send(d, vRows, "a", "", 40)
		d.Restart()
		send(d, vEvents, "a", "e39", 39)
		send(d, vEvents, "a", "e40", 40)
		send(d, vRows, "b", "w", 200)
		send(d, vRows, "a", "too old", 99)
		send(d, vEvents, "a", "e35", 35)
		send(d, vEvents, "b", "f300", 300)
	}
	d := streamtest.New(t, stream.MustBuild(build()))
	play(d)
	want := "a=e20+v10@20 a=e5+none@5 a=e25+v20@25 a=e39+v30@39 a=e40+none@40 a=e35+none@35 b=f300+w@300"
	if got := readAll(d, vOut); got != want {
		t.Errorf("as of:\n%s\nwant\n%s", got, want)
	}
	if n := d.Dropped("late"); n != 1 {
		t.Errorf("%d rows were too old, want 1", n)
	}

	d = streamtest.New(t, stream.MustBuild(build(stream.JoinLatest())))
	play(d)
	want = "a=e20+v30@20 a=e5+v30@5 a=e25+v30@25 a=e39+none@39 a=e40+none@40 a=e35+none@35 b=f300+w@300"
	if got := readAll(d, vOut); got != want {
		t.Errorf("latest:\n%s\nwant\n%s", got, want)
	}
}

// Records wait for rows that come late by no more than the grace period.
func TestJoinTable_Grace(t *testing.T) {
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(vEvents).LeftJoinTable(b.Table(vRows, vStore), joinText, stream.JoinGrace(10*time.Millisecond, vBuffer)).To(vOut)
	}))
	expect := func(want string) {
		t.Helper()
		if got := readAll(d, vOut); got != want {
			t.Errorf("joined %q, want %q", got, want)
		}
	}
	send(d, vRows, "a", "v0", 0)
	send(d, vEvents, "a", "e20", 20)
	send(d, vEvents, "a", "e15", 15)
	send(d, vRows, "a", "v18", 18) // in time for e20
	expect("")
	d.Restart()
	send(d, vEvents, "b", "f25", 25)
	expect("a=e15+v0@15")
	send(d, vEvents, "a", "too late to wait", 12)
	expect("a=too late to wait+v0@12")
	d.SendRaw("events", nil, []byte("no key"), time.UnixMilli(26))
	expect("=no key+none@26")
	d.Restart()
	send(d, vRows, "a", "v22", 22)
	send(d, vEvents, "b", "f40", 40)
	expect("a=e20+v18@20 b=f25+none@25")
	d.SendRaw("events", []byte("a"), []byte("e41"), time.UnixMilli(41), stream.Header{Key: "h", Value: []byte("of e41")})
	d.Restart()
	send(d, vEvents, "b", "f60", 60)
	recs := d.Records(vOut)
	if n := len(recs); n != 2 || deref(recs[1].Value) != "e41+v22" || len(recs[1].Headers) != 1 || string(recs[1].Headers[0].Value) != "of e41" {
		t.Errorf("joined %+v, want f40 and e41 with its header", recs)
	}
}

// A failure of the joiner is that of the record that waited, not of the one that
// let it go, and none is joined twice.
func TestJoinTable_GraceFailure(t *testing.T) {
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(vEvents).JoinTable(b.Table(vRows, vStore), func(e, r *string) *string {
			if *e == "boom" {
				panic("boom")
			}
			return joinText(e, r, true)
		}, stream.JoinGrace(10*time.Millisecond, vBuffer)).To(vOut)
	}), streamtest.OnError(func(*stream.RecordError) stream.Action { return stream.Skip }))
	send(d, vRows, "a", "v", 0)
	send(d, vEvents, "a", "boom", 10)
	send(d, vEvents, "a", "e11", 11)
	send(d, vEvents, "a", "e50", 50)
	send(d, vEvents, "a", "e70", 70)
	if got, want := readAll(d, vOut), "a=e11+v@11 a=e50+v@50"; got != want {
		t.Errorf("joined %q, want %q", got, want)
	}
}

// Out-of-order changes of a versioned table go to topics and streams, and to no
// aggregation or join of tables. The old value is the version that held then.
func TestVersionedTable_Stale(t *testing.T) {
	var (
		via    = topic.New("via", serde.String, serde.Pointer(serde.String))
		counts = topic.New("counts", serde.String, serde.Int64)
		joined = topic.New("tables", serde.String, serde.Pointer(serde.String))
		long   = topic.New("long", serde.String, serde.Pointer(serde.String))
	)
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		rows := b.Table(vRows, vStore)
		rows.To(vOut)
		rows.GroupBy(func(_ string, v *string) (string, *string) { return *v, v }, via).
			Count(state.New("counts", serde.String, serde.Int64)).To(counts)
		others := b.Table(vEvents, state.New("others", serde.String, serde.Pointer(serde.String)))
		rows.Join(others, func(l, r *string) *string { return joinText(l, r, true) }).To(joined)
		rows.Filter(func(_ string, v *string) bool { return len(*v) > 1 }).To(long)
	}))
	send(d, vEvents, "k", "o", 0)
	send(d, vRows, "k", "xx", 10)
	send(d, vRows, "k", "z", 30)
	send(d, vRows, "k", "y", 20) // between the two, and shorter than xx was
	send(d, vRows, "k", "ww", 25)
	send(d, vRows, "k", "v", 27)
	if got, want := readAll(d, vOut), "k=xx@10 k=z@30 k=y@20 k=ww@25 k=v@27"; got != want {
		t.Errorf("changes %q, want %q", got, want)
	}
	if got, want := readAll(d, joined), "k=xx+o@10 k=z+o@30"; got != want {
		t.Errorf("joined %q, want %q", got, want)
	}
	if got, want := readAll(d, long), "k=xx@10 k=none@30 k=none@20 k=ww@25 k=none@27"; got != want {
		t.Errorf("filtered %q, want %q", got, want)
	}
	got := map[string]int64{}
	for k, n := range d.Read(counts) {
		got[k] = n
	}
	if want := map[string]int64{"xx": 0, "z": 1}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counts %v, want %v", got, want)
	}
	v, ok, err := d.Versioned(vStore).AsOf("k", time.UnixMilli(26))
	if err != nil || !ok || deref(v.Value) != "ww" || v.From.UnixMilli() != 25 || v.To.UnixMilli() != 27 {
		t.Errorf("as of 26: %+v, %t, %v; want ww from 25 to 27", v, ok, err)
	}
}

// A deletion keeps older puts from being the newest; in Kafka Streams one at the
// very time of the version is forgotten.
func TestVersionedTable_DeletionIsKept(t *testing.T) {
	for _, like := range []bool{false, true} {
		var opts []stream.Option
		if like {
			opts = append(opts, stream.LikeKafka())
		}
		d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) { b.Table(vRows, vStore) }, opts...))
		send(d, vRows, "k", "v", 10)
		send(d, vRows, "k", "", 10)
		send(d, vRows, "k", "old", 5)
		_, ok, err := d.Versioned(vStore).Get("k")
		if err != nil || ok != like {
			t.Errorf("like Kafka: %t; there is a row: %t, %v", like, ok, err)
		}
	}
}

func TestJoinTable_BadModes(t *testing.T) {
	plain := func(b *stream.Builder) table.Table[string, *string] {
		return b.Table(vRows, state.New("plain", serde.String, serde.Pointer(serde.String)))
	}
	join := func(rows func(*stream.Builder) table.Table[string, *string], how ...stream.TableJoin) func(*stream.Builder) {
		return func(b *stream.Builder) { b.Stream(vEvents).LeftJoinTable(rows(b), joinText, how...) }
	}
	versioned := func(b *stream.Builder) table.Table[string, *string] { return b.Table(vRows, vStore) }
	bad := map[string]func(*stream.Builder){
		"declare its store with state.Versioned":    join(plain, stream.JoinAsOf()),
		"doesn't keep; declare":                     join(plain, stream.JoinGrace(time.Millisecond, vBuffer)),
		"leave out stream.JoinLatest or":            join(versioned, stream.JoinLatest(), stream.JoinAsOf()),
		"leave out stream.JoinLatest":               join(versioned, stream.JoinLatest(), stream.JoinGrace(1, vBuffer)),
		"at least the grace period":                 join(versioned, stream.JoinGrace(time.Second, vBuffer)),
		"grace period of stream.JoinGrace is negat": join(versioned, stream.JoinGrace(-time.Second, vBuffer)),
		"must be a store of the stream's records":   join(versioned, stream.JoinGrace(1, num("waiting"))),
		"at least a millisecond": join(func(b *stream.Builder) table.Table[string, *string] {
			return b.Table(vRows, state.New("s", serde.String, serde.Pointer(serde.String), state.Versioned(1)))
		}),
		"must be positive": join(func(b *stream.Builder) table.Table[string, *string] {
			return b.Table(vRows, state.New("s", serde.String, serde.Pointer(serde.String), state.Versioned(0)))
		}),
		"read from other topics": func(b *stream.Builder) {
			s := b.Stream(vEvents)
			s.LeftJoinTable(s.ToTable(vStore), joinText, stream.JoinTableFirst())
		},
		"can't know the end of repartition topic": func(b *stream.Builder) {
			s := b.Stream(vRows).SelectKey(func(k string, _ *string) string { return k }).
				Repartition(topic.New("via", serde.String, serde.Pointer(serde.String)))
			b.Stream(vEvents).LeftJoinTable(s.ToTable(vStore), joinText, stream.JoinTableFirst())
		},
		"leave it out, and put .Apply(stream.FromTable)": func(b *stream.Builder) {
			b.Stream(lawNum).GroupByKey().Count(state.New("n", serde.String, serde.Int64, state.Versioned(time.Second)))
		},
	}
	for want, build := range bad {
		_, err := stream.Build(build)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "versioned_test.go:") {
			t.Errorf("error %v\nshould say %q and where", err, want)
		}
	}
}

// A table that is to be read first is marked so.
func TestJoinTable_TableFirst(t *testing.T) {
	topo := stream.MustBuild(func(b *stream.Builder) {
		b.Stream(vEvents).LeftJoinTable(b.Table(vRows, vStore).Filter(func(string, *string) bool { return true }), joinText, stream.JoinTableFirst(), stream.JoinLatest()).To(vOut)
	})
	var first []string
	for _, n := range topo.Plan().Graph.Nodes {
		if n.First {
			first = append(first, n.Topic.Name)
		}
	}
	if !slices.Equal(first, []string{"rows"}) {
		t.Errorf("read first: %q, want rows", first)
	}
}
