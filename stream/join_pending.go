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

// Before implements minheap.Ordered: in order of time, then of encoded key, so that
// results come in the same order whatever came before.
func (w waiting[K]) Before(v waiting[K]) bool { return w.compare(v.waitingID) < 0 }

// waitingID tells the records of one side apart.
type waitingID struct {
	encoded string // key
	time    int64
	sub     int64
}

func (a waitingID) compare(b waitingID) int {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.encoded, b.encoded), cmp.Compare(a.sub, b.sub))
}
