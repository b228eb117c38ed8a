package stream_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

// failing is a processor that returns an error for the value "bad" and panics
// for "worse".
func failing(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
	return func(r stream.Record[string, string]) error {
		switch r.Value {
		case "bad":
			return fmt.Errorf("looking at %q: %w", r.Value, io.ErrUnexpectedEOF)
		case "worse":
			panic("worse")
		}
		return p.Forward(r.Key, r.Value)
	}
}

// picky is a serde that doesn't encode "unencodable".
type picky struct{}

var errPicky = errors.New("picky")

func (picky) Append(dst []byte, v string) ([]byte, error) {
	if v == "unencodable" {
		return dst, errPicky
	}
	return append(dst, v...), nil
}

func (picky) Decode(src []byte) (string, error) {
	if string(src) == "undecodable" {
		return "", errPicky
	}
	return string(src), nil
}

var (
	pickyIn  = topic.New("in", serde.String, serde.Serde[string](picky{}))
	pickyOut = topic.New("out", serde.String, serde.Serde[string](picky{}))
)

func failures(b *stream.Builder) { b.Stream(pickyIn).Process(failing).To(pickyOut) }

func build(t *testing.T, f func(*stream.Builder)) *stream.Topology {
	t.Helper()
	topo, err := stream.Build(f)
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// Each kind of failure is told with its stage, its place and its cause; a
// record that is skipped doesn't keep the others from going on.
func TestOnError_Skip(t *testing.T) {
	var met []stream.RecordError
	d := streamtest.New(t, build(t, failures), streamtest.OnError(func(e *stream.RecordError) stream.Action {
		met = append(met, *e)
		return stream.Skip
	}))
	at := time.UnixMilli(5000).UTC()
	values := []string{"good", "undecodable", "bad", "worse", "unencodable", "good"}
	for _, v := range values {
		d.SendRaw("in", []byte("k"), []byte(v), at)
	}
	if got := len(d.Records(pickyOut)); got != 2 {
		t.Errorf("%d records came through, want 2", got)
	}
	want := []struct {
		stage    stream.Stage
		operator string
		cause    error
	}{
		{stream.Decode, "Stream(in)", errPicky},
		{stream.Process, "Process#1", io.ErrUnexpectedEOF},
		{stream.Process, "Process#1", nil},
		{stream.Encode, "To(out)", errPicky},
	}
	if len(met) != len(want) {
		t.Fatalf("OnError was asked %d times, want %d", len(met), len(want))
	}
	for i, w := range want {
		e := &met[i]
		if e.Stage != w.stage || e.Operator != w.operator || e.Task != "0_0" {
			t.Errorf("failure %d is %s in %s of %s, want %s in %s", i, e.Stage, e.Operator, e.Task, w.stage, w.operator)
		}
		if e.Topic != "in" || e.Partition != 0 || e.Offset != int64(i+1) || !e.Time.Equal(at) {
			t.Errorf("failure %d is at %s-%d offset %d, %v", i, e.Topic, e.Partition, e.Offset, e.Time)
		}
		if w.cause != nil && !errors.Is(e, w.cause) {
			t.Errorf("failure %d: %v has no cause %v", i, e, w.cause)
		}
	}
	if text := met[2].Error(); !strings.Contains(text, "panic: worse") || !strings.Contains(text, "errors_test.go") {
		t.Errorf("a panic is told as %q", text)
	}
	dropped(t, d, "undecodable=1 failed=2 unencodable=1")
	if d.Err() != nil {
		t.Error(d.Err())
	}
}

// The time of a record that can't be decoded doesn't count: it may be garbage too.
func TestOnError_UndecodableMovesNoTime(t *testing.T) {
	var times []int64
	d := streamtest.New(t, build(t, func(b *stream.Builder) {
		b.Stream(topic.New("in", serde.String, serde.Int64)).Process(func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
			return func(stream.Record[string, int64]) error {
				at, _ := p.StreamTime()
				times = append(times, at.UnixMilli())
				return nil
			}
		})
	}), streamtest.OnError(func(*stream.RecordError) stream.Action { return stream.Skip }))
	number := []byte{0, 0, 0, 0, 0, 0, 0, 1}
	d.SendRaw("in", []byte("k"), number, time.UnixMilli(5))
	d.SendRaw("in", []byte("k"), number[:3], time.UnixMilli(1_000_000))
	d.SendRaw("in", []byte("k"), number, time.UnixMilli(4))
	if !slices.Equal(times, []int64{5, 5}) {
		t.Errorf("stream times are %v, want 5 and 5", times)
	}
}

