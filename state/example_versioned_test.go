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

// A processor that keeps what a sensor said over time, and tells by how much each
// reading differs from that of ten minutes before.
func ExampleVersioned() {
	var (
		readings = topic.New("readings", serde.String, serde.Int64)
		changes  = topic.New("changes", serde.String, serde.Int64)
		history  = state.New("history", serde.String, serde.Int64, state.Versioned(time.Hour))
	)
	differ := func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
		versions := p.Versioned(history)
		return func(r stream.Record[string, int64]) error {
			if _, _, err := versions.Put(r.Key, r.Value, r.Time); err != nil {
				return err
			}
			before, ok, err := versions.AsOf(r.Key, r.Time.Add(-10*time.Minute))
			if err != nil || !ok {
				return err
			}
			return p.Forward(r.Key, r.Value-before.Value)
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(readings).Process(differ, history).To(changes)
	}))
	nine := time.Date(2024, 1, 1, 9, 0, 0, 0, time.UTC)
	d.SendAt(readings, "attic", 20, nine)
	d.SendAt(readings, "attic", 22, nine.Add(8*time.Minute))
	d.SendAt(readings, "attic", 25, nine.Add(15*time.Minute))
	d.SendAt(readings, "attic", 21, nine.Add(4*time.Minute)) // late
	d.SendAt(readings, "attic", 26, nine.Add(16*time.Minute))
	for sensor, by := range d.Read(changes) {
		fmt.Println(sensor, by)
	}
	v, ok, err := d.Versioned(history).AsOf("attic", nine.Add(10*time.Minute))
	fmt.Println(v.Value, v.From.Format("15:04"), v.To.Format("15:04"), ok, err)
	// Output:
	// attic 5
	// attic 5
	// 22 09:08 09:15 true <nil>
}
