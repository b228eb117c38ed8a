package cache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/leatstream/leat/internal/minheap"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
)

// timeline is an index of a store's rows by the time at which something is due for
// them: the end of their life, or a timer. What is due is found without a look at
// the rest.
//
// A hint says that something may be due for a key at a time; the row itself knows.
// The hints of rows in the database lie there too, ordered by time, under a prefix
// of their own, and are written in the same batch; those of rows that changed since
// are in a heap. They are in no changelog: a restored row brings its own.
type timeline struct {
	db     store.DB
	id     store.ID
	heap   minheap.Heap[hint] // of rows that changed since the last Persist
	ready  []hint             // due, read from the database
	cursor []byte             // the hints of the database before it are read; nil: none
	next   int64              // no hint of the database behind the cursor is due before
	writes []write
}

// hint is a key with the time at which something may be due for it.
type hint struct {
	due int64
	key string // encoded
}

// Before implements minheap.Ordered.
func (a hint) Before(b hint) bool {
	return a.due < b.due || a.due == b.due && strings.Compare(a.key, b.key) < 0
}

// openTimeline finds the index of a store in the task's database.
func openTimeline(db store.DB, name string) (l timeline, err error) {
	l.db = db
	l.id, err = db.Prefix(name + " by time")
	return l, err // next is 0: look
}

// dbKey is where a hint lies. A time before the epoch is as good as the epoch.
func (l *timeline) dbKey(h hint) []byte {
	return append(binary.BigEndian.AppendUint64(l.id.Key(nil), uint64(max(h.due, 0))), h.key...)
}

// changed notes a hint of a row that changed.
func (l *timeline) changed(h hint) { l.heap.Push(h) }

// move notes what hint the database is to have for a key, and which one it has; -1
// is none.
func (l *timeline) move(key string, had, has int64) {
	if had == has {
		return
	}
	if had >= 0 {
		l.writes = append(l.writes, write{key: l.dbKey(hint{had, key})})
	}
	if has >= 0 {
		l.writes = append(l.writes, write{key: l.dbKey(hint{has, key}), value: []byte{}})
	}
}

// due is a lower bound of the time of the next hint.
func (l *timeline) due() int64 {
	due := l.next
	if len(l.ready) > 0 {
		due = min(due, l.ready[0].due)
	}
	if len(l.heap) > 0 {
		due = min(due, l.heap[0].due)
	}
	return due
}

// pop takes the next hint that is due.
func (l *timeline) pop(now int64) (h hint, ok bool, err error) {
	if len(l.ready) == 0 && l.next <= now {
		if err := l.read(now); err != nil {
			return h, false, err
		}
	}
	fromHeap := len(l.heap) > 0 && l.heap[0].due <= now
	switch {
	case len(l.ready) > 0 && (!fromHeap || l.ready[0].Before(l.heap[0])):
		h, l.ready = l.ready[0], l.ready[1:]
	case fromHeap:
		h = l.heap.Pop()
	default:
		return h, false, nil
	}
	return h, true, nil
}

// readAtOnce is how many hints are read at a time.
const readAtOnce = 256

// read gets the next hints that are due from the database.
func (l *timeline) read(now int64) error {
	lo := l.cursor
	if lo == nil {
		lo = l.id.Key(nil)
	}
	l.ready = l.ready[:0:0]
	l.next = task.Never
	var bad error
	err := l.db.Scan(lo, (l.id + 1).Key(nil), func(key, _ []byte) bool {
		if len(key) < store.PrefixLen+8 {
			bad = fmt.Errorf("%w: hint of %d bytes", ErrCorrupt, len(key))
			return false
		}
		h := hint{int64(binary.BigEndian.Uint64(key[store.PrefixLen:])), string(key[store.PrefixLen+8:])}
		if h.due > now || len(l.ready) == readAtOnce {
			l.next = h.due
			return false
		}
		l.ready = append(l.ready, h)
		l.cursor = append(append(l.cursor[:0:0], key...), 0)
		return true
	})
	if err != nil {
		return err
	}
	return bad
}

// persist adds the hints that moved to the batch of a commit, or of a
// restoration.
func (l *timeline) persist(b *store.Batch) {
	for _, w := range l.writes {
		if w.value == nil {
			b.Delete(w.key)
			continue
		}
		b.Put(w.key, w.value)
		l.next = min(l.next, int64(binary.BigEndian.Uint64(w.key[store.PrefixLen:])))
		if bytes.Compare(w.key, l.cursor) < 0 {
			l.cursor = nil // it lies where nobody would look again
		}
	}
	clear(l.writes)
	l.writes = l.writes[:0]
	l.heap = slices.Delete(l.heap, 0, len(l.heap))
	// What was read and not yet taken is still there, or was moved.
	if len(l.ready) > 0 {
		l.next = min(l.next, l.ready[0].due)
		l.cursor, l.ready = nil, nil
	}
}
