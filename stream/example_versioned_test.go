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

var (
	rates     = topic.New("rates", serde.String, serde.String)                                        // currency, rate
	rateStore = state.New("rates", serde.String, serde.String, state.Versioned(24*time.Hour))         // what it was, for a day
	invoices  = topic.New("invoices", serde.String, serde.String)                                     // currency, amount
	waiting   = state.New("waiting-invoices", serde.String, serde.String)                             // for late rates
	converted = topic.New("converted", serde.String, serde.String)                                    // currency, text
	nine      = time.Date(2024, 1, 1, 9, 0, 0, 0, time.UTC)                                           // of the examples
	at        = func(minutes int) time.Time { return nine.Add(time.Duration(minutes) * time.Minute) } // after nine
)

func convert(amount, rate string) string { return amount + " at " + rate }

// An invoice is converted at the rate of its own time, even if a newer one is
// known.
func ExampleJoinAsOf() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(invoices).
			JoinTable(b.Table(rates, rateStore), convert, stream.JoinAsOf()). // the default for such a table
			To(converted)
	}))
	d.SendAt(rates, "USD", "1.10", at(0))
	d.SendAt(rates, "USD", "1.20", at(30))
	d.SendAt(invoices, "USD", "100", at(10))
	d.SendAt(invoices, "USD", "200", at(40))
	for currency, v := range d.Read(converted) {
		fmt.Println(currency, v)
	}
	// Output:
	// USD 100 at 1.10
	// USD 200 at 1.20
}

// The rate as it is when the invoice is processed.
func ExampleJoinLatest() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(invoices).
			JoinTable(b.Table(rates, rateStore), convert, stream.JoinLatest()).
			To(converted)
	}))
	d.SendAt(rates, "USD", "1.10", at(0))
	d.SendAt(rates, "USD", "1.20", at(30))
	d.SendAt(invoices, "USD", "100", at(10))
	for currency, v := range d.Read(converted) {
		fmt.Println(currency, v)
	}
	// Output: USD 100 at 1.20
}

// A rate that comes late, by no more than a quarter of an hour, is found by the
// invoices it was for.
func ExampleJoinGrace() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(invoices).
			JoinTable(b.Table(rates, rateStore), convert, stream.JoinGrace(15*time.Minute, waiting)).
			To(converted)
	}))
	d.SendAt(rates, "USD", "1.10", at(0))
	d.SendAt(invoices, "USD", "100", at(10))
	d.SendAt(rates, "USD", "1.20", at(5))    // too late for a join that doesn't wait
	d.SendAt(invoices, "USD", "200", at(30)) // now the first has waited long enough
	for currency, v := range d.Read(converted) {
		fmt.Println(currency, v)
	}
	// Output: USD 100 at 1.20
}

// Every country there is gets read before the first order, whatever the times of
// the two.
func ExampleJoinTableFirst() {
	topology := stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			JoinTable(b.Table(customers, customerStore), concat, stream.JoinTableFirst()).
			To(out)
	})
	d := streamtest.MustNew(topology)
	d.SendAt(customers, "ann", " for Ann", at(30))
	d.SendAt(orders, "ann", "a book", at(0))
	for customer, v := range d.Read(out) {
		fmt.Println(customer, v)
	}
	// Output: ann a book for Ann
}

func ExampleStream_JoinTableWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(invoices).
			JoinTableWithKey(b.Table(rates, rateStore), func(currency, amount, rate string) string {
				return amount + " " + currency + " at " + rate
			}).
			To(converted)
	}))
	d.SendAt(rates, "USD", "1.10", at(0))
	d.SendAt(invoices, "USD", "100", at(10))
	for _, v := range d.Read(converted) {
		fmt.Println(v)
	}
	// Output: 100 USD at 1.10
}

func ExampleStream_LeftJoinTableWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(invoices).
			LeftJoinTableWithKey(b.Table(rates, rateStore), func(currency, amount, rate string, known bool) string {
				if !known {
					return "no rate for " + amount + " " + currency
				}
				return amount + " " + currency + " at " + rate
			}).
			To(converted)
	}))
	d.SendAt(invoices, "CHF", "100", at(10))
	for _, v := range d.Read(converted) {
		fmt.Println(v)
	}
	// Output: no rate for 100 CHF
}
