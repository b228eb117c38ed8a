package state_test

import (
	"fmt"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

// An order that isn't paid within an hour gets a reminder.
func ExampleTimers() {
	var (
		orders    = topic.New("orders", serde.String, serde.String)
		reminders = topic.New("reminders", serde.String, serde.String)
		unpaid    = state.NewTimers("unpaid", serde.String)
	)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).Process(func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
			timers := p.Timers(unpaid, func(order string, due time.Time) error {
				return p.Forward(order, "unpaid since "+due.Add(-time.Hour).Format("15:04"))
			})
			return func(r stream.Record[string, string]) error {
				if r.Value == "paid" {
					return timers.Cancel(r.Key)
				}
				return timers.Set(r.Key, r.Time.Add(time.Hour))
			}
		}, unpaid).To(reminders)
	}))
	noon := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	d.SendAt(orders, "A", "placed", noon)
	d.SendAt(orders, "B", "placed", noon.Add(5*time.Minute))
	d.Restart() // timers survive it
	d.SendAt(orders, "A", "paid", noon.Add(30*time.Minute))
	d.SendAt(orders, "C", "placed", noon.Add(2*time.Hour))
	for order, text := range d.Read(reminders) {
		fmt.Println(order, text)
	}
	// Output: B unpaid since 12:05
}

// A window store as a log of the last minute.
func ExampleWindow_Fetch() {
	var (
		readings = topic.New("readings", serde.String, serde.Int64)
		peaks    = topic.New("peaks", serde.String, serde.Int64)
		recent   = state.NewWindow("recent", serde.String, serde.Int64, 5*time.Minute, time.Second).KeepAll()
	)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(readings).ProcessValues(func(p *stream.ValueProcessor[string, int64]) func(stream.Record[string, int64]) error {
			log := p.Window(recent)
			return func(r stream.Record[string, int64]) error {
				if err := log.Put(r.Key, r.Value, r.Time); err != nil {
					return err
				}
				peak := r.Value
				for _, v := range log.Fetch(r.Key, r.Time.Add(-time.Minute), r.Time) {
					peak = max(peak, v)
				}
				return p.Forward(peak)
			}
		}, recent).To(peaks)
	}))
	for i, v := range []int64{3, 7, 5, 2} {
		d.SendAt(readings, "oven", v, time.Unix(int64(i)*40, 0))
	}
	for _, peak := range d.Read(peaks) {
		fmt.Println(peak)
	}
	// Output:
	// 3
	// 7
	// 7
	// 5
}

// The rows of a composite key by its first part.
func ExampleKeyValue_Prefix() {
	var (
		readings = topic.New("readings", serde.String, serde.Int64)
		latest   = state.New("latest", serde.String, serde.Int64)
	)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(readings, latest)
	}))
	for i, sensor := range []string{"kitchen/oven", "attic/fan", "kitchen/fridge", "kitchenette/tap"} {
		d.Send(readings, sensor, int64(i))
	}
	s := d.Store(latest)
	for sensor, v := range s.Prefix("kitchen/", serde.String) {
		fmt.Println(sensor, v)
	}
	fmt.Println(s.Err())
	// Output:
	// kitchen/fridge 2
	// kitchen/oven 0
	// <nil>
}
