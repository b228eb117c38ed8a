package stream_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

func ExampleStream_OuterJoin() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			OuterJoin(b.Stream(payments), window.Within(time.Hour), paid,
				func(order string, ordered bool, payment string, paid bool) string {
					switch {
					case !ordered:
						return payment + " for nothing"
					case !paid:
						return order + " was not paid"
					}
					return order + " for " + payment
				}).
			To(out)
	}))
	d.Send(orders, "ann", "a book")
	d.Send(payments, "ann", "12 €")
	d.Send(orders, "bob", "a pen")
	d.Send(payments, "eve", "3 €")
	d.Advance(2 * time.Hour)
	d.Send(orders, "dan", "a lamp") // moves stream time on
	for customer, v := range d.Read(out) {
		fmt.Println(customer, v)
	}
	// Output:
	// ann a book for 12 €
	// eve 3 € for nothing
	// bob a pen was not paid
}

func ExampleStream_JoinWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			JoinWithKey(b.Stream(payments), window.Within(time.Hour), paid,
				func(customer, order, payment string) string { return customer + " gave " + payment + " for " + order }).
			To(out)
	}))
	d.Send(orders, "ann", "a book")
	d.Send(payments, "ann", "12 €")
	for _, v := range d.Read(out) {
		fmt.Println(v)
	}
	// Output: ann gave 12 € for a book
}

func ExampleStream_LeftJoinWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			LeftJoinWithKey(b.Stream(payments), window.Within(time.Hour), paid,
				func(customer, order, payment string, known bool) string {
					if !known {
						return "remind " + customer + " of " + order
					}
					return "send " + order + " to " + customer
				}).
			To(out)
	}))
	d.Send(orders, "ann", "a book")
	d.Advance(2 * time.Hour)
	d.Send(orders, "bob", "a pen")
	for _, v := range d.Read(out) {
		fmt.Println(v)
	}
	// Output: remind ann of a book
}

func ExampleStream_OuterJoinWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			OuterJoinWithKey(b.Stream(payments), window.Within(time.Hour), paid,
				func(customer, order string, ordered bool, payment string, paid bool) string {
					return fmt.Sprintf("%s ordered %t paid %t", customer, ordered, paid)
				}).
			To(out)
	}))
	d.Send(payments, "eve", "3 €")
	d.Advance(2 * time.Hour)
	d.Send(orders, "dan", "a lamp")
	for _, v := range d.Read(out) {
		fmt.Println(v)
	}
	// Output: eve ordered false paid true
}

func ExampleStream_JoinGlobalWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			JoinGlobalWithKey(b.GlobalTable(prices),
				func(_, goods string) string { return goods },
				func(customer, goods, price string) string { return customer + " owes " + price + " for " + goods }).
			To(out)
	}))
	d.Send(prices, "a book", "12 €")
	d.Send(orders, "ann", "a book")
	for _, v := range d.Read(out) {
		fmt.Println(v)
	}
	// Output: ann owes 12 € for a book
}

func ExampleStream_LeftJoinGlobalWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).
			LeftJoinGlobalWithKey(b.GlobalTable(prices),
				func(_, goods string) string { return goods },
				func(customer, goods, price string, known bool) string {
					if !known {
						return customer + " asks for the price of " + goods
					}
					return customer + " owes " + price
				}).
			To(out)
	}))
	d.Send(orders, "bob", "a castle")
	for _, v := range d.Read(out) {
		fmt.Println(v)
	}
	// Output: bob asks for the price of a castle
}

// A visit that gives no user has no key to be joined by, and is a result of the
// left join all the same.
func ExampleStream_RepartitionAll() {
	var (
		text    = serde.Pointer(serde.String)
		visits  = topic.New("visits", serde.String, serde.String) // address, "user page"
		logins  = topic.New("logins", text, serde.String)         // user, device
		byUser  = topic.New("visits-by-user", text, serde.String)
		results = topic.New("results", text, serde.String)
		seen    = state.NewJoin("seen", text, serde.String, serde.String)
	)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(visits).
			SelectKey(func(_, visit string) *string {
				user, _, known := strings.Cut(visit, " ")
				if !known {
					return nil
				}
				return &user
			}).
			RepartitionAll(byUser).
			LeftJoin(b.Stream(logins), window.Within(time.Hour), seen,
				func(visit, device string, known bool) string {
					if !known {
						device = "an unknown device"
					}
					return visit + " on " + device
				}).
			To(results)
	}))
	ann := "ann"
	d.Send(logins, &ann, "a phone")
	d.Send(visits, "10.0.0.1", "ann /start")
	d.Send(visits, "10.0.0.2", "/start")
	for _, v := range d.Read(results) {
		fmt.Println(v)
	}
	// Output:
	// ann /start on a phone
	// /start on an unknown device
}
