package stream

import (
	"cmp"
	"errors"

	"github.com/leatstream/leat/serde"
)

// sided is a record as the store of its side keeps it: with the mark that it has
// joined none yet, and that somebody waits to hear.
type sided[V any] struct {
	value V
	waits bool
}

// sidedSerde puts the mark before the value, unless it is bare: a right side has
// no marks but in an outer join.
type sidedSerde[V any] struct {
	value serde.Serde[V]
	bare  bool
}

func (s sidedSerde[V]) Append(dst []byte, v sided[V]) ([]byte, error) {
	if s.bare {
		return s.value.Append(dst, v.value)
	}
	mark := byte(0)
	if v.waits {
		mark = 1
	}
	return s.value.Append(append(dst, mark), v.value)
}

var errNoMark = errors.New("a record of a join without its mark")

func (s sidedSerde[V]) Decode(src []byte) (v sided[V], err error) {
	if s.bare {
		v.value, err = s.value.Decode(src)
		return v, err
	}
	if len(src) == 0 || src[0] > 1 {
		return v, errNoMark
	}
	v.waits = src[0] == 1
	v.value, err = s.value.Decode(src[1:])
	return v, err
}

// Clone implements serde.Cloner.
func (s sidedSerde[V]) Clone(v sided[V]) sided[V] {
	if c, ok := s.value.(serde.Cloner[V]); ok {
		v.value = c.Clone(v.value)
	}
	return v
}

// waiting is a record that has joined none yet.
type waiting[K any] struct {
	key K
	waitingID
}

// waitingID tells the records of one side apart.
type waitingID struct {
	encoded string // key
	time    int64
	sub     int64
}

// pendingHeap is a binary heap in order of time, then of encoded key, so that
// results come in the same order whatever came before. (container/heap would
// box every record.)
type pendingHeap[K any] []waiting[K]

func (a waitingID) compare(b waitingID) int {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.encoded, b.encoded), cmp.Compare(a.sub, b.sub))
}

func (h pendingHeap[K]) less(i, j int) bool { return h[i].compare(h[j].waitingID) < 0 }

func (h *pendingHeap[K]) push(w waiting[K]) {
	*h = append(*h, w)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.less(i, parent) {
			return
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *pendingHeap[K]) pop() waiting[K] {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	s[last] = waiting[K]{}
	s = s[:last]
	*h = s
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(s) {
			return top
		}
		if child+1 < len(s) && s.less(child+1, child) {
			child++
		}
		if !s.less(child, i) {
			return top
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}
