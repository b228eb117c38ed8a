package cache

import (
	"bytes"
	"slices"

	"github.com/leatstream/leat/internal/task"
)

// Pair is one row of an iteration.
type Pair[K, V any] struct {
	Key   K
	Value V
	Time  int64

	key string // encoded, for the order
}

// Rows collects the rows with from <= key <= to, by encoded keys and in their
// order; a nil bound is open. What is in memory and not yet in the database is
// merged in.
func (s *KeyValue[K, V]) Rows(from, to *K) ([]Pair[K, V], error) {
	lo, hi, err := s.bounds(from, to)
	if err != nil {
		return nil, err
	}
	var rows []Pair[K, V]
	var failed error
	err = s.db.Scan(lo, hi, func(key, value []byte) bool {
		encoded := key[s.layout.prefixLen():]
		if e := s.entries[string(encoded)]; e != nil {
			return true // memory knows better
		}
		var p Pair[K, V]
		p, failed = s.pair(encoded, value)
		rows = append(rows, p)
		return failed == nil
	})
	if err != nil {
		return nil, s.fail(task.FailedStore, err)
	}
	if failed != nil {
		return nil, failed
	}
	for _, e := range s.entries {
		if !s.Visible(e) {
			continue
		}
		dbKey := s.layout.appendKey(nil, s.id, view(e.key))
		if bytes.Compare(dbKey, lo) >= 0 && bytes.Compare(dbKey, hi) < 0 {
			rows = append(rows, Pair[K, V]{Key: e.Key, Value: e.Value, Time: e.Time, key: e.key})
		}
	}
	slices.SortFunc(rows, func(a, b Pair[K, V]) int { return bytes.Compare(view(a.key), view(b.key)) })
	return slices.DeleteFunc(rows, func(p Pair[K, V]) bool {
		return s.layout.segmented() && s.layout.expired(s.layout.TimeOf(view(p.key)), *s.latest)
	}), nil
}

func (s *KeyValue[K, V]) pair(encoded, value []byte) (p Pair[K, V], err error) {
	p.key = string(encoded)
	if p.Key, err = s.key.Decode(view(p.key)); err != nil {
		return p, s.fail(task.FailedStore, err)
	}
	p.Value, p.Time, err = s.decode(bytes.Clone(value))
	return p, err
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