func TestOnError_Fail(t *testing.T) {
	for _, v := range []string{"undecodable", "bad", "worse", "unencodable"} {
		d := streamtest.New(t, build(t, failures), streamtest.OnError(func(*stream.RecordError) stream.Action { return stream.Fail }))
		d.SendRaw("in", []byte("k"), []byte(v), d.Now())
		d.SendRaw("in", []byte("k"), []byte("good"), d.Now())
		var e *stream.RecordError
		if !errors.As(d.Err(), &e) || e.Offset != 0 {
			t.Errorf("%s: stopped by %v, want a RecordError at offset 0", v, d.Err())
		}
		if got := d.Records(pickyOut); len(got) > 0 {
			t.Errorf("%s: went on with %v", v, got)
		}
	}
}

func TestOnError_DeadLetter(t *testing.T) {
	d := streamtest.New(t, build(t, failures), streamtest.OnError(func(*stream.RecordError) stream.Action { return stream.DeadLetter }))
	at := time.UnixMilli(5000).UTC()
	d.SendRaw("in", []byte("k"), []byte("good"), at)
	d.SendRaw("in", []byte("k"), []byte("bad"), at, stream.Header{Key: "trace", Value: []byte("7")})
	d.SendRaw("in", nil, []byte("undecodable"), at)
	letters := d.Records(topic.New(streamtest.DeadLetters, serde.String, serde.String))
	if len(letters) != 2 {
		t.Fatalf("%d dead letters, want 2", len(letters))
	}
	l := letters[0]
	if l.Key != "k" || l.Value != "bad" || !l.Time.Equal(at) || !letters[1].NoKey || letters[1].Value != "undecodable" {
		t.Errorf("the letters are not as the records were: %+v", letters)
	}
	got := map[string]string{}
	for _, h := range l.Headers {
		got[h.Key] = string(h.Value)
	}
	for k, want := range map[string]string{
		"trace": "7", stream.HeaderReason: "process", stream.HeaderOperator: "Process#1",
		stream.HeaderTopic: "in", stream.HeaderPartition: "0", stream.HeaderOffset: "1",
		stream.HeaderError: `looking at "bad": unexpected EOF`,
	} {
		if got[k] != want {
			t.Errorf("header %s is %q, want %q", k, got[k], want)
		}
	}
	dropped(t, d, "undecodable=1 failed=1")
}

// A failure between records, in a punctuation or while a table tells of its
// changes at the commit, stops the app whatever OnError would say, and keeps its
// stage.
func TestOnError_BetweenRecords(t *testing.T) {
	cases := map[string]func(*stream.Builder){
		"an error of a punctuation": func(b *stream.Builder) {
			b.Stream(words).Process(func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
				p.Punctuate(time.Second, stream.StreamTime, func(time.Time) error { return io.ErrUnexpectedEOF })
				return func(stream.Record[string, string]) error { return nil }
			})
		},
		"a panic in a commit": func(b *stream.Builder) {
			b.Stream(words).GroupByKey().Count(counts).Foreach(func(string, int64, bool) { panic("worse") })
		},
	}
	for name, build := range cases {
		topo, err := stream.Build(build)
		if err != nil {
			t.Fatal(err)
		}
		d := streamtest.New(t, topo, streamtest.OnError(func(*stream.RecordError) stream.Action { return stream.Skip }))
		d.Send(words, "k", "v")
		var e *stream.RecordError
		if !errors.As(d.Err(), &e) || e.Stage != stream.Process || e.Topic != "" {
			t.Errorf("%s: %#v, want a RecordError of a function between records", name, d.Err())
			continue
		}
		if !strings.Contains(e.Error(), "between records") {
			t.Errorf("%s: %q", name, e)
		}
	}
}

func TestProcessor_StoreNotListed(t *testing.T) {
	topo := build(t, func(b *stream.Builder) { b.Stream(words).Process(dedupe) })
	defer func() {
		text := fmt.Sprint(recover())
		if !strings.Contains(text, `store "counts"`) || !strings.Contains(text, "stream/errors_test.go:") {
			t.Errorf("the driver fails with %q", text)
		}
	}()
	streamtest.MustNew(topo)
}

// A store reports what its serdes can't encode, with its name.
func TestOnError_StoreCantEncode(t *testing.T) {
	s := state.New("picky", serde.String, serde.Serde[string](picky{}))
	d := streamtest.New(t, build(t, func(b *stream.Builder) { b.Stream(words).ToTable(s) }),
		streamtest.OnError(func(*stream.RecordError) stream.Action { return stream.Fail }))
	d.Send(words, "k", "unencodable")
	var e *stream.RecordError
	if !errors.As(d.Err(), &e) || e.Stage != stream.Encode || !errors.Is(e, errPicky) || !strings.Contains(e.Error(), `"picky"`) {
		t.Errorf("got %v", d.Err())
	}
}
