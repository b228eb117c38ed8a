package streamtest_test

import (
	"fmt"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

var (
	orders = topic.New("orders", serde.String, serde.Int64)
	sums   = topic.New("sums", serde.String, serde.Int64)
	byUser = state.New("by-user", serde.String, serde.Int64)
)

func sum(row, v int64) int64 { return row + v }

// In a test, make the driver with New(t, topology): it reports to t.
func Example() {
	topology := stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).GroupByKey().Reduce(byUser, sum).To(sums)
	})
	d := streamtest.MustNew(topology)
	d.Send(orders, "ann", 10)
	d.Advance(time.Minute)
	d.Restart() // state comes back from the changelog
	d.Send(orders, "ann", 5)

	for _, r := range d.Records(sums) {
		fmt.Println(r.Key, r.Value, r.Time.Format(time.TimeOnly))
	}
	fmt.Println(d.Store(byUser).Get("ann"))
	// Output:
	// ann 10 00:00:00
	// ann 15 00:01:00
	// 15 true <nil>
}

func ExampleOnError() {
	topology := stream.MustBuild(func(b *stream.Builder) { b.Stream(orders).To(sums) })
	d := streamtest.MustNew(topology, streamtest.OnError(func(e *stream.RecordError) stream.Action {
		fmt.Println(e.Stage, "in", e.Operator)
		return stream.Skip
	}))
	d.SendRaw("orders", []byte("ann"), []byte("ten"), d.Now()) // not 8 bytes
	d.Send(orders, "ann", 10)
	for k, v := range d.Read(sums) {
		fmt.Println(k, v)
	}
	// Output:
	// decode in Stream(orders)
	// ann 10
}
