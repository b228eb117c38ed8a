package stream_test

import (
	"fmt"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

var (
	orders    = topic.New("orders", serde.String, serde.String)   // customer, goods
	payments  = topic.New("payments", serde.String, serde.String) // customer, amount
	customers = topic.New("customers", serde.String, serde.String)
	prices    = topic.New("prices", serde.String, serde.String) // goods, price

	customerStore = state.New("customers", serde.String, serde.String)
	paid          = state.NewJoin("paid", serde.String, serde.String, serde.String)
)

func ExampleStream_Join() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			Join(b.Stream(payments), window.Within(time.Hour), paid,
				func(order, payment string) string { return order + " for " + payment }).
			To(out)
	}))
	d.Send(orders, "ann", "a book")
	d.Advance(20 * time.Minute)
	d.Send(payments, "ann", "12 €")
	d.Advance(2 * time.Hour)
	d.Send(payments, "ann", "99 €") // no order within an hour
	for customer, v := range d.Read(out) {
		fmt.Println(customer, v)
	}
	// Output: ann a book for 12 €
}

func ExampleStream_LeftJoin() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			LeftJoin(b.Stream(payments), window.Within(time.Hour), paid,
				func(order, payment string, known bool) string {
					if !known {
						return order + " was not paid"
					}
					return order + " for " + payment
				}).
			To(out)
	}))
	d.Send(orders, "ann", "a book")
	d.Send(orders, "bob", "a pen")
	d.Send(payments, "ann", "12 €")
	d.Advance(2 * time.Hour)
	d.Send(orders, "eve", "a lamp") // moves stream time on: bob's hour is over
	for customer, v := range d.Read(out) {
		fmt.Println(customer, v)
	}
	// Output:
	// ann a book for 12 €
	// bob a pen was not paid
}

func ExampleStream_JoinTable() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			JoinTable(b.Table(customers, customerStore),
				func(order, address string) string { return order + " to " + address }).
			To(out)
	}))
	d.Send(customers, "ann", "Berlin")
	d.Send(orders, "ann", "a book")
	d.Send(orders, "bob", "a pen") // bob is unknown
	for customer, v := range d.Read(out) {
		fmt.Println(customer, v)
	}
	// Output: ann a book to Berlin
}

func ExampleStream_LeftJoinTable() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			LeftJoinTable(b.Table(customers, customerStore),
				func(order, address string, known bool) string {
					if !known {
						return order + " to be collected"
					}
					return order + " to " + address
				}).
			To(out)
	}))
	d.Send(customers, "ann", "Berlin")
	d.Send(orders, "ann", "a book")
	d.Send(orders, "bob", "a pen")
	for customer, v := range d.Read(out) {
		fmt.Println(customer, v)
	}
	// Output:
	// ann a book to Berlin
	// bob a pen to be collected
}

func ExampleStream_JoinGlobal() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			JoinGlobal(b.GlobalTable(prices),
				func(_, goods string) string { return goods }, // the row's key
				func(goods, price string) string { return goods + ": " + price }).
			To(out)
	}))
	d.Send(prices, "a book", "12 €")
	d.Send(orders, "ann", "a book")
	for customer, v := range d.Read(out) {
		fmt.Println(customer, v)
	}
	// Output: ann a book: 12 €
}

func ExampleStream_LeftJoinGlobal() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			LeftJoinGlobal(b.GlobalTable(prices),
				func(_, goods string) string { return goods },
				func(goods, price string, known bool) string {
					if !known {
						price = "ask for the price"
					}
					return goods + ": " + price
				}).
			To(out)
	}))
	d.Send(prices, "a book", "12 €")
	d.Send(orders, "ann", "a book")
	d.Send(orders, "bob", "a castle")
	for customer, v := range d.Read(out) {
		fmt.Println(customer, v)
	}
	// Output:
	// ann a book: 12 €
	// bob a castle: ask for the price
}
