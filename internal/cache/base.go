package cache

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// ErrCorrupt is the cause of a failure to read what the database holds.
var ErrCorrupt = errors.New("corrupt state")

// base is what both kinds of store share: where they lie, how their changes
// reach the changelog and the database, and what expires.
type base struct {
	spec      *topology.Store
	label     string
	layout    Layout
	task      *task.Task
	db        store.DB
	id        store.ID
	changelog int
	topic     string

	pending []write
	held    []*cached
	ring    clockRing
	pinned  int64 // bytes of dirty entries
	seq     uint64
	expiry  expiry
	origins origins
	// Of a segmented store, -1 at first. latest is the highest time of a cell
	// that was put: what has expired goes by it. It is committed with the
	// offsets. highest is that of a cell that may be in the database, which may
	// hold cells of records that were not committed; noted is highest as the
	// database has it. settled is latest as it was at the last commit: cells
	// that had expired by then are not asked for again, even if records are
	// processed anew, so they may be deleted. next is what becomes settled when
	// this commit is through.
	latest         *int64
	highest, noted int64
	settled, next  int64
	fresh          bool // the database held nothing when it was opened
	// shown is latest as of what was flushed; unknown until the first change.
	shown int64
}

// write is one change on its way to the database. The key begins with the
// layout's prefix, the value with its time; what follows is what the changelog
// holds. A nil value is a deletion.
type write struct{ key, value []byte }

func openBase(t *task.Task, spec *topology.Store, label string, layout Layout) base {
	return base{
		spec: spec, label: label, layout: layout, task: t,
		topic: spec.ChangelogTopic(t.App()), latest: t.Time(spec.Name),
		highest: -1, noted: -1, settled: -1, next: -1, shown: unknown,
	}
}

// attach is called with the database, and finds the time of the newest cell.
func (s *base) attach(changelog int, db store.DB, id store.ID) error {
	s.changelog, s.db, s.id = changelog, db, id
	if !s.layout.segmented() {
		return nil
	}
	v, ok, err := db.Get(s.latestKey())
	if err != nil {
		return err
	}
	s.fresh = !ok
	if ok && len(v) == 8 {
		s.highest = int64(binary.BigEndian.Uint64(v))
		s.noted = s.highest
	}
	return nil
}

// latestKey is beyond every segment.
func (s *base) latestKey() []byte {
	return binary.BigEndian.AppendUint64(s.id.Key(nil), 1<<63)
}

// fail names the operator and the store.
func (s *base) fail(kind task.FailureKind, err error) error {
	return &task.OpError{Operator: s.label, Kind: kind, Err: fmt.Errorf("store %q: %w", s.spec.Name, err)}
}

// mark notes a change of an entry, and reports whether it is the first since
// the last flush.
func (s *base) mark(e *cached) bool {
	s.seq++
	e.seq = s.seq
	if e.dirty {
		return false
	}
	e.dirty = true
	s.pinned += e.size
	if s.pinned > s.task.CacheBytes()/2 {
		s.task.RequestCommit()
	}
	return true
}

// hold keeps a flushed entry in memory until the database has it.
func (s *base) hold(e *cached) {
	e.dirty, e.held, e.origin = false, true, 0
	s.held = append(s.held, e)
}

// log writes a change to the changelog, if the store has one, and queues it for
// the database.
func (s *base) log(w write, time int64) error {
	s.pending = append(s.pending, w)
	if s.spec.Logging != topology.Changelog {
		return nil
	}
	out := task.Outgoing{
		Topic: s.topic, Partition: s.task.Partition(), Changelog: s.changelog,
		Key: w.key[s.layout.prefixLen():], Time: time,
	}
	if w.value != nil {
		out.Value = w.value[8:]
	}
	return s.task.Send(&out)
}

// Expire implements task.Store. Cells that have expired are deleted in the
// changelog too: the broker can't know what has, since it goes by its own clock.
func (s *base) Expire() error {
	s.next = *s.latest
	failed := s.expiry.expired(&s.layout, s.db, s.id, s.settled, max(expirePerCommit, 2*len(s.held)), func(key []byte) error {
		arena := s.task.Arena()
		return s.log(write{key: arena.Take(append(arena.Free(), key...))}, s.settled)
	})
	if failed != nil {
		return s.fail(task.FailedStore, fmt.Errorf("expire: %w", failed))
	}
	return nil
}

// Persist implements task.Store.
func (s *base) Persist(b *store.Batch) {
	for _, w := range s.pending {
		if w.value == nil {
			b.Delete(w.key)
		} else {
			b.Put(w.key, w.value)
		}
	}
	clear(s.pending)
	s.pending = s.pending[:0]
	for _, e := range s.held {
		e.held = false
	}
	clear(s.held)
	s.held = s.held[:0]
	s.settled = max(s.settled, s.next)
	if s.highest != s.noted {
		b.Put(s.latestKey(), binary.BigEndian.AppendUint64(nil, uint64(s.highest)))
		s.noted = s.highest
	}
}

const unknown = -2

// hides reports whether a store under a cache of Kafka Streams would show a cell
// of that time no more, though the cache did. It is asked for each cell that is
// flushed, in their order.
func (s *base) hides(time int64) bool {
	if !s.layout.ShowCached {
		return false
	}
	s.shown = max(s.shown, time)
	return s.layout.expired(time, s.shown)
}

// seen moves the store's time on to that of a cell that is put.
func (s *base) seen(time int64) {
	if s.shown == unknown {
		s.shown = *s.latest // as it was committed
	}
	*s.latest = max(*s.latest, time)
	s.highest = max(s.highest, time)
}

// restore queues a changelog record for the database.
func (s *base) restore(key []byte, r *record.Record) {
	arena := s.task.Arena()
	w := write{key: arena.Take(s.layout.appendKey(arena.Free(), s.id, key))}
	if r.Value != nil {
		w.value = arena.Take(append(binary.BigEndian.AppendUint64(arena.Free(), uint64(r.Time)), r.Value...))
	}
	s.pending = append(s.pending, w)
	if s.layout.segmented() {
		s.highest = max(s.highest, s.layout.TimeOf(key))
		s.fresh = false
	}
}
