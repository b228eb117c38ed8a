package cache

import (
	"slices"
	"sort"
)

// order is a sorted set of database keys: those of a store that memory has and
// the database lacks. Iterations merge it with what the database holds. It is
// kept from the first iteration on, so that stores which are never walked through
// pay nothing.
type order struct {
	on     bool
	chunks [][]string // none is empty, each sorted, all of one before all of the next
}

const orderChunk = 512

func (o *order) add(key string) {
	if len(o.chunks) == 0 {
		o.chunks = append(o.chunks, append(make([]string, 0, orderChunk), key))
		return
	}
	// The last chunk that begins at or before the key, or the first.
	i := max(0, sort.Search(len(o.chunks), func(i int) bool { return o.chunks[i][0] > key })-1)
	c := o.chunks[i]
	at, found := slices.BinarySearch(c, key)
	if found {
		return
	}
	c = slices.Insert(c, at, key)
	if len(c) >= orderChunk {
		half := len(c) / 2
		o.chunks = slices.Insert(o.chunks, i+1, append(make([]string, 0, orderChunk), c[half:]...))
		c = c[:half:half]
	}
	o.chunks[i] = c
}

// scan yields the keys in [lo, hi), in order.
func (o *order) scan(lo, hi string, yield func(key string)) {
	i := max(0, sort.Search(len(o.chunks), func(i int) bool { return o.chunks[i][0] > lo })-1)
	for ; i < len(o.chunks); i++ {
		c := o.chunks[i]
		at, _ := slices.BinarySearch(c, lo)
		for ; at < len(c); at++ {
			if c[at] >= hi {
				return
			}
			yield(c[at])
		}
	}
}

func (o *order) clear() { o.chunks = nil }
