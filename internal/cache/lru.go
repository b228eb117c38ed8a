package cache

import (
	"bytes"
	"container/list"
)

// recency is the order in which the rows of a bounded store were last used: the
// newest first. It is in memory; what a store of a new task holds begins in the
// order of the rows' times.
type recency struct {
	order *list.List // of encoded keys
	at    map[string]*list.Element
	known bool // the rows of the database are in it
}

// used notes that the row of a key was read or written.
func (r *recency) used(key string) {
	if at := r.at[key]; at != nil {
		r.order.MoveToFront(at)
		return
	}
	r.at[key] = r.order.PushFront(key)
}

// forget takes a key out.
func (r *recency) forget(key string) {
	if at := r.at[key]; at != nil {
		r.order.Remove(at)
		delete(r.at, key)
	}
}

// use notes that an entry was read or written.
func (s *KeyValue[K, V]) use(e *Entry[K, V]) {
	if e.OK {
		s.recent.used(e.key)
	} else {
		s.recent.forget(e.key)
	}
}

// know brings the rows of the database into the order, before the store is first
// used.
func (s *KeyValue[K, V]) know() error {
	if s.recent.known {
		return nil
	}
	s.recent.known = true
	s.recent.order, s.recent.at = list.New(), map[string]*list.Element{}
	rows, err := s.Rows(nil, nil)
	if err != nil {
		return err
	}
	SortFunc(rows, func(a, b Pair[K, V]) int {
		if a.Time != b.Time {
			return int(min(max(a.Time-b.Time, -1), 1))
		}
		return bytes.Compare(view(a.key), view(b.key))
	})
	for _, r := range rows {
		s.recent.used(r.key)
	}
	return nil
}

// makeRoom deletes the rows that were not used for the longest time, where there
// are too many.
func (s *KeyValue[K, V]) makeRoom() error {
	for s.recent.order.Len() > s.spec.Capacity {
		key := s.recent.order.Back().Value.(string)
		e := s.entries[key]
		if e == nil {
			var err error
			if e, err = s.load([]byte(key)); err != nil {
				return err
			}
		}
		if !e.OK {
			s.recent.forget(key)
			continue
		}
		if err := s.remove(e, e.Time); err != nil {
			return err
		}
	}
	return nil
}

// recall is Entry for a bounded store.
func (s *KeyValue[K, V]) recall(key []byte) (e *Entry[K, V], err error) {
	if err := s.know(); err != nil {
		return nil, err
	}
	if e = s.entries[string(key)]; e == nil {
		if e, err = s.load(key); err != nil {
			return nil, err
		}
	}
	e.used = true
	s.use(e)
	return e, nil
}

// keepBound is called with each change of a bounded store.
func (s *KeyValue[K, V]) keepBound(e *Entry[K, V]) {
	s.use(e)
	if err := s.makeRoom(); err != nil {
		s.task.Poison(err)
	}
}
