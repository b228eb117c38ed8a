package table_test

import (
	"slices"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

// unlessX is nil for a text that begins with x.
func unlessX(v *string) *string {
	if (*v)[0] == 'x' {
		return nil
	}
	return text(*v + "!")
}

// A function that returns nil deletes the row, for whoever looks it up too.
func TestMapValues_NilDeletes(t *testing.T) {
	in := `l a 1 1
		l a x 2
		r a R 3
		restart
		l a 2 4`
	run(t, func(b *stream.Builder) {
		b.Table(left, rows("t")).MapValues(unlessX).To(result)
	}, in, `0 a 1! 1
		1 a - 2
		3 a 2! 4`)
	run(t, func(b *stream.Builder) {
		b.Table(right, rows("u")).LeftJoin(b.Table(left, rows("t")).MapValues(unlessX), perhaps).To(result)
	}, in, `2 a R+none 3
		3 a R+2! 4`)
}

// A join whose function returns nil has no row.
func TestJoin_NilDeletes(t *testing.T) {
	differ := func(l, r *string) *string {
		if *l == *r {
			return nil
		}
		return both(l, r)
	}
	run(t, func(b *stream.Builder) {
		j := b.Table(left, rows("l")).Join(b.Table(right, rows("r")), differ)
		j.To(result)
		one := func(string, *string) (string, *string) { return "n", text("1") }
		j.GroupBy(one, topic.New("via", serde.String, textSerde)).Count(state.New("c", serde.String, serde.Int64)).
			MapValues(func(n int64) *string { return text(string(rune('0' + n))) }).To(result)
	}, `l a 1 1
		r a 1 2
		r a 2 3
		restart
		l a 2 4`,
		`1 a - 2
		2 a 1+2 3
		2 n 1 3
		3 a - 4
		3 n 0 4`)
}

// A row that was deleted has no say in the time of a result.
func TestLeftJoin_TimeOfDeletedRow(t *testing.T) {
	run(t, func(b *stream.Builder) {
		b.Table(left, rows("l")).LeftJoin(b.Table(right, rows("r")), perhaps).To(result)
	}, `r a 1 5
		r a - 9
		l a 1 1`, `2 a 1+none 1`)
}

// A deletion of what never was is no change.
func TestLeftJoin_NothingToDelete(t *testing.T) {
	run(t, func(b *stream.Builder) {
		b.Table(left, rows("l")).LeftJoin(b.Table(right, rows("r")), perhaps).To(result)
	}, `l a - 1
		l a 1 2
		l a - 3
		l a - 4`, `1 a 1+none 2
		2 a - 3`)
}

// What doesn't pass a filter is not seen by the functions after it.
func TestFilter_NoValueOfDroppedRows(t *testing.T) {
	sum := func(v int64, row int64, known bool) int64 {
		if known {
			t.Error("a row that didn't pass was found")
		}
		return v + row
	}
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		none := b.Table(numbers, state.New("n", serde.String, serde.Int64)).Filter(func(string, int64) bool { return false })
		b.Stream(topic.New("s", serde.String, serde.Int64)).LeftJoinTable(none, sum).To(topic.New("sums", serde.String, serde.Int64))
	}))
	d.Send(numbers, "a", 100)
	d.Send(topic.New("s", serde.String, serde.Int64), "a", 1)
	for _, v := range d.Read(topic.New("sums", serde.String, serde.Int64)) {
		if v != 1 {
			t.Errorf("the sum is %d, want 1", v)
		}
	}
}

// The headers of the record that caused a change go with it; the one that leat
// itself writes between the halves of a grouping doesn't, and one of that name
// isn't taken for it.
func TestHeaders(t *testing.T) {
	counts := topic.New("counts", serde.String, serde.Int64)
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		rows := b.Table(left, rows("t"))
		rows.To(result)
		rows.GroupBy(func(_ string, v *string) (string, *string) { return *v, v }, topic.New("via", serde.String, textSerde)).
			EmitOnUpdate().
			Count(state.New("c", serde.String, serde.Int64)).
			To(counts)
	}))
	for i, v := range []string{"1", "1", "2"} {
		d.SendRaw("l", []byte("a"), []byte(v), time.UnixMilli(int64(i)),
			stream.Header{Key: "h", Value: []byte(v)}, stream.Header{Key: "leat.old", Value: []byte("mine")})
	}
	for _, r := range d.Records(result) {
		if len(r.Headers) != 2 || r.Headers[0].Key != "h" || string(r.Headers[0].Value) != *r.Value {
			t.Errorf("%s has headers %v", *r.Value, r.Headers)
		}
	}
	var got []int64
	for _, r := range d.Records(counts) {
		got = append(got, r.Value)
		if len(r.Headers) != 1 || r.Headers[0].Key != "h" {
			t.Errorf("a count has headers %v", r.Headers)
		}
	}
	if want := []int64{1, 1, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("counts are %v, want %v", got, want)
	}
}
