package stream_test

import (
	"fmt"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

// show prints what was written to a topic.
func show[K, V any](d *streamtest.Driver, from topic.Topic[K, V]) {
	for k, v := range d.Read(from) {
		fmt.Println(k, v)
	}
}

var (
	deposits = topic.New("deposits", serde.String, serde.Int64)
	postings = topic.New("postings", serde.String, serde.Int64)
	refunded = topic.New("refunded", serde.String, serde.Int64)
	refunds  = stream.NewOutput[string, int64]("refunds")
)

// The total of each account, under its key.
func ExampleStream_ProcessValues() {
	totals := state.New("totals", serde.String, serde.Int64)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(deposits).ProcessValues(func(p *stream.ValueProcessor[string, int64]) func(stream.Record[string, int64]) error {
			total := p.Store(totals)
			return func(r stream.Record[string, int64]) error {
				sum, _, err := total.Get(r.Key)
				if err != nil {
					return err
				}
				if err := total.Put(r.Key, sum+r.Value); err != nil {
					return err
				}
				return p.Forward(sum + r.Value)
			}
		}, totals).To(postings)
	}))
	d.Send(deposits, "ann", 100)
	d.Send(deposits, "ann", -30)
	show(d, postings)
	// Output:
	// ann 100
	// ann 70
}

// A processor with two outputs of their own types.
func ExampleStream_Output() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		posted := b.Stream(deposits).Process(func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
			back := p.Output(refunds)
			return func(r stream.Record[string, int64]) error {
				if r.Value < 0 {
					return back.Forward(r.Key, -r.Value)
				}
				return p.Forward(r.Key, r.Value)
			}
		})
		posted.To(postings)
		posted.Output(refunds).To(refunded)
	}))
	d.Send(deposits, "ann", 100)
	d.Send(deposits, "ann", -30)
	show(d, postings)
	show(d, refunded)
	// Output:
	// ann 100
	// ann 30
}

func ExampleProcessor_Output() { ExampleStream_Output() }

func ExampleForwarder_Forward() { ExampleStream_Output() }

// forwards runs a processor that forwards each payment in some way.
func forwards(forward func(back *stream.Forwarder[string, int64], r stream.Record[string, int64]) error) {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(deposits).ProcessValues(func(p *stream.ValueProcessor[string, int64]) func(stream.Record[string, int64]) error {
			back := p.Output(refunds)
			return func(r stream.Record[string, int64]) error { return forward(back, r) }
		}).Output(refunds).To(refunded)
	}))
	d.SendAt(deposits, "ann", 100, time.Unix(10, 0))
	for _, r := range d.Records(refunded) {
		fmt.Println(r.Key, r.Value, r.Time.Unix(), len(r.Headers))
	}
}

func ExampleForwarder_ForwardAt() {
	forwards(func(back *stream.Forwarder[string, int64], r stream.Record[string, int64]) error {
		return back.ForwardAt(r.Key, r.Value, r.Time.Add(time.Second))
	})
	// Output: ann 100 11 0
}

func ExampleForwarder_ForwardRecord() {
	forwards(func(back *stream.Forwarder[string, int64], r stream.Record[string, int64]) error {
		r.Headers = append(r.Headers, stream.Header{Key: "checked"})
		return back.ForwardRecord(r)
	})
	// Output: ann 100 10 1
}

func ExampleValueProcessor_Output() {
	forwards(func(back *stream.Forwarder[string, int64], r stream.Record[string, int64]) error {
		return back.Forward("to "+r.Key, r.Value)
	})
	// Output: to ann 100 10 0
}

// valued runs a processor of values that forwards each payment in some way.
func valued(forward func(p *stream.ValueProcessor[string, int64], r stream.Record[string, int64]) error) {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(deposits).ProcessValues(func(p *stream.ValueProcessor[string, int64]) func(stream.Record[string, int64]) error {
			return func(r stream.Record[string, int64]) error { return forward(p, r) }
		}).To(postings)
	}))
	d.SendAt(deposits, "ann", 100, time.Unix(10, 0))
	for _, r := range d.Records(postings) {
		fmt.Println(r.Key, r.Value, r.Time.Unix(), len(r.Headers))
	}
}

func ExampleValueProcessor_Forward() {
	valued(func(p *stream.ValueProcessor[string, int64], r stream.Record[string, int64]) error {
		return p.Forward(r.Value * 2)
	})
	// Output: ann 200 10 0
}

