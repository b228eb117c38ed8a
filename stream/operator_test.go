package stream_test

import (
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
)

// Timestamps and headers pass through every stateless operator and through a
// repartition topic; a record without a key keeps having none, or gets one.
func TestOperators_TimeAndHeadersPass(t *testing.T) {
	via := textTopic("via")
	cases := map[string]struct {
		build func(stream.Stream[string, *string]) stream.Stream[string, *string]
		keyed bool // every record has a key after it
	}{
		"filter": {func(s stream.Stream[string, *string]) stream.Stream[string, *string] { return s.Filter(always) }, false},
		"not":    {func(s stream.Stream[string, *string]) stream.Stream[string, *string] { return s.FilterNot(never) }, false},
		"values": {func(s stream.Stream[string, *string]) stream.Stream[string, *string] { return s.MapValues(same) }, false},
		"peek": {func(s stream.Stream[string, *string]) stream.Stream[string, *string] {
			return s.Peek(func(string, *string) {})
		}, false},
		"flat":   {func(s stream.Stream[string, *string]) stream.Stream[string, *string] { return s.FlatMapValues(one) }, false},
		"select": {func(s stream.Stream[string, *string]) stream.Stream[string, *string] { return s.SelectKey(keyOf) }, true},
		"through": {func(s stream.Stream[string, *string]) stream.Stream[string, *string] {
			return s.SelectKey(keyOf).Repartition(via)
		}, true},
		"process": {func(s stream.Stream[string, *string]) stream.Stream[string, *string] { return s.Process(pass) }, true},
	}
	for name, c := range cases {
		d := streamtest.New(t, build(t, func(b *stream.Builder) { c.build(b.Stream(topicIn)).To(topicOut) }))
		at := time.UnixMilli(1234).UTC()
		header := stream.Header{Key: "trace", Value: []byte("7")}
		d.SendRaw("in", nil, []byte("v"), at, header)
		recs := d.Records(topicOut)
		if len(recs) != 1 {
			t.Errorf("%s: %d records, want 1", name, len(recs))
			continue
		}
		r := recs[0]
		if !r.Time.Equal(at) || len(r.Headers) != 1 || r.Headers[0].Key != "trace" || string(r.Headers[0].Value) != "7" {
			t.Errorf("%s: came out at %v with %v", name, r.Time, r.Headers)
		}
		if r.NoKey == c.keyed {
			t.Errorf("%s: without a key: %t", name, r.NoKey)
		}
	}
}

func always(string, *string) bool      { return true }
func never(string, *string) bool       { return false }
func same(v *string) *string           { return v }
func one(v *string) iter.Seq[*string]  { return slices.Values([]*string{v}) }
func keyOf(_ string, v *string) string { return *v }
func pass(p *stream.Processor[string, *string]) func(stream.Record[string, *string]) error {
	return func(r stream.Record[string, *string]) error { return p.Forward(r.Key, r.Value) }
}

// A value type without nil has no place for null: such records are dropped,
// and counted.
func TestStream_NullValue(t *testing.T) {
	d := streamtest.New(t, build(t, func(b *stream.Builder) { b.Stream(words).To(out) }))
	d.Delete(words, "k")
	if got := d.Records(out); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	dropped(t, d, "null-value=1")
	d = streamtest.New(t, build(t, func(b *stream.Builder) { b.Stream(topicIn).To(topicOut) }))
	d.Send(topicIn, "k", nil)
	if got := d.Records(topicOut); len(got) != 1 || !got[0].NoValue || got[0].Key != "k" {
		t.Errorf("got %v, want a tombstone", got)
	}
}

// Each branch gets what belongs to it, from one call of the function.
func TestSplit_AsksOnce(t *testing.T) {
	asked := 0
	script(t, func(b *stream.Builder) {
		yes, no := b.Stream(topicIn).Split(func(_ string, v *string) bool {
			asked++
			return asked%2 == 1
		})
		yes.MapValues(func(v *string) *string { return textOf("yes-" + *v) }).
			Merge(no.MapValues(func(v *string) *string { return textOf("no-" + *v) })).
			To(topicOut)
	}, "in a x 1\n in a y 2\n in a z 3", "0 a yes-x 1\n 1 a no-y 2\n 2 a yes-z 3")
	if asked != 3 {
		t.Errorf("asked %d times about 3 records", asked)
	}
}

// A stream that is used twice goes both ways, in the order of the program.
func TestStream_Branches(t *testing.T) {
	script(t, func(b *stream.Builder) {
		s := b.Stream(topicIn)
		s.MapValues(func(v *string) *string { return textOf(*v + "1") }).To(topicOut)
		s.MapValues(func(v *string) *string { return textOf(*v + "2") }).To(topicOut)
		b.Stream(topicIn).MapValues(func(v *string) *string { return textOf(*v + "3") }).To(topicOut)
	}, "in a x 1", "0 a x1 1\n 0 a x2 1\n 0 a x3 1")
}

// A repartition topic has no place for records without a key.
func TestRepartition_NullKey(t *testing.T) {
	d := script(t, func(b *stream.Builder) {
		b.Stream(topicIn).Repartition(textTopic("via")).To(topicOut)
	}, "in - x 1\n in k - 2", "1 k - 2")
	dropped(t, d, "null-key=1")
}

