package null_test

import (
	"testing"
	"time"

	"github.com/leatstream/leat/internal/null"
)

func TestTest(t *testing.T) {
	if null.Test[string]() != nil || null.Test[int64]() != nil || null.Test[struct{ P *int }]() != nil {
		t.Error("a type without nil must have no null")
	}
	if f := null.Test[[]byte](); !f(nil) || f([]byte{}) || f([]byte("a")) {
		t.Error("[]byte: null is nil, and an empty slice is not")
	}
	n := 1
	if f := null.Test[*int](); !f(nil) || f(&n) {
		t.Error("*int: null is nil")
	}
	if f := null.Test[map[string]int](); !f(nil) || f(map[string]int{}) {
		t.Error("map: null is nil")
	}
	if f := null.Test[any](); !f(nil) || f(1) {
		t.Error("any: null is nil")
	}
}

func TestMutable(t *testing.T) {
	type flat struct {
		A int
		B string
		C [2]float64
		D time.Time
	}
	type deep struct{ F struct{ M map[string]int } }
	if null.Mutable[flat]() || null.Mutable[string]() {
		t.Error("values without references are not mutable")
	}
	if !null.Mutable[deep]() || !null.Mutable[*int]() || !null.Mutable[[]byte]() {
		t.Error("values with references are mutable")
	}
}
