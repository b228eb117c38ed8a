package store

import (
	"encoding/binary"
	"fmt"
	"syscall"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
)

// entryOverhead is more than Badger adds to an entry when it sums up a batch.
const entryOverhead = 32

// deleteMeta marks an entry as a delete; it is Badger's bit for it.
var deleteMeta = []byte{1}

func (d *disk) Write(b *Batch) error {
	if err := b.seal(); err != nil {
		return fault("write", d.dir, err)
	}
	if b.empty() {
		return nil
	}
	if err := d.gate.enter(); err != nil {
		return err
	}
	defer d.gate.leave()
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.writeEntries(b); err != nil {
		return err
	}
	if len(b.checkpoints) > 0 {
		d.mu.Lock()
		for _, c := range b.checkpoints {
			d.checkpoints[c.store] = c.offset
		}
		d.mu.Unlock()
		d.safe.schedule(d)
	}
	return nil
}

// writeEntries writes a sealed batch; d.writing is held. Badger may take a large
// batch in parts, and when one fails the next may succeed all the same. So the
// checkpoints wait for the data, unless all fits into one part, which is
// written in order up to the first failure.
func (d *disk) writeEntries(b *Batch) (err error) {
	if err := d.room(b.bytes); err != nil {
		return fault("write", d.dir, err)
	}
	defer d.iters.drop()
	defer func() {
		if err != nil {
			err = fault("write", d.dir, err)
			d.gate.fail(err)
		}
	}()
	l := loader{db: d.db}
	for i := range b.entries {
		e := &b.entries[i]
		if err := l.set(e.key, e.value, e.delete, d.opts.inline()); err != nil {
			return err
		}
	}
	if len(b.checkpoints) > 0 && !l.fits(len(b.checkpoints)) {
		if err := l.finish(); err != nil {
			return err
		}
	}
	var key [2 * PrefixLen]byte
	for _, c := range b.checkpoints {
		value := binary.BigEndian.AppendUint64(nil, uint64(c.offset))
		if err := l.set(idCheckpoints.Key(key[:0], c.store.Key(nil)), value, false, d.opts.inline()); err != nil {
			return err
		}
	}
	return l.finish()
}

// room makes sure that a write of n bytes finds space on the disk.
func (d *disk) room(n int64) error {
	free, err := d.opts.FreeSpace(d.dir)
	if err != nil {
		return fmt.Errorf("free space: %w", err)
	}
	if need := d.opts.spare(n); free < need {
		return fmt.Errorf("%d bytes free, %d needed: %w", free, need, syscall.ENOSPC)
	}
	return nil
}

// loader feeds Badger's KVLoader and knows whether what it was given is still in
// one part.
type loader struct {
	db    *badger.DB
	kvl   *badger.KVLoader
	kv    pb.KV
	count int64
	bytes int64
}

// set adds an entry; value must stay as it is until finish. A value longer than
// inline goes to the value log, alone: Badger must not have to grow the mapped
// file, which readers use, and it does if more than one file's worth comes in
// one part.
func (l *loader) set(key, value []byte, del bool, inline int64) error {
	large := int64(len(value)) >= inline
	if large {
		if err := l.finish(); err != nil {
			return err
		}
	}
	if l.kvl == nil {
		l.kvl = l.db.NewKVLoader(1)
	}
	l.kv.Key, l.kv.Value, l.kv.Version, l.kv.Meta = key, value, version, nil
	if del {
		l.kv.Meta = deleteMeta
	}
	l.count++
	l.bytes += int64(len(key)+len(value)) + entryOverhead
	if err := l.kvl.Set(&l.kv); err != nil {
		_ = l.kvl.Finish() // waits for the part under way, which uses the caller's values
		return err
	}
	if large {
		return l.finish()
	}
	return nil
}

// fits tells whether n more checkpoints surely go into the part that all entries
// since the last finish are in.
func (l *loader) fits(n int) bool {
	return l.count+int64(n)+2 < l.db.MaxBatchCount() &&
		l.bytes+int64(n)*(entryOverhead+16) < l.db.MaxBatchSize()
}

// finish waits until all entries so far are written.
func (l *loader) finish() error {
	if l.kvl == nil {
		return nil
	}
	err := l.kvl.Finish()
	l.kvl, l.count, l.bytes = nil, 0, 0
	return err
}
