package cache

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
)

// Pair is one row of an iteration.
type Pair[K, V any] struct {
	Key   K
	Value V
	Time  int64

	key string // encoded
}

// Rows collects the rows with from <= key <= to, by encoded keys and in their
// order; a nil bound is open. What is in memory and not yet in the database is
// merged in.
func (s *KeyValue[K, V]) Rows(from, to *K) ([]Pair[K, V], error) {
	lo, hi, err := s.bounds(from, to)
	if err != nil {
		return nil, err
	}
	rows, err := s.collect(lo, hi, math.MaxInt, nil)
	if s.layout.segmented() {
		// Segments come one after the other, each in the order of its keys.
		sortFunc(rows, func(a, b Pair[K, V]) int { return bytes.Compare(view(a.key), view(b.key)) })
	}
	return rows, err
}

// Prefixed collects the rows of a plain store whose encoded keys begin so.
func (s *KeyValue[K, V]) Prefixed(prefix []byte) ([]Pair[K, V], error) {
	lo := s.id.Key(nil, prefix)
	return s.collect(lo, after(lo), math.MaxInt, nil)
}

// after is the first key that doesn't begin with prefix; the prefix of a store is
// before it, so there is one.
func after(prefix []byte) []byte {
	hi := bytes.Clone(prefix)
	for i := len(hi) - 1; i >= 0; i-- {
		if hi[i] != 0xff {
			hi[i]++
			return hi[:i+1]
		}
	}
	return nil
}

// Span collects the windows of a key that start in [from, to], in that order; the
// span of k doesn't matter. It is for stores whose keys end with the start and
// the end of a window.
func (s *KeyValue[K, V]) Span(k K, from, to int64) ([]Pair[K, V], error) {
	key, err := s.encodeKey(k)
	if err != nil {
		return nil, err
	}
	prefix := bytes.Clone(key[:len(key)-spanLen])
	return s.windows(from, to, func(segment []byte, from, to int64) (lo, hi []byte) {
		lo = binary.BigEndian.AppendUint64(append(segment, prefix...), uint64(from))
		hi = binary.BigEndian.AppendUint64(append(bytes.Clone(segment), prefix...), uint64(to))
		return lo, after(hi)
	}, func(encoded []byte) bool {
		// A longer key may lie between the windows of this one.
		return len(encoded) == len(prefix)+spanLen && bytes.HasPrefix(encoded, prefix)
	})
}

// Windows collects the windows of all keys that start in [from, to], by start and
// encoded key.
func (s *KeyValue[K, V]) Windows(from, to int64) ([]Pair[K, V], error) {
	rows, err := s.windows(from, to, func(segment []byte, _, _ int64) (lo, hi []byte) {
		return segment, after(segment)
	}, func(encoded []byte) bool { return len(encoded) >= spanLen })
	SortFunc(rows, func(a, b Pair[K, V]) int {
		x, y := view(a.key), view(b.key)
		i, j := len(x)-spanLen, len(y)-spanLen
		if c := bytes.Compare(x[i:i+8], y[j:j+8]); c != 0 {
			return c
		}
		return bytes.Compare(x, y)
	})
	return rows, err
}

// spanLen is what the key of a window has after the key: its start and its end.
const spanLen = 16

// WindowStart is the Layout.TimeOf of windows: the start in an encoded
// window.Key.
func WindowStart(key []byte) int64 {
	if len(key) < spanLen {
		return 0
	}
	return int64(binary.BigEndian.Uint64(key[len(key)-spanLen:]))
}

// windows goes through the segments that windows starting in [from, to] lie in;
// bounds says what part of a segment to read.
func (s *KeyValue[K, V]) windows(from, to int64, bounds func(segment []byte, from, to int64) (lo, hi []byte), wanted func(encoded []byte) bool) ([]Pair[K, V], error) {
	from, to = max(from, 0), min(to, max(s.highest, *s.latest))
	if s.layout.Retention > 0 && !s.layout.ShowCached {
		from = max(from, *s.latest-s.layout.Retention+1)
	}
	var rows []Pair[K, V]
	interval := s.layout.interval()
	for seg := from / interval; from <= to && seg <= to/interval; seg++ {
		lo, hi := bounds(binary.BigEndian.AppendUint64(s.id.Key(nil), uint64(seg)), from, to)
		found, err := s.collect(lo, hi, math.MaxInt, func(encoded []byte) bool {
			start := s.layout.TimeOf(encoded)
			return start >= from && start <= to && wanted(encoded)
		})
		if err != nil {
			return nil, err
		}
		rows = append(rows, found...)
	}
	return rows, nil
}

