package stream_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
)

// dedupe drops a word that came before, in whatever case.
func dedupe(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
	seen := p.Store(counts)
	return func(r stream.Record[string, string]) error {
		word := strings.ToLower(r.Value)
		n, _, err := seen.Get(word)
		if err != nil {
			return err
		}
		if err := seen.Put(word, n+1); err != nil {
			return err
		}
		if n > 0 {
			return nil
		}
		return p.Forward(r.Key, r.Value)
	}
}

func ExampleStream_Process() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Process(dedupe, counts).To(out)
	}))
	d.Send(words, "k", "Leat")
	d.Send(words, "k", "leat")
	for _, word := range d.Read(out) {
		fmt.Println(word)
	}
	// Output: Leat
}

// Two processors share a store by listing it both.
func ExampleProcessor_Store() {
	learn := func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
		address := p.Store(lasts)
		return func(r stream.Record[string, string]) error { return address.Put(r.Key, r.Value) }
	}
	use := func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
		address := p.Store(lasts)
		return func(r stream.Record[string, string]) error {
			to, ok, err := address.Get(r.Key)
			if err != nil || !ok {
				return err
			}
			return p.Forward(r.Key, r.Value+" to "+to)
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(customers).Process(learn, lasts)
		b.Stream(orders).Process(use, lasts).To(out)
	}))
	d.Send(customers, "ann", "Berlin")
	d.Send(orders, "ann", "a book")
	for k, v := range d.Read(out) {
		fmt.Println(k, v)
	}
	// Output: ann a book to Berlin
}

func ExampleProcessor_Forward() {
	twice := func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
		return func(r stream.Record[string, string]) error {
			if err := p.Forward(r.Key, r.Value); err != nil {
				return err
			}
			return p.Forward(r.Key, r.Value+" again")
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Process(twice).To(out)
	}))
	d.Send(words, "k", "hello")
	for _, v := range d.Read(out) {
		fmt.Println(v)
	}
	// Output:
	// hello
	// hello again
}

func ExampleProcessor_ForwardAt() {
	// A record belongs to the day it tells of, not to the one it came on.
	dayBefore := func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
		return func(r stream.Record[string, string]) error {
			return p.ForwardAt(r.Key, r.Value, r.Time.AddDate(0, 0, -1))
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Process(dayBefore).To(out)
	}))
	d.Send(words, "k", "report")
	for _, r := range d.Records(out) {
		fmt.Println(r.Value, r.Time.Format(time.DateOnly))
	}
	// Output: report 2023-12-31
}

func ExampleProcessor_ForwardRecord() {
	sign := func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
		return func(r stream.Record[string, string]) error {
			// Clip, or the append could write where others read.
			r.Headers = append(slices.Clip(r.Headers), stream.Header{Key: "by", Value: []byte("leat")})
			return p.ForwardRecord(r)
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Process(sign).To(out)
	}))
	d.Send(words, "k", "report")
	for _, r := range d.Records(out) {
		fmt.Printf("%s %s=%s\n", r.Value, r.Headers[0].Key, r.Headers[0].Value)
	}
	// Output: report by=leat
}

// Sensors that were silent for an hour are reported, once.
func ExampleProcessor_Punctuate() {
	lastSeen := state.New("last-seen", serde.String, serde.Int64)
	silence := func(p *stream.Processor[string, string]) func(stream.Record[string, int64]) error {
		seen := p.Store(lastSeen)
		p.Punctuate(time.Minute, stream.WallClock, func(now time.Time) error {
			for sensor, at := range seen.All() {
				if now.Sub(time.Unix(at, 0)) < time.Hour {
					continue
				}
				if err := p.Forward(sensor, "silent"); err != nil {
					return err
				}
				if err := seen.Delete(sensor); err != nil {
					return err
				}
			}
			return seen.Err()
		})
		return func(r stream.Record[string, int64]) error { return seen.Put(r.Key, r.Time.Unix()) }
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(readings).Process(silence, lastSeen).To(out)
	}))
	d.Send(readings, "oven", 180)
	d.Advance(45 * time.Minute)
	d.Send(readings, "fridge", 4)
	d.Advance(45 * time.Minute)
	for sensor, v := range d.Read(out) {
		fmt.Println(sensor, v)
	}
	// Output: oven silent
}

func ExampleProcessor_StreamTime() {
	behind := func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
		return func(r stream.Record[string, string]) error {
			newest, _ := p.StreamTime()
			return p.Forward(r.Key, newest.Sub(r.Time).String())
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Process(behind).To(out)
	}))
	d.Send(words, "new", "")
	d.SendAt(words, "old", "", d.Now().Add(-time.Minute))
	for k, v := range d.Read(out) {
		fmt.Println(k, "record is behind by", v)
	}
	// Output:
	// new record is behind by 0s
	// old record is behind by 1m0s
}

func ExampleProcessor_Now() {
	age := func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
		return func(r stream.Record[string, string]) error {
			return p.Forward(r.Key, p.Now().Sub(r.Time).String())
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Process(age).To(out)
	}))
	d.SendAt(words, "k", "v", d.Now().Add(-time.Hour))
	for _, v := range d.Read(out) {
		fmt.Println("the record is", v, "old")
	}
	// Output: the record is 1h0m0s old
}

func ExampleProcessor_Partition() {
	where := func(p *stream.Processor[string, int64]) func(stream.Record[string, string]) error {
		return func(r stream.Record[string, string]) error { return p.Forward(r.Key, int64(p.Partition())) }
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Process(where).To(totals)
	}))
	d.Send(words, "k", "v")
	for k, partition := range d.Read(totals) {
		fmt.Println(k, "is in partition", partition)
	}
	// Output: k is in partition 0
}

func ExampleProcessor_OnClose() {
	counting := func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
		n := 0 // of this task, since it came here
		p.OnClose(func() error {
			fmt.Println("records:", n)
			return nil
		})
		return func(stream.Record[string, string]) error {
			n++
			return nil
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Process(counting)
	}))
	d.Send(words, "k", "v")
	d.Restart() // ends the task, and begins it anew
	// Output: records: 1
}

func ExampleProcessor_Context() {
	// ask is a call over the network, which ends when the task is to end.
	ask := func(c context.Context, word string) (string, error) { return "answer to " + word, c.Err() }

	asking := func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
		return func(r stream.Record[string, string]) error {
			answer, err := ask(p.Context(), r.Value)
			if err != nil {
				return err
			}
			return p.Forward(r.Key, answer)
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Process(asking).To(out)
	}))
	d.Send(words, "k", "why")
	for _, v := range d.Read(out) {
		fmt.Println(v)
	}
	// Output: answer to why
}
