package task

import (
	"fmt"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/topology"
)

// Store is the open state of one store, as the task drives it through a commit:
// Flush, then (when all is acknowledged and the offsets are committed) Persist.
type Store interface {
	// Flush forwards what changed since the last one, if the table emits on
	// commit, and writes it to the changelog.
	Flush() error
	// Expire deletes what is too old to be seen, some of it with each commit.
	// It follows the flushes of a commit.
	Expire() error
	// Persist adds what was flushed, in its final form, to the batch.
	Persist(*store.Batch)
	// Restore takes over records of the changelog, in order.
	Restore([]record.Record) error
}

type openStore struct {
	spec  *topology.Store
	id    store.ID
	store Store
	err   error
	noted int64    // its checkpoint in the database, -1 if unknown
	db    store.DB // its own, if it is kept in memory; else nil
}

// OpenStore finds the store's id in the task's database, for a node that is
// being made. An error makes New fail.
func (t *Task) OpenStore(spec *topology.Store, open func(changelog int, db store.DB, id store.ID) (Store, error)) {
	s := openStore{spec: spec, noted: -1}
	db := t.cfg.DB
	if spec.InMemory {
		s.db = store.NewMem()
		s.err = t.abandon(spec.Name)
		db = s.db
	}
	if s.err == nil {
		s.id, s.err = db.Prefix(spec.Name)
	}
	if s.err == nil {
		s.store, s.err = open(len(t.stores), db, s.id)
	}
	t.stores = append(t.stores, s)
}

// abandon empties what is on disk of a store that is kept in memory now: it would
// be of some old age if the store came back to disk.
func (t *Task) abandon(name string) error {
	id, err := t.cfg.DB.Prefix(name)
	if err != nil {
		return err
	}
	if _, ok := t.cfg.DB.Checkpoint(id); !ok {
		return nil
	}
	return t.cfg.DB.Clear(id)
}

// database is where the store is kept.
func (s *openStore) database(t *Task) store.DB {
	if s.db != nil {
		return s.db
	}
	return t.cfg.DB
}

// Stores are the stores of the task, in the order of its nodes.
func (t *Task) Stores() []*topology.Store {
	stores := make([]*topology.Store, len(t.stores))
	for i := range t.stores {
		stores[i] = t.stores[i].spec
	}
	return stores
}

// Changelog is what restores a store.
type Changelog struct {
	Store string
	record.TopicPartition
	// Next is the first offset that the database may lack, 0 for an empty one.
	Next int64
	// FromInput says that the topic is one of the task's inputs: restore it up
	// to the committed offset only, the rest will be processed.
	FromInput bool
}

// Changelogs are the changelogs of the task's stores, by the indexes that
// Outgoing.Changelog and Restore use. One with an empty topic needs nothing.
func (t *Task) Changelogs() []Changelog {
	logs := make([]Changelog, len(t.stores))
	for i, s := range t.stores {
		logs[i] = Changelog{
			Store:          s.spec.Name,
			TopicPartition: record.TopicPartition{Topic: s.spec.ChangelogTopic(t.cfg.App), Partition: t.cfg.ID.Partition},
			FromInput:      s.spec.Logging == topology.FromInput,
		}
		if next, ok := s.database(t).Checkpoint(s.id); ok {
			logs[i].Next = next
		}
	}
	return logs
}

// Restore gives a store records of its changelog, in order.
func (t *Task) Restore(changelog int, recs []record.Record) error {
	s := &t.stores[changelog]
	if err := s.store.Restore(recs); err != nil {
		return fmt.Errorf("task %s: restore store %q: %w", t.cfg.ID, s.spec.Name, err)
	}
	return nil
}

// Flush is the first step of a commit: every store forwards and logs its
// changes. Nodes come in the order of the graph, so that a change which one
// store forwards into another is flushed in the same pass.
func (t *Task) Flush() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = t.failed(panicError(r), 0)
		}
	}()
	t.commitSoon = false
	if t.ended != nil {
		return t.ended
	}
	if t.poison != nil {
		return t.failed(t.poison, 0)
	}
	if err := t.flushStores(); err != nil {
		return err
	}
	for i := range t.stores {
		if err := t.stores[i].store.Expire(); err != nil {
			return t.failed(err, 0)
		}
	}
	return nil
}

// flushStores flushes until nothing is left, and nothing put off.
func (t *Task) flushStores() error {
	for {
		if t.mustSettle() {
			if err := t.Settle(t.Context()); err != nil {
				return err
			}
		}
		t.meta = record.Meta{Partition: -1, Offset: -1}
		// A processor after a table may share a store with one before it, which
		// then changes after its turn. Such a store forwards to nobody, so a
		// second pass settles everything.
		for range 2 {
			for i := range t.stores {
				if err := t.stores[i].store.Flush(); err != nil {
					return t.failed(err, 0)
				}
			}
		}
		// What a store forwards may be put off too.
		if t.Unsettled() == 0 || !t.mustSettle() {
			return nil
		}
	}
}

// Persist is the last step of a commit: the changes that Flush logged go into
// the database in one batch, together with the offsets of the changelogs up to
// which it is now complete. acked is the offset after the last acknowledged
// record of a changelog, -1 if none was written by this task yet.
func (t *Task) Persist(acked func(changelog int) int64) error {
	t.batch.Reset()
	moved := false
	for i := range t.stores {
		s := &t.stores[i]
		if s.db != nil {
			if err := t.persistMemory(s); err != nil {
				return err
			}
			continue
		}
		s.store.Persist(&t.batch)
		if next := t.logged(s, i, acked); next >= 0 && next != s.noted {
			t.batch.Checkpoint(s.id, next)
			s.noted = next
			moved = true
		}
	}
	if t.batch.Len() == 0 && !moved {
		return nil
	}
	if err := t.cfg.DB.Write(&t.batch); err != nil {
		return fmt.Errorf("task %s: write state: %w", t.cfg.ID, err)
	}
	return nil
}

// persistMemory writes what was flushed into a store's own database.
func (t *Task) persistMemory(s *openStore) error {
	var b store.Batch
	s.store.Persist(&b)
	if err := s.db.Write(&b); err != nil {
		return fmt.Errorf("task %s: write store %q: %w", t.cfg.ID, s.spec.Name, err)
	}
	return nil
}

func (t *Task) logged(s *openStore, i int, acked func(int) int64) int64 {
	switch s.spec.Logging {
	case topology.FromInput:
		topic := s.spec.ChangelogTopic(t.cfg.App)
		for _, in := range t.inputs {
			if in.tp.Topic == topic {
				return in.next
			}
		}
	case topology.Changelog:
		return acked(i)
	}
	return -1
}

// Restored marks a changelog as read up to next, when the tail is in the
// database.
func (t *Task) Restored(changelog int, next int64) error {
	s := &t.stores[changelog]
	t.batch.Reset()
	s.store.Persist(&t.batch)
	t.batch.Checkpoint(s.id, next)
	if err := s.database(t).Write(&t.batch); err != nil {
		return fmt.Errorf("task %s: restore store %q: %w", t.cfg.ID, s.spec.Name, err)
	}
	return nil
}

// RequestCommit asks the worker to commit before it goes on, since a cache
// holds as much as it may.
func (t *Task) RequestCommit() { t.commitSoon = true }

// CommitRequested reports whether a node asked for a commit.
func (t *Task) CommitRequested() bool { return t.commitSoon }