func TestToTable_NullsDelete(t *testing.T) {
	d := script(t, func(b *stream.Builder) {
		b.Stream(topicIn).ToTable(textStore("t")).To(topicOut)
	}, "in a x 1\n in - y 2\n in a - 3\n restart\n in a z 4", "0 a x 1\n 2 a - 3\n 3 a z 4")
	dropped(t, d, "")
	for _, build := range []func(*stream.Builder){
		func(b *stream.Builder) { b.Stream(topicIn).ToTable(textStore("t")) },
		func(b *stream.Builder) { b.Table(topicIn, textStore("t")) },
	} {
		d := script(t, build, "in - y 2\n in a x 1\n in b y 2\n in a - 3", "")
		dropped(t, d, "null-key=1")
		d.Restart()
		store := d.Store(textStore("t"))
		if v, ok, err := store.Get("b"); !ok || *v != "y" || err != nil {
			t.Errorf("b is %s, %t, %v", str(v), ok, err)
		}
		if _, ok, err := store.Get("a"); ok || err != nil {
			t.Errorf("a is there: %t, %v", ok, err)
		}
		if at, ok, err := store.Time("b"); !ok || at.UnixMilli() != 2 || err != nil {
			t.Errorf("b is of %v, %t, %v", at, ok, err)
		}
	}
}

// countAndEmit counts records in a store, and forwards all counts as time goes on.
func countAndEmit(by stream.TimeDomain, reset bool) func(*stream.Processor[string, *string]) func(stream.Record[string, *string]) error {
	return func(p *stream.Processor[string, *string]) func(stream.Record[string, *string]) error {
		n := p.Store(num("cnt"))
		p.Punctuate(10*ms, by, func(now time.Time) error {
			for k, v := range n.All() {
				if err := p.Forward(k, countText(v)); err != nil {
					return err
				}
				if !reset {
					continue
				}
				if err := n.Delete(k); err != nil {
					return err
				}
			}
			return n.Err()
		})
		return func(r stream.Record[string, *string]) error {
			have, _, err := n.Get(r.Key)
			if err != nil {
				return err
			}
			return n.Put(r.Key, have+1)
		}
	}
}

func TestPunctuate_StreamTime(t *testing.T) {
	script(t, func(b *stream.Builder) {
		b.Stream(topicIn).Process(countAndEmit(stream.StreamTime, false), num("cnt")).To(topicOut)
	}, `in a x 3
		in b x 9
		in a x 12
		in b x 11
		in c x 13
		in a x 55
		in a x 56
		in a x 61`,
		`0 a 1 3
		2 a 2 12
		2 b 1 12
		5 a 3 55
		5 b 2 55
		5 c 1 55
		7 a 5 61
		7 b 2 61
		7 c 1 61`)
}

func TestPunctuate_WallClock(t *testing.T) {
	start := streamtest.Start.UnixMilli()
	script(t, func(b *stream.Builder) {
		b.Stream(topicIn).Process(countAndEmit(stream.WallClock, true), num("cnt")).To(topicOut)
	}, `advance 3
		in a x 100
		in b x 200
		advance 6
		advance 1
		in a x 100
		advance 35
		advance 4
		in a x 1
		in a x 2
		advance 6`,
		"4 a 1 "+text(start+10)+"\n4 b 1 "+text(start+10)+"\n6 a 1 "+text(start+45)+"\n10 a 2 "+text(start+55))
}

// A punctuation that is stopped, by itself or from outside, is not called again.
func TestTimer_Stop(t *testing.T) {
	ticks := func(p *stream.Processor[string, *string]) func(stream.Record[string, *string]) error {
		n := int64(0)
		var timer *stream.Timer
		timer = p.Punctuate(ms, stream.StreamTime, func(time.Time) error {
			if n++; n == 2 {
				timer.Stop()
			}
			return p.Forward("tick", countText(n))
		})
		return func(stream.Record[string, *string]) error { return nil }
	}
	script(t, func(b *stream.Builder) { b.Stream(topicIn).Process(ticks).To(topicOut) },
		"in a x 1\n in a x 5\n in a x 9", "0 tick 1 1\n 1 tick 2 5")
}

// A processor sees where its record came from, and reads a table's store.
func TestProcess_RecordAndTableStore(t *testing.T) {
	table := textStore("t")
	look := func(p *stream.Processor[string, *string]) func(stream.Record[string, *string]) error {
		rows := p.Store(table)
		return func(r stream.Record[string, *string]) error {
			row, ok, err := rows.Get(r.Key)
			if err != nil {
				return err
			}
			seen := r.Topic + "/" + text(int64(r.Partition)) + "/" + text(r.Offset) + "=" + str(row)
			if !ok && r.NoKey {
				seen += "/nokey"
			}
			return p.ForwardAt(r.Key, textOf(seen), r.Time.Add(ms))
		}
	}
	script(t, func(b *stream.Builder) {
		b.Table(topicR, table)
		b.Stream(topicL).Process(look, table).To(topicOut)
	}, `l a x 5
		r a row 1
		l a y 6
		restart
		l - z 7`,
		`0 a l/0/0=null 6
		2 a l/0/1=row 7
		3 l/0/2=null/nokey 8`)
}

// The store's iterators see it as it was when they began, in the order of its
// keys, what was written a moment ago included.
func TestKeyValue_Iterate(t *testing.T) {
	var got []string
	walk := func(p *stream.Processor[string, *string]) func(stream.Record[string, *string]) error {
		s := p.Store(num("s"))
		return func(r stream.Record[string, *string]) error {
			if err := s.Put(r.Key, int64(len(*r.Value))); err != nil {
				return err
			}
			got = nil
			for k, v := range s.Range("a", "c") {
				got = append(got, k+text(v))
				if err := s.Put("b"+k, 0); err != nil {
					return err
				}
				if err := s.Delete("b" + k); err != nil {
					return err
				}
			}
			return s.Err()
		}
	}
	d := streamtest.New(t, build(t, func(b *stream.Builder) { b.Stream(topicIn).Process(walk, num("s")) }))
	for _, k := range []string{"c", "a", "d", "b"} {
		d.Send(topicIn, k, textOf(k+k))
	}
	if want := []string{"a2", "b2", "c2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
