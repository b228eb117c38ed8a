package state_test

import (
	"fmt"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
)

func ExampleNewForeign() {
	// Orders by number refer to customers by name, whose rows are texts.
	byCustomer := state.NewForeign("by-customer", serde.Int64, serde.String, serde.String)
	fmt.Println(byCustomer.Name(), byCustomer.Check())
	// Output: by-customer <nil>
}
