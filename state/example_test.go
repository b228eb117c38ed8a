package state_test

import (
	"fmt"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

// A store is declared once, listed where a processor uses it, and opened by
// that.
func Example() {
	var (
		deposits = topic.New("deposits", serde.String, serde.Int64)
		balances = state.New("balances", serde.String, serde.Int64)
	)
	post := func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
		balance := p.Store(balances)
		return func(r stream.Record[string, int64]) error {
			have, _, err := balance.Get(r.Key)
			if err != nil {
				return err
			}
			return balance.Put(r.Key, have+r.Value)
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(deposits).Process(post, balances)
	}))
	d.Send(deposits, "ann", 100)
	d.Send(deposits, "ann", -30)
	fmt.Println(d.Store(balances).Get("ann"))
	// Output: 70 true <nil>
}

func ExampleStore_Check() {
	bad := state.New("no spaces", serde.String, serde.Int64)
	fmt.Println(bad.Check() != nil)

	var zero state.Store[string, int64]
	fmt.Println(zero.Check())
	// Output:
	// true
	// a zero store: declare it with state.New or state.NewJoin
}

func ExampleKeyValue_Range() {
	var (
		readings = topic.New("readings", serde.String, serde.Int64)
		latest   = state.New("latest", serde.String, serde.Int64)
	)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(readings, latest)
	}))
	for i, sensor := range []string{"kitchen/oven", "attic", "kitchen/fridge", "cellar"} {
		d.Send(readings, sensor, int64(i))
	}
	s := d.Store(latest)
	for sensor, v := range s.Range("b", "kitchen/g") {
		fmt.Println(sensor, v)
	}
	fmt.Println(s.Err())
	// Output:
	// cellar 3
	// kitchen/fridge 2
	// <nil>
}
