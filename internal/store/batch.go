package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Batch collects the writes of one commit. It copies what it is given into
// blocks that it keeps over Reset, so a batch that is used again does not
// allocate. The zero value is ready for use. A batch belongs to one goroutine.
type Batch struct {
	arena       arena
	entries     []entry
	checkpoints []checkpoint
	unsorted    bool
	bytes       int64
	invalid     error
}

// entry is one put or delete. Entries are compared by head first, which decides
// most comparisons without a look at the key.
type entry struct {
	key, value []byte
	head       uint64 // the first 8 bytes behind the prefix
	seq        uint32 // position in the batch, so that the last write of a key is known
	delete     bool
}

type checkpoint struct {
	store  ID
	offset int64
}

// Put sets a key, which includes the prefix of its store.
func (b *Batch) Put(key, value []byte) {
	if len(value) > MaxValue {
		b.refuse(fmt.Errorf("%w: %d bytes, the limit is %d", ErrValueTooLarge, len(value), MaxValue))
		return
	}
	b.add(key, value, false)
}

// Delete removes a key; it does not matter whether there is one.
func (b *Batch) Delete(key []byte) { b.add(key, nil, true) }

// Checkpoint notes that the writes of this batch and those before it bring the
// store to the given changelog offset. The last call for a store counts.
func (b *Batch) Checkpoint(store ID, offset int64) {
	for i := range b.checkpoints {
		if b.checkpoints[i].store == store {
			b.checkpoints[i].offset = offset
			return
		}
	}
	b.checkpoints = append(b.checkpoints, checkpoint{store, offset})
}

// Len is the number of puts and deletes so far.
func (b *Batch) Len() int { return len(b.entries) }

// Bytes is the length of all keys and values so far.
func (b *Batch) Bytes() int64 { return b.bytes }

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.arena.reset()
	clear(b.entries) // oversized values must not be kept alive
	b.entries = b.entries[:0]
	b.checkpoints = b.checkpoints[:0]
	b.unsorted, b.bytes, b.invalid = false, 0, nil
}

func (b *Batch) empty() bool { return len(b.entries) == 0 && len(b.checkpoints) == 0 }

func (b *Batch) add(key, value []byte, del bool) {
	if len(key) < PrefixLen || len(key) > MaxKey || !idOf(key).usable() {
		b.refuse(fmt.Errorf("%w: %d bytes beginning with %x", ErrKey, len(key), key[:min(len(key), 8)]))
		return
	}
	b.addRaw(key, value, del)
}

// addRaw is add for keys of the package's own.
func (b *Batch) addRaw(key, value []byte, del bool) {
	e := entry{key: b.arena.copy(key), value: b.arena.copy(value), seq: uint32(len(b.entries)), delete: del}
	e.head = headOf(e.key[PrefixLen:])
	if n := len(b.entries); n > 0 && !b.unsorted {
		b.unsorted = bytes.Compare(b.entries[n-1].key, e.key) >= 0
	}
	b.entries = append(b.entries, e)
	b.bytes += int64(len(key) + len(value))
}

func (b *Batch) refuse(err error) {
	if b.invalid == nil {
		b.invalid = err
	}
}

// seal checks the batch, sorts it and leaves one entry for each key.
func (b *Batch) seal() error {
	if b.invalid != nil {
		return b.invalid
	}
	for _, c := range b.checkpoints {
		if !c.store.usable() {
			return errors.Join(ErrKey, fmt.Errorf("checkpoint for store id %d", c.store))
		}
	}
	slices.SortFunc(b.checkpoints, func(a, c checkpoint) int { return cmp.Compare(a.store, c.store) })
	if !b.unsorted {
		return nil
	}
	slices.SortFunc(b.entries, compareEntries)
	b.entries = lastOfEach(b.entries)
	b.unsorted = false
	return nil
}

func compareEntries(a, c entry) int {
	if d := cmp.Compare(idOf(a.key), idOf(c.key)); d != 0 {
		return d
	}
	if d := cmp.Compare(a.head, c.head); d != 0 {
		return d
	}
	if d := bytes.Compare(a.key, c.key); d != 0 {
		return d
	}
	return cmp.Compare(a.seq, c.seq)
}

// lastOfEach keeps the last of each run of entries with the same key.
func lastOfEach(sorted []entry) []entry {
	out := sorted[:0]
	for i, e := range sorted {
		if i+1 < len(sorted) && bytes.Equal(e.key, sorted[i+1].key) {
			continue
		}
		out = append(out, e)
	}
	clear(sorted[len(out):])
	return out
}

// headOf is the first 8 bytes of b, filled up with zeros, as a number with the
// same order.
func headOf(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var x [8]byte
	copy(x[:], b)
	return binary.BigEndian.Uint64(x[:])
}
