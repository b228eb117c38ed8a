package cache

import (
	"cmp"
	"encoding/binary"

	"github.com/leatstream/leat/internal/store"
)

// Layout says where the cells of a store lie in the database.
//
// A plain store is ordered by key: prefix, key. One with a retention is cut
// into segments of time, so that what expired lies together: prefix, segment
// (8 bytes, big-endian), key. The time of a cell is read from its encoded key.
type Layout struct {
	Retention int64                  // milliseconds; 0: cells never expire; Nothing: at once
	TimeOf    func(key []byte) int64 // of an encoded key; nil for a plain store
	// ShowCached lets what has expired be seen as long as it is in memory, which
	// is what the caches of Kafka Streams do.
	ShowCached bool
}

// Nothing is the retention of a store that shows nothing of what is put into it,
// which is what Kafka Streams makes of one of no time.
const Nothing = -1

// minSegment keeps the number of segments, and so the cost of looking at each,
// small for short retentions.
const minSegment = 60_000

func (l *Layout) segmented() bool { return l.TimeOf != nil }

func (l *Layout) interval() int64 {
	if l.Retention == 0 {
		return 1 << 40 // one segment holds 34 years
	}
	return max(l.Retention/2, minSegment)
}

// kept reports whether a cell that changed is worth keeping. One that has expired
// is not: nobody would read it in the database, and it may come after its segment
// was deleted.
func (l *Layout) kept(time, latest int64) bool { return l.ShowCached || !l.expired(time, latest) }

// expired reports whether a cell of the given time is too old to be seen when
// the newest one is of the time latest.
func (l *Layout) expired(time, latest int64) bool {
	return l.Retention != 0 && time <= latest-max(l.Retention, 0)
}

// appendKey appends the database key of an encoded key.
func (l *Layout) appendKey(dst []byte, id store.ID, key []byte) []byte {
	dst = id.Key(dst)
	if l.segmented() {
		dst = binary.BigEndian.AppendUint64(dst, uint64(l.TimeOf(key)/l.interval()))
	}
	return append(dst, key...)
}

// prefixLen is how much of a database key comes before the encoded key.
func (l *Layout) prefixLen() int {
	if l.segmented() {
		return store.PrefixLen + 8
	}
	return store.PrefixLen
}

// expiry deletes the segments of which every cell has expired, a few cells with
// each commit: one big deletion would stop the task.
type expiry struct {
	low int64 // segments below it are empty
}

// expirePerCommit is how many cells a commit deletes at least; it deletes more
// where more are written, so that it never falls behind for good.
const expirePerCommit = 2000

// expired finds up to limit cells that have expired, oldest segments first, and
// calls yield with their database keys.
func (e *expiry) expired(l *Layout, db store.DB, id store.ID, latest int64, limit int, yield func(key []byte) error) error {
	if l.Retention == 0 || !l.segmented() || latest < 0 {
		return nil
	}
	// A segment is dead when even its last moment has expired.
	live := (latest - max(l.Retention, 0) + 1) / l.interval()
	if live <= e.low {
		return nil
	}
	lo := binary.BigEndian.AppendUint64(id.Key(nil), uint64(e.low))
	hi := binary.BigEndian.AppendUint64(id.Key(nil), uint64(live))
	n := 0
	var failed error
	err := db.Scan(lo, hi, func(key, _ []byte) bool {
		failed = yield(key)
		n++
		return failed == nil && n < limit
	})
	if err == nil && failed == nil && n < limit {
		e.low = live
	}
	return cmp.Or(failed, err)
}
