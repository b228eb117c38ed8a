package store

import (
	"bytes"
	"maps"
	"sort"
	"sync"
)

// Blocks hold between one and maxBlock keys. Two levels are enough: a million
// keys make some four thousand blocks, found by one binary search each.
const maxBlock = 512

// scanChunk is the number of rows a scan copies under the lock at a time.
const scanChunk = 64

// mem is the DB in memory. Keys and values are never modified in place, so that
// readers may keep what they were given.
type mem struct {
	mu          sync.RWMutex
	blocks      []memBlock
	names       map[string]ID
	checkpoints map[ID]int64
	bytes       int64
	closed      bool
}

type memBlock []memRow

type memRow struct{ key, value []byte }

// rowOverhead is what a row costs beside its bytes.
const rowOverhead = 48

// NewMem returns an empty DB in memory, which is gone after Close. It never
// fails, except with ErrClosed and for a batch that is refused.
func NewMem() DB {
	return &mem{names: map[string]ID{}, checkpoints: map[ID]int64{}}
}

func (m *mem) Prefix(name string) (ID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, ErrClosed
	}
	if id, ok := m.names[name]; ok {
		return id, nil
	}
	id, err := nextID(m.names)
	if err != nil {
		return 0, err
	}
	m.names[name] = id
	return id, nil
}

func (m *mem) Get(key []byte) (value []byte, ok bool, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, false, ErrClosed
	}
	b, i, found := m.find(key)
	if !found {
		return nil, false, nil
	}
	return m.blocks[b][i].value, true, nil
}

func (m *mem) Scan(lo, hi []byte, yield func(key, value []byte) bool) error {
	lo, hi = bounds(lo, hi)
	var buf [scanChunk]memRow
	for {
		rows, err := m.chunk(lo, hi, buf[:0])
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if !yield(r.key, r.value) {
				return nil
			}
		}
		last := rows[len(rows)-1].key
		lo = append(last[:len(last):len(last)], 0)
	}
}

