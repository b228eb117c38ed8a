package table_test

import (
	"fmt"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

func ExampleTable_Materialize() {
	stock := topic.New("stock", serde.String, serde.Int64)
	all := state.New("stock", serde.String, serde.Int64)
	low := state.New("low", serde.String, serde.Int64)

	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(stock, all).
			Filter(func(_ string, n int64) bool { return n < 10 }).
			Materialize(low)
	}))
	d.Send(stock, "lamp", 3)
	d.Send(stock, "chair", 30)
	d.Send(stock, "table", 9)
	d.Send(stock, "lamp", 12)
	for k, n := range d.Store(low).All() {
		fmt.Println(k, n)
	}
	// Output: table 9
}
