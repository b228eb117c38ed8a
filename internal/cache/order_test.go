package cache

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The order is a sorted set, however large.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o order
		model := map[string]bool{}
		wide := rapid.SampledFrom([]int{10, 3000}).Draw(t, "keys")
		for range rapid.IntRange(0, 2000).Draw(t, "adds") {
			k := fmt.Sprint(rapid.IntRange(0, wide).Draw(t, "key"))
			o.add(k)
			model[k] = true
		}
		lo, hi := fmt.Sprint(rapid.IntRange(0, wide).Draw(t, "lo")), fmt.Sprint(rapid.IntRange(0, wide).Draw(t, "hi"))
		var got []string
		o.scan(lo, hi, func(k string) { got = append(got, k) })
		maps.DeleteFunc(model, func(k string, _ bool) bool { return k < lo || k >= hi })
		if want := slices.Sorted(maps.Keys(model)); !slices.Equal(got, want) {
			t.Fatalf("[%s, %s) is %v, want %v", lo, hi, got, want)
		}
	})
}