// chunk appends to rows the first rows of [lo, hi) until it is full.
func (m *mem) chunk(lo, hi []byte, rows []memRow) ([]memRow, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	b, i, _ := m.find(lo)
	for ; b < len(m.blocks); b, i = b+1, 0 {
		for _, r := range m.blocks[b][i:] {
			if len(rows) == cap(rows) || bytes.Compare(r.key, hi) >= 0 {
				return rows, nil
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

func (m *mem) ScanReverse(lo, hi []byte, yield func(key, value []byte) bool) error {
	lo, hi = bounds(lo, hi)
	var buf [scanChunk]memRow
	for {
		rows, err := m.chunkReverse(lo, hi, buf[:0])
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if !yield(r.key, r.value) {
				return nil
			}
		}
		hi = rows[len(rows)-1].key
	}
}

// chunkReverse appends to rows the last rows of [lo, hi), highest first.
func (m *mem) chunkReverse(lo, hi []byte, rows []memRow) ([]memRow, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	b, i, _ := m.find(hi)
	for {
		for i--; i >= 0; i-- {
			r := m.blocks[b][i]
			if len(rows) == cap(rows) || bytes.Compare(r.key, lo) < 0 {
				return rows, nil
			}
			rows = append(rows, r)
		}
		if b--; b < 0 {
			return rows, nil
		}
		i = len(m.blocks[b])
	}
}

func (m *mem) Write(b *Batch) error {
	if err := b.seal(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for _, e := range b.entries {
		if e.delete {
			m.remove(e.key)
		} else {
			m.put(e.key, e.value)
		}
	}
	for _, c := range b.checkpoints {
		m.checkpoints[c.store] = c.offset
	}
	return nil
}

func (m *mem) Checkpoint(store ID) (offset int64, ok bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	offset, ok = m.checkpoints[store]
	return offset, ok
}

func (m *mem) Size() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.bytes
}

func (m *mem) Clear(store ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	delete(m.checkpoints, store)
	kept := m.blocks[:0]
	for _, b := range m.blocks {
		out := b[:0]
		for _, r := range b {
			if idOf(r.key) == store {
				m.bytes -= r.size()
			} else {
				out = append(out, r)
			}
		}
		clear(b[len(out):])
		if len(out) > 0 {
			kept = append(kept, out)
		}
	}
	clear(m.blocks[len(kept):])
	m.blocks = kept
	return nil
}

// Opened says that the DB is new.
func (m *mem) Opened() Opened { return Opened{Created: true} }

func (m *mem) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.blocks = true, nil
	maps.DeleteFunc(m.checkpoints, func(ID, int64) bool { return true })
	return nil
}

func (r memRow) size() int64 { return int64(len(r.key)+len(r.value)) + rowOverhead }

// find returns where key is, or the place of the first key after it: block b,
// row i. Beyond the last key that is len(m.blocks), 0.
func (m *mem) find(key []byte) (b, i int, found bool) {
	b = sort.Search(len(m.blocks), func(b int) bool {
		blk := m.blocks[b]
		return bytes.Compare(blk[len(blk)-1].key, key) >= 0
	})
	if b == len(m.blocks) {
		return b, 0, false
	}
	blk := m.blocks[b]
	i = sort.Search(len(blk), func(i int) bool { return bytes.Compare(blk[i].key, key) >= 0 })
	return b, i, bytes.Equal(blk[i].key, key)
}

// put sets a key to a copy of value.
func (m *mem) put(key, value []byte) {
	value = append(make([]byte, 0, len(value)), value...)
	b, i, found := m.find(key)
	if found {
		row := &m.blocks[b][i]
		m.bytes += int64(len(value) - len(row.value))
		row.value = value
		return
	}
	row := memRow{bytes.Clone(key), value}
	m.bytes += row.size()
	if b == len(m.blocks) {
		if b == 0 {
			m.blocks = append(m.blocks, make(memBlock, 0, maxBlock))
		} else {
			b--
		}
		i = len(m.blocks[b])
	}
	if len(m.blocks[b]) == maxBlock {
		m.split(b, i)
		if n := len(m.blocks[b]); i > n || i == n && n == maxBlock {
			b, i = b+1, i-n
		}
	}
	blk := append(m.blocks[b], memRow{})
	copy(blk[i+1:], blk[i:])
	blk[i] = row
	m.blocks[b] = blk
}

// split makes two blocks of block b, which is full. Keys that come in order fill
// the last block, which is then left full.
func (m *mem) split(b, at int) {
	half := maxBlock / 2
	if b == len(m.blocks)-1 && at == maxBlock {
		half = maxBlock
	}
	right := append(make(memBlock, 0, maxBlock), m.blocks[b][half:]...)
	clear(m.blocks[b][half:])
	m.blocks[b] = m.blocks[b][:half]
	m.blocks = append(m.blocks, nil)
	copy(m.blocks[b+2:], m.blocks[b+1:])
	m.blocks[b+1] = right
}

func (m *mem) remove(key []byte) {
	b, i, found := m.find(key)
	if !found {
		return
	}
	blk := m.blocks[b]
	m.bytes -= blk[i].size()
	copy(blk[i:], blk[i+1:])
	blk[len(blk)-1] = memRow{}
	m.blocks[b] = blk[:len(blk)-1]
	if len(m.blocks[b]) == 0 {
		m.blocks = append(m.blocks[:b], m.blocks[b+1:]...)
	}
}

// bounds cuts a range down to the keys of stores; a nil hi means all of them.
func bounds(lo, hi []byte) ([]byte, []byte) {
	if bytes.Compare(lo, dataLo) < 0 {
		lo = dataLo
	}
	if hi == nil || bytes.Compare(hi, dataHi) > 0 {
		hi = dataHi
	}
	return lo, hi
}

var dataLo, dataHi = (idNames + 1).Key(nil), idCheckpoints.Key(nil)
