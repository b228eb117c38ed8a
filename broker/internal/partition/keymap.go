package partition

import "hash/maphash"

// keyMap remembers where each key was seen last. It keeps a hash of 128 bits
// in place of the key, with a seed of its own: nobody can prepare keys that
// collide, and by chance two do so once in many lifetimes of a log.
type keyMap struct {
	hi, lo maphash.Seed
	last   map[[2]uint64]int64
	limit  int
}

func newKeyMap(limit int) *keyMap {
	return &keyMap{hi: maphash.MakeSeed(), lo: maphash.MakeSeed(), last: map[[2]uint64]int64{}, limit: limit}
}

func (m *keyMap) hash(key []byte) [2]uint64 {
	return [2]uint64{maphash.Bytes(m.hi, key), maphash.Bytes(m.lo, key)}
}

// put notes that key is at offset. It reports false if there is no room for
// another key, unless it must be taken.
func (m *keyMap) put(key []byte, offset int64, must bool) bool {
	h := m.hash(key)
	if _, known := m.last[h]; !known && !must && len(m.last) >= m.limit {
		return false
	}
	m.last[h] = offset
	return true
}

// superseded reports whether key was seen after offset.
func (m *keyMap) superseded(key []byte, offset int64) bool {
	last, known := m.last[m.hash(key)]
	return known && last > offset
}
