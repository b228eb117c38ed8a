package store

// Loader restores stores from their changelogs. It writes in large batches, so
// it is quicker than many a Write, and its memory is bounded. An empty database
// is built at once from sorted tables if all records fit into the budget. The
// loader takes the records of all stores of a task, mixed as they come; the last
// write of a key wins. It belongs to one goroutine.
type Loader struct {
	db     DB
	budget int64
	batch  Batch
	// whole is true while everything since the beginning is in the batch and the
	// database was empty then.
	whole bool
}

// bulker is a DB that can be filled at once while it is empty.
type bulker interface {
	// vacant reports that there is no key of any store.
	vacant() (bool, error)
	// bulk replaces everything by a sealed batch.
	bulk(b *Batch) error
}

const (
	// loadBytes is the size of the batches a loader writes to a database that
	// is not empty.
	loadBytes = 8 << 20
	// loadOverhead is the memory an entry takes beside its key and value.
	loadOverhead = 80
	// bulkMin is the number of entries below which a bulk load doesn't pay.
	bulkMin = 20_000
)

// NewLoader returns a loader that holds at most about budget bytes of records in
// memory, and 8 MB at least. Nobody else should write to db until Finish.
func NewLoader(db DB, budget int64) (*Loader, error) {
	l := &Loader{db: db, budget: max(budget, loadBytes)}
	if b, ok := db.(bulker); ok {
		var err error
		if l.whole, err = b.vacant(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Put adds a record of the changelog; the key includes the prefix of its store.
func (l *Loader) Put(key, value []byte) error {
	l.batch.Put(key, value)
	return l.flushFull()
}

// Delete adds a tombstone of the changelog.
func (l *Loader) Delete(key []byte) error {
	l.batch.Delete(key)
	return l.flushFull()
}

// Checkpoint notes that all records of the store up to offset have been added.
// It becomes visible in the database not before they do.
func (l *Loader) Checkpoint(store ID, offset int64) { l.batch.Checkpoint(store, offset) }

// Finish writes what is left. The loader can be used again, but will no longer
// build a database at once.
func (l *Loader) Finish() error {
	whole := l.whole
	l.whole = false
	if b, ok := l.db.(bulker); ok && whole && l.batch.Len() >= bulkMin {
		if err := l.batch.seal(); err != nil {
			return err
		}
		err := b.bulk(&l.batch)
		l.batch = Batch{} // gives the budget back
		return err
	}
	return l.flush()
}

func (l *Loader) flushFull() error {
	used := l.batch.Bytes() + int64(l.batch.Len())*loadOverhead
	switch {
	case used < loadBytes, l.whole && used < l.budget:
		return nil
	case l.whole:
		l.whole = false
		err := l.flush()
		l.batch = Batch{}
		return err
	}
	return l.flush()
}

func (l *Loader) flush() error {
	err := l.db.Write(&l.batch)
	l.batch.Reset()
	return err
}