// collect reads up to limit visible rows with database keys in [lo, hi), in their
// order.
func (s *KeyValue[K, V]) collect(lo, hi []byte, limit int, wanted func(encoded []byte) bool) ([]Pair[K, V], error) {
	fresh := s.fresher(lo, hi)
	var rows []Pair[K, V]
	take := func(e *Entry[K, V]) {
		if s.Visible(e) && (wanted == nil || wanted(view(e.key))) {
			rows = append(rows, Pair[K, V]{Key: e.Key, Value: e.Value, Time: e.Time, key: e.key})
		}
	}
	var failed error
	err := s.db.Scan(lo, hi, func(key, value []byte) bool {
		encoded := key[s.layout.prefixLen():]
		for len(fresh) > 0 && s.before(fresh[0], key) {
			take(fresh[0])
			fresh = fresh[1:]
		}
		switch e := s.entries[string(encoded)]; {
		case e != nil && (e.dirty || e.held || s.layout.ShowCached):
			// It is among the fresh ones.
		case e != nil:
			take(e)
		case wanted == nil || wanted(encoded):
			var p Pair[K, V]
			var ok bool
			if p, ok, failed = s.pair(encoded, value); ok {
				rows = append(rows, p)
			}
		}
		return failed == nil && len(rows) < limit
	})
	if err != nil {
		return nil, s.fail(task.FailedStore, err)
	}
	for len(fresh) > 0 && len(rows) < limit && failed == nil {
		take(fresh[0])
		fresh = fresh[1:]
	}
	return rows, failed
}

// fresher is the entries in [lo, hi) that are in memory only, or newer there.
func (s *KeyValue[K, V]) fresher(lo, hi []byte) (fresh []*Entry[K, V]) {
	if s.layout.ShowCached {
		for _, e := range s.entries {
			if !s.before(e, lo) && s.before(e, hi) {
				fresh = append(fresh, e)
			}
		}
		sortFunc(fresh, func(a, b *Entry[K, V]) int {
			return bytes.Compare(s.layout.appendKey(nil, s.id, view(a.key)), s.layout.appendKey(nil, s.id, view(b.key)))
		})
		return fresh
	}
	s.ordered().scan(string(lo), string(hi), func(key string) {
		if e := s.entries[key[s.layout.prefixLen():]]; e != nil {
			fresh = append(fresh, e)
		}
	})
	return fresh
}

// before reports whether the entry lies before a database key.
func (s *KeyValue[K, V]) before(e *Entry[K, V], key []byte) bool {
	s.probe = s.layout.appendKey(s.probe[:0], s.id, view(e.key))
	return bytes.Compare(s.probe, key) < 0
}

// ordered is the order of the entries that the database lacks.
func (s *KeyValue[K, V]) ordered() *order {
	if !s.order.on {
		s.order.on = true
		for _, e := range s.dirty {
			s.arrange(e)
		}
		for _, c := range s.held {
			s.arrange(s.entries[c.key])
		}
	}
	return &s.order
}

// arrange gives an entry its place in the order.
func (s *KeyValue[K, V]) arrange(e *Entry[K, V]) {
	s.order.add(string(s.layout.appendKey(nil, s.id, view(e.key))))
}

// Persist implements task.Store.
func (s *KeyValue[K, V]) Persist(b *store.Batch) {
	s.base.Persist(b)
	s.order.clear()
	if s.order.on {
		for _, e := range s.dirty {
			s.arrange(e)
		}
	}
	if s.life != nil {
		s.persistLife(b)
	}
}

// pair decodes a row of the database; ok is false if it isn't visible.
func (s *KeyValue[K, V]) pair(encoded, value []byte) (p Pair[K, V], ok bool, err error) {
	p.key = string(encoded)
	if p.Key, err = s.key.Decode(view(p.key)); err != nil {
		return p, false, s.fail(task.FailedStore, err)
	}
	e := Entry[K, V]{cached: cached{key: p.key}, OK: true}
	if e.Value, e.Time, err = s.decode(bytes.Clone(value)); err != nil {
		return p, false, err
	}
	if s.life != nil {
		s.revive(&e, value)
	}
	p.Value, p.Time = e.Value, e.Time
	return p, s.Visible(&e), nil
}

// bounds are the database keys of a range. Those of a segmented store span all
// segments.
func (s *KeyValue[K, V]) bounds(from, to *K) (lo, hi []byte, err error) {
	lo = s.id.Key(nil)
	hi = (s.id + 1).Key(nil)
	if s.layout.segmented() {
		return lo, s.latestKey(), nil
	}
	if from != nil {
		if lo, err = s.bound(*from); err != nil {
			return nil, nil, err
		}
	}
	if to != nil {
		if hi, err = s.bound(*to); err != nil {
			return nil, nil, err
		}
		hi = append(hi, 0) // the bound itself is in the range
	}
	return lo, hi, nil
}

func (s *KeyValue[K, V]) bound(k K) ([]byte, error) {
	key, err := s.encodeKey(k)
	if err != nil {
		return nil, err
	}
	return s.layout.appendKey(nil, s.id, key), nil
}

// Len counts the rows. It walks through the store, unless nothing was written
// since it last did and no row can have expired.
func (s *KeyValue[K, V]) Len() (int, error) {
	if s.counted == s.seq+1 && !s.mortal() {
		return s.count, nil
	}
	lo, hi, err := s.bounds(nil, nil)
	if err != nil {
		return 0, err
	}
	rows, err := s.collect(lo, hi, math.MaxInt, nil)
	if err == nil {
		s.count, s.counted = len(rows), s.seq+1
	}
	return len(rows), err
}

// IsNull reports whether a value is null, which deletes.
func (s *KeyValue[K, V]) IsNull(v V) bool { return s.isNull != nil && s.isNull(v) }

// CountLate counts a cell that was put when it had expired.
func (s *KeyValue[K, V]) CountLate(e *Entry[K, V]) {
	if s.layout.expired(s.layout.TimeOf(view(e.key)), *s.latest) {
		s.task.Drop(s.label, task.DropLate)
	}
}
