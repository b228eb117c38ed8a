package store

import (
	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/ristretto/v2/z"
)

const (
	// bulkBuffer is the size of the pieces handed to Badger's stream writer.
	bulkBuffer = 1 << 20
	// bulkStreams is the number of tables that are built at the same time; each
	// takes a table's worth of memory.
	bulkStreams = 2
)

// vacant reports that no store has a key.
func (d *disk) vacant() (bool, error) {
	empty := true
	err := d.Scan(nil, nil, func(_, _ []byte) bool {
		empty = false
		return false
	})
	return empty, err
}

// bulk builds the tables of an empty database from a sealed batch. Badger drops
// everything first and a crash leaves an unknown part of it, so the session says
// what is going on, and a failure fails the database.
func (d *disk) bulk(b *Batch) error {
	return d.gate.alone(func() (err error) {
		defer d.catch("bulk load", &err)
		if err := d.room(b.bytes); err != nil {
			return fault("bulk load", d.dir, err)
		}
		if err := d.bulkSession(b); err != nil {
			err = fault("bulk load", d.dir, err)
			d.gate.fail(err)
			return err
		}
		return nil
	})
}

func (d *disk) bulkSession(b *Batch) error {
	d.safe.mu.Lock()
	defer d.safe.mu.Unlock()
	d.iters.drop()
	next := d.safe.session
	next.Loading, next.Safe = true, nil
	if err := writeSession(d.dir, next); err != nil {
		return err
	}
	d.safe.session = next
	if err := d.stream(b.entries); err != nil {
		return err
	}
	if err := d.afterBulk(b.checkpoints); err != nil {
		return err
	}
	next.Loading, next.Safe = false, safeOf(d.checkpoints)
	if err := writeSession(d.dir, next); err != nil {
		return err
	}
	d.safe.session = next
	return nil
}

// afterBulk writes what belongs to the package itself, and syncs it.
func (d *disk) afterBulk(checkpoints []checkpoint) error {
	var b Batch
	for name, id := range d.names {
		b.addRaw(idNames.Key(nil, []byte(name)), id.Key(nil), false)
	}
	d.mu.Lock()
	for _, c := range checkpoints {
		d.checkpoints[c.store] = c.offset
	}
	for id, offset := range d.checkpoints {
		b.Checkpoint(id, offset)
	}
	d.mu.Unlock()
	if err := b.seal(); err != nil {
		return err
	}
	if err := d.writeEntries(&b); err != nil {
		return err
	}
	return d.syncFiles()
}

// stream writes sorted entries as tables, in streams over disjoint ranges.
func (d *disk) stream(entries []entry) error {
	w := d.db.NewStreamWriter()
	if err := w.Prepare(); err != nil {
		w.Cancel()
		return err
	}
	buf := z.NewBuffer(bulkBuffer+bulkBuffer/4, "bulk load")
	defer buf.Release()
	// The streams take turns, so that their tables are built side by side.
	per := (len(entries) + bulkStreams - 1) / bulkStreams
	at := make([]int, bulkStreams)
	for done := 0; done < bulkStreams; {
		done = 0
		for s := range bulkStreams {
			part := entries[min(s*per, len(entries)):min((s+1)*per, len(entries))]
			buf.Reset()
			at[s] += fill(buf, part[at[s]:], uint32(s))
			if err := w.Write(buf); err != nil {
				w.Cancel()
				return err
			}
			if at[s] == len(part) {
				done++
			}
		}
	}
	return w.Flush()
}

// fill encodes entries into buf until it is full and returns how many it took.
func fill(buf *z.Buffer, entries []entry, stream uint32) (n int) {
	kv := pb.KV{Version: version, StreamId: stream}
	for n < len(entries) && buf.LenNoPadding() < bulkBuffer {
		if e := &entries[n]; !e.delete {
			kv.Key, kv.Value = e.key, e.value
			badger.KVToBuffer(&kv, buf)
		}
		n++
	}
	return n
}
