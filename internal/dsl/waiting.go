package dsl

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/leatstream/leat/serde"
)

// waiting is a change of a row that the nodes after its table are to be told of
// later: what the row is now, and what they know of it.
type waiting[V any] struct {
	New, Old       V
	HasNew, HasOld bool
	Stale          bool
	Time           int64 // of the change, milliseconds since the epoch
	// Last is what the row was before the last change. Kafka Streams tells of it
	// as the old value where a table is suppressed.
	Last    V
	HasLast bool
}

func changeOf[K, V any](k K, w *waiting[V]) Change[K, V] {
	return Change[K, V]{Key: k, New: w.New, Old: w.Old, HasNew: w.HasNew, HasOld: w.HasOld, Stale: w.Stale, Time: w.Time}
}

// waitingSerde writes a byte of flags, the time, and the values there are, each
// behind its length.
type waitingSerde[V any] struct{ value serde.Serde[V] }

const (
	flagNew = 1 << iota
	flagOld
	flagLast
	flagStale
)

// Append implements serde.Serde.
func (s waitingSerde[V]) Append(dst []byte, w waiting[V]) ([]byte, error) {
	at := len(dst)
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(w.Time))
	if w.Stale {
		dst[at] |= flagStale
	}
	for _, v := range [...]struct {
		flag byte
		has  bool
		v    *V
	}{{flagNew, w.HasNew, &w.New}, {flagOld, w.HasOld, &w.Old}, {flagLast, w.HasLast, &w.Last}} {
		if !v.has {
			continue
		}
		dst[at] |= v.flag
		size := len(dst)
		var err error
		if dst, err = s.value.Append(append(dst, 0, 0, 0, 0), *v.v); err != nil {
			return dst, err
		}
		binary.BigEndian.PutUint32(dst[size:], uint32(len(dst)-size-4))
	}
	return dst, nil
}

var errWaiting = errors.New("not a change that waits")

// Decode implements serde.Serde.
func (s waitingSerde[V]) Decode(src []byte) (w waiting[V], err error) {
	if len(src) < 9 || src[0] >= flagStale<<1 {
		return w, errWaiting
	}
	flags := src[0]
	w.HasNew, w.HasOld, w.HasLast, w.Stale = flags&flagNew != 0, flags&flagOld != 0, flags&flagLast != 0, flags&flagStale != 0
	w.Time = int64(binary.BigEndian.Uint64(src[1:]))
	src = src[9:]
	for _, v := range [...]struct {
		has bool
		v   *V
	}{{w.HasNew, &w.New}, {w.HasOld, &w.Old}, {w.HasLast, &w.Last}} {
		if !v.has {
			continue
		}
		if len(src) < 4 || uint64(binary.BigEndian.Uint32(src)) > uint64(len(src)-4) {
			return w, fmt.Errorf("%w: a value is cut off", errWaiting)
		}
		end := 4 + int(binary.BigEndian.Uint32(src))
		if *v.v, err = s.value.Decode(src[4:end:end]); err != nil {
			return w, err
		}
		src = src[end:]
	}
	if len(src) > 0 {
		return w, fmt.Errorf("%w: %d bytes too many", errWaiting, len(src))
	}
	return w, nil
}
