package table_test

import (
	"fmt"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/topic"
)

// Each row with the number of its changes so far.
func ExampleTable_TransformValues() {
	var (
		prices   = topic.New("prices", serde.String, serde.Int64)
		latest   = state.New("latest", serde.String, serde.Int64)
		changes  = state.New("changes", serde.String, serde.Int64)
		numbered = state.New("numbered", serde.String, serde.String)
		out      = topic.New("numbered-prices", serde.String, serde.String)
	)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(prices, latest).TransformValues(numbered, func(tr *table.Transformer) func(string, int64) (string, error) {
			n := tr.Store(changes)
			return func(k string, price int64) (string, error) {
				count, _, err := n.Get(k)
				if err != nil {
					return "", err
				}
				return fmt.Sprintf("%d (change %d)", price, count+1), n.Put(k, count+1)
			}
		}, changes).To(out)
	}))
	d.Send(prices, "tea", 300)
	d.Send(prices, "tea", 320)
	for k, v := range d.Read(out) {
		fmt.Println(k, v)
	}
	// Output:
	// tea 300 (change 1)
	// tea 320 (change 2)
}
