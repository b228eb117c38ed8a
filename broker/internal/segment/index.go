package segment

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// Entry sizes of the index files, in bytes.
const (
	offsetEntrySize = 8
	timeEntrySize   = 12
)

// offsetEntry is the last offset of a batch, relative to the segment's base,
// in the upper half, and the position where the batch begins in the lower.
type offsetEntry uint64

func makeOffsetEntry(relative uint32, pos uint32) offsetEntry {
	return offsetEntry(relative)<<32 | offsetEntry(pos)
}

func (e offsetEntry) relative() int64 { return int64(e >> 32) }
func (e offsetEntry) pos() int64      { return int64(uint32(e)) }

// timeEntry says that timestamp is the largest up to the batch that ends with
// the relative offset.
type timeEntry struct {
	timestamp int64
	relative  uint32
}

// indexes are the sparse indexes of one segment.
type indexes struct {
	offsets []offsetEntry
	times   []timeEntry
}

// floor is the position of the last indexed batch whose last offset is at
// most the relative one; the batch that holds the offset does not come before.
func (x *indexes) floor(relative int64) int64 {
	i := sort.Search(len(x.offsets), func(i int) bool { return x.offsets[i].relative() > relative })
	if i == 0 {
		return 0
	}
	return x.offsets[i-1].pos()
}

// timeFloor is a position before which all timestamps are below ts.
func (x *indexes) timeFloor(ts int64) int64 {
	i := sort.Search(len(x.times), func(i int) bool { return x.times[i].timestamp >= ts })
	if i == 0 {
		return 0
	}
	return x.floor(int64(x.times[i-1].relative))
}

func (x *indexes) lastTime() (timeEntry, bool) {
	if len(x.times) == 0 {
		return timeEntry{}, false
	}
	return x.times[len(x.times)-1], true
}

// addTime adds an entry if it says something new.
func (x *indexes) addTime(ts int64, relative uint32) {
	if last, ok := x.lastTime(); ok && (ts <= last.timestamp || relative < last.relative) {
		return
	}
	if ts < 0 {
		return
	}
	x.times = append(x.times, timeEntry{ts, relative})
}

func (x *indexes) encodeOffsets() []byte {
	b := make([]byte, 0, len(x.offsets)*offsetEntrySize)
	for _, e := range x.offsets {
		b = binary.BigEndian.AppendUint64(b, uint64(e))
	}
	return b
}

func (x *indexes) encodeTimes() []byte {
	b := make([]byte, 0, len(x.times)*timeEntrySize)
	for _, e := range x.times {
		b = binary.BigEndian.AppendUint64(b, uint64(e.timestamp))
		b = binary.BigEndian.AppendUint32(b, e.relative)
	}
	return b
}

// decodeIndexes reads both index files of a segment of the given size. Index
// files are believed only as far as this can see; a damaged one costs a
// rebuild and no more.
func decodeIndexes(offsets, times []byte, size int64) (*indexes, error) {
	if len(offsets)%offsetEntrySize != 0 || len(times)%timeEntrySize != 0 {
		return nil, fmt.Errorf("%w: %d and %d bytes are no whole entries", ErrIndex, len(offsets), len(times))
	}
	x := &indexes{
		offsets: make([]offsetEntry, 0, len(offsets)/offsetEntrySize),
		times:   make([]timeEntry, 0, len(times)/timeEntrySize),
	}
	for b := offsets; len(b) > 0; b = b[offsetEntrySize:] {
		e := offsetEntry(binary.BigEndian.Uint64(b))
		if n := len(x.offsets); n > 0 && (e.relative() <= x.offsets[n-1].relative() || e.pos() <= x.offsets[n-1].pos()) {
			return nil, fmt.Errorf("%w: offset entry %d does not grow", ErrIndex, n)
		}
		if e.pos() >= size {
			return nil, fmt.Errorf("%w: position %d in a segment of %d bytes", ErrIndex, e.pos(), size)
		}
		x.offsets = append(x.offsets, e)
	}
	for b := times; len(b) > 0; b = b[timeEntrySize:] {
		e := timeEntry{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint32(b[8:])}
		if last, ok := x.lastTime(); ok && (e.timestamp <= last.timestamp || e.relative < last.relative) {
			return nil, fmt.Errorf("%w: time entry %d does not grow", ErrIndex, len(x.times))
		}
		x.times = append(x.times, e)
	}
	return x, nil
}
