package minheap

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type number int

func (a number) Before(b number) bool { return a < b }

// Whatever is pushed and popped in between, the first is the least.
func TestHeap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Heap[number]
		var model []number
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			if len(model) > 0 && rapid.Bool().Draw(t, "pop") {
				if got := h.Pop(); got != model[0] {
					t.Fatalf("popped %d of %v", got, model)
				}
				model = model[1:]
			} else {
				n := number(rapid.IntRange(0, 20).Draw(t, "number"))
				h.Push(n)
				model = append(model, n)
				slices.Sort(model)
			}
			if len(h) != len(model) || len(h) > 0 && h[0] != model[0] {
				t.Fatalf("%v, want %v", h, model)
			}
		}
	})
}