func ExampleValueProcessor_ForwardAt() {
	valued(func(p *stream.ValueProcessor[string, int64], r stream.Record[string, int64]) error {
		return p.ForwardAt(r.Value, r.Time.Add(time.Second))
	})
	// Output: ann 100 11 0
}

func ExampleValueProcessor_ForwardWith() {
	valued(func(p *stream.ValueProcessor[string, int64], r stream.Record[string, int64]) error {
		return p.ForwardWith(r.Value, r.Time, stream.Header{Key: "checked"})
	})
	// Output: ann 100 10 1
}

var (
	shops    = topic.New("shops", serde.String, serde.String) // shop -> city
	byCity   = state.New("shops-by-city", serde.String, serde.String)
	question = topic.New("questions", serde.String, serde.String) // "" -> city
	reply    = topic.New("replies", serde.String, serde.String)
)

// indexShops keeps the last shop of each city.
func indexShops(w *stream.GlobalWriter[string, string]) func(stream.Record[string, string]) error {
	return func(r stream.Record[string, string]) error {
		if r.Value == "closed" {
			for city, shop := range w.All() {
				if shop == r.Key {
					return w.Delete(city)
				}
			}
			return nil
		}
		return w.Put(r.Value, r.Key)
	}
}

// Every instance holds an index of all shops, which any record may ask.
func ExampleBuilder_GlobalStore() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		index := b.GlobalStore(shops, byCity, indexShops)
		b.Stream(question).ProcessValues(func(p *stream.ValueProcessor[string, string]) func(stream.Record[string, string]) error {
			view := p.Global(index)
			return func(r stream.Record[string, string]) error {
				shop, ok, err := view.Get(r.Value)
				if err != nil {
					return err
				}
				return p.Forward(fmt.Sprintf("%q %t, of %d", shop, ok, view.Len()))
			}
		}).To(reply)
	}))
	d.Send(shops, "S1", "Berlin")
	d.Send(shops, "S2", "Paris")
	d.Send(shops, "S1", "closed")
	d.Send(question, "q1", "Berlin")
	d.Send(question, "q2", "Paris")
	show(d, reply)
	// Output:
	// q1 "" false, of 1
	// q2 "S2" true, of 1
}

func ExampleGlobalWriter_Put()      { ExampleBuilder_GlobalStore() }
func ExampleGlobalWriter_Delete()   { ExampleBuilder_GlobalStore() }
func ExampleValueProcessor_Global() { ExampleBuilder_GlobalStore() }
func ExampleView_Get()              { ExampleBuilder_GlobalStore() }
func ExampleView_Len()              { ExampleBuilder_GlobalStore() }

// A global table as a processor reads it.
func ExampleProcessor_Global() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		table := b.GlobalTable(shops)
		b.Stream(question).Process(func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
			view := p.Global(table)
			return func(stream.Record[string, string]) error {
				for shop, city := range view.All() {
					at, _, err := view.Time(shop)
					if err != nil {
						return err
					}
					if err := p.Forward(shop, fmt.Sprint(city, " since ", at.Unix())); err != nil {
						return err
					}
				}
				return nil
			}
		}).To(reply)
	}))
	d.SendAt(shops, "S2", "Paris", time.Unix(20, 0))
	d.SendAt(shops, "S1", "Berlin", time.Unix(10, 0))
	d.Send(question, "", "")
	show(d, reply)
	// Output:
	// S1 Berlin since 10
	// S2 Paris since 20
}

func ExampleView_All()  { ExampleProcessor_Global() }
func ExampleView_Time() { ExampleProcessor_Global() }

// Whoever hasn't been seen for half an hour has logged out.
func ExampleBuilder_Expired() {
	var (
		clicks   = topic.New("clicks", serde.String, serde.String)
		lastSeen = state.New("last-seen", serde.String, serde.String, state.TTL(30*time.Minute))
		left     = topic.New("left", serde.String, serde.String)
	)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).ToTable(lastSeen)
		b.Expired(lastSeen).To(left)
	}))
	d.SendAt(clicks, "ann", "home", time.Unix(0, 0))
	d.SendAt(clicks, "bob", "home", time.Unix(60, 0))
	d.SendAt(clicks, "ann", "cart", time.Unix(600, 0))
	d.SendAt(clicks, "cid", "home", time.Unix(2000, 0))
	show(d, left)
	// Output: bob home
}
