package store

import (
	"bytes"
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// iterators keeps Badger's iterators for the next scan, as making one costs more
// than a short scan. They see the database as it was when they were made, more or
// less, and keep the files of that time alive, so a Write drops them.
type iterators struct {
	mu       sync.Mutex
	epoch    uint64 // number of drops
	forward  []*badger.Iterator
	backward []*badger.Iterator
}

// take returns an iterator that sees all finished writes, and the epoch to give
// it back with.
func (s *iterators) take(txn *badger.Txn, reverse bool) (*badger.Iterator, uint64) {
	s.mu.Lock()
	free, epoch := s.list(reverse), s.epoch
	if n := len(*free); n > 0 {
		it := (*free)[n-1]
		*free = (*free)[:n-1]
		s.mu.Unlock()
		return it, epoch
	}
	s.mu.Unlock()
	return txn.NewIterator(badger.IteratorOptions{Reverse: reverse}), epoch
}

// give keeps an iterator for later, or closes it if there has been a drop.
func (s *iterators) give(it *badger.Iterator, reverse bool, epoch uint64) {
	s.mu.Lock()
	if epoch == s.epoch {
		free := s.list(reverse)
		*free = append(*free, it)
		it = nil
	}
	s.mu.Unlock()
	if it != nil {
		it.Close()
	}
}

// drop closes all iterators that are not in use, and later those that are.
func (s *iterators) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	for _, free := range []*[]*badger.Iterator{&s.forward, &s.backward} {
		for _, it := range *free {
			it.Close()
		}
		*free = (*free)[:0]
	}
}

func (s *iterators) list(reverse bool) *[]*badger.Iterator {
	if reverse {
		return &s.backward
	}
	return &s.forward
}

func (d *disk) Scan(lo, hi []byte, yield func(key, value []byte) bool) error {
	lo, hi = bounds(lo, hi)
	return d.scan(lo, false, func(key []byte) side {
		if bytes.Compare(key, hi) >= 0 {
			return beyond
		}
		return inside
	}, yield)
}

func (d *disk) ScanReverse(lo, hi []byte, yield func(key, value []byte) bool) error {
	lo, hi = bounds(lo, hi)
	return d.scan(hi, true, func(key []byte) side {
		switch {
		case bytes.Compare(key, lo) < 0:
			return beyond
		case bytes.Compare(key, hi) >= 0:
			return before // hi itself, which is not in the range
		}
		return inside
	}, yield)
}

// side is where a key is, seen along a scan.
type side int

const (
	before side = iota
	inside
	beyond
)

// scan seeks a key and goes on from there while where says so.
func (d *disk) scan(from []byte, reverse bool, where func(key []byte) side, yield func(key, value []byte) bool) (err error) {
	if err := d.gate.enter(); err != nil {
		return err
	}
	defer d.gate.leave()
	yielding := false
	defer func() {
		if !yielding { // a panic of the caller's is his own
			d.catchFrom(recover(), "scan", &err)
		}
	}()
	it, epoch := d.iters.take(d.txn, reverse)
	defer d.iters.give(it, reverse, epoch)

	var item *badger.Item
	more := true
	each := func(value []byte) error {
		yielding = true
		more = yield(item.Key(), value)
		yielding = false
		return nil
	}
	for it.Seek(from); it.Valid(); it.Next() {
		item = it.Item()
		switch where(item.Key()) {
		case before:
			continue
		case beyond:
			return nil
		}
		if err := item.Value(each); err != nil {
			return fault("scan", d.dir, err)
		}
		if !more {
			return nil
		}
	}
	return nil
}
