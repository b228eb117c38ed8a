// Package minheap is a binary heap of typed elements: what comes first is found at
// once, and taken out in logarithmic time. Unlike container/heap it boxes nothing,
// so it may be used for each record. It is not for elements that change or leave
// from the middle; the first one may change (see Sink).
package minheap

// Ordered says which of two elements comes first.
type Ordered[T any] interface{ Before(T) bool }

// Heap is a heap; its zero value is empty, and its first element is that which
// comes first. The order of equal elements is that of the textbook's heap in an
// array, the one Java's PriorityQueue has too.
type Heap[T Ordered[T]] []T

// Push adds an element.
func (h *Heap[T]) Push(x T) {
	*h = append(*h, x)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s[i].Before(s[parent]) {
			return
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

// Pop takes the first element of a heap that isn't empty.
func (h *Heap[T]) Pop() T {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	var zero T
	s[last] = zero
	*h = s[:last]
	h.Sink()
	return top
}

// Sink restores the order after the first element was changed to come later.
func (h *Heap[T]) Sink() {
	s := *h
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(s) {
			return
		}
		if child+1 < len(s) && s[child+1].Before(s[child]) {
			child++
		}
		if !s[child].Before(s[i]) {
			return
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}
