package serde_test

import (
	"fmt"
	"strconv"

	"github.com/leatstream/leat/serde"
)

type Order struct {
	ID     string `json:"id"`
	Amount int    `json:"amount"`
}

func ExampleJSON() {
	orders := serde.JSON[Order]()

	b, err := orders.Append(nil, Order{ID: "a1", Amount: 7})
	fmt.Printf("%s %v\n", b, err)

	_, err = orders.Decode([]byte(`{"id": 5}`))
	fmt.Println(err != nil)
	// Output:
	// {"id":"a1","amount":7} <nil>
	// true
}

func ExampleMsgpack() {
	orders := serde.Msgpack[Order]()
	b, err := orders.Append(nil, Order{ID: "a1", Amount: 7})
	fmt.Println(len(b), err)
	o, err := orders.Decode(b)
	fmt.Println(o, err)
	// Output:
	// 15 <nil>
	// {a1 7} <nil>
}

func ExampleFunc() {
	hex := serde.Func(
		func(dst []byte, v int64) ([]byte, error) { return strconv.AppendInt(dst, v, 16), nil },
		func(src []byte) (int64, error) { return strconv.ParseInt(string(src), 16, 64) },
	)
	b, _ := hex.Append(nil, 255)
	v, _ := hex.Decode(b)
	fmt.Printf("%s %d\n", b, v)
	// Output: ff 255
}

func ExamplePointer() {
	// A nil *Order is null, in a table a deletion; an Order has no null.
	orders := serde.Pointer(serde.JSON[Order]())
	b, _ := orders.Append(nil, &Order{ID: "a1"})
	fmt.Printf("%s\n", b)
	// Output: {"id":"a1","amount":0}
}
