package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// Aborted is an aborted transaction of which some batches may be among those
// that a read returned.
type Aborted struct {
	ProducerID  int64
	FirstOffset int64
}

// abortedTxn is an aborted transaction that has batches in the log: from first
// to its marker at last. stable is the offset before which no transaction was
// open when the marker came.
type abortedTxn struct {
	producer, first, last, stable int64
}

// A segment whose markers ended transactions that have batches left has a
// .txnindex file, in Kafka's format: an entry for each, in order of markers,
//
//	version i16 = 0 | producer id i64 | first i64 | last i64 | stable i64
//
// Unlike the other indexes it is believed, up to the recovery point, since
// nothing but a walk over the whole log could tell that it lacks an entry.
const abortedEntry = 2 + 4*8

var errTxnIndex = errors.New("damaged index of transactions")

func encodeAborted(list []abortedTxn) []byte {
	be := binary.BigEndian
	b := make([]byte, 0, len(list)*abortedEntry)
	for _, a := range list {
		b = be.AppendUint16(b, 0)
		b = be.AppendUint64(b, uint64(a.producer))
		b = be.AppendUint64(b, uint64(a.first))
		b = be.AppendUint64(b, uint64(a.last))
		b = be.AppendUint64(b, uint64(a.stable))
	}
	return b
}

func decodeAborted(b []byte) ([]abortedTxn, error) {
	if len(b)%abortedEntry != 0 {
		return nil, fmt.Errorf("%w: %d bytes", errTxnIndex, len(b))
	}
	be := binary.BigEndian
	list := make([]abortedTxn, 0, len(b)/abortedEntry)
	for ; len(b) > 0; b = b[abortedEntry:] {
		a := abortedTxn{int64(be.Uint64(b[2:])), int64(be.Uint64(b[10:])), int64(be.Uint64(b[18:])), int64(be.Uint64(b[26:]))}
		if v := be.Uint16(b); v != 0 {
			return nil, fmt.Errorf("%w: entry of version %d", errTxnIndex, v)
		}
		if a.first < 0 || a.first > a.last || a.stable > a.last+1 || len(list) > 0 && a.last <= list[len(list)-1].last {
			return nil, fmt.Errorf("%w: entry %+v", errTxnIndex, a)
		}
		list = append(list, a)
	}
	return list, nil
}

// markedIn is the part of list whose markers lie in [lo, end).
func markedIn(list []abortedTxn, lo, end int64) []abortedTxn {
	i := sort.Search(len(list), func(i int) bool { return list[i].last >= lo })
	j := sort.Search(len(list), func(i int) bool { return list[i].last >= end })
	return list[i:max(i, j)]
}

// overlapping is the aborted transactions with batches in [lo, end).
func overlapping(list []abortedTxn, lo, end int64) []Aborted {
	var found []Aborted
	i := sort.Search(len(list), func(i int) bool { return list[i].last >= lo })
	for _, a := range list[i:] {
		if a.first < end {
			found = append(found, Aborted{a.producer, a.first})
		}
		if a.stable >= end {
			break // those that ended later also began later
		}
	}
	return found
}

func (l *Log) txnIndexName(base int64, suffix string) string {
	return vfs.Join(l.o.Dir, segment.FileName(base, segment.TxnIndexSuffix)+suffix)
}

// loadAborted reads the aborted transactions up to the recovery point.
func (l *Log) loadAborted() error {
	l.aborted, l.abortedSaved = nil, l.synced.offset
	for _, s := range l.segs {
		if s.Base() > l.synced.base {
			break
		}
		b, err := vfs.ReadFile(l.o.FS, l.txnIndexName(s.Base(), ""))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		list, err := decodeAborted(b)
		if err != nil {
			l.log.Warn("index of transactions ignored, the whole log will be walked", "segment", s.Path(), "error", err)
			return l.rebuildAborted()
		}
		l.aborted = append(l.aborted, markedIn(list, s.Base(), min(s.Next(), l.synced.offset))...)
	}
	return nil
}

// rebuildAborted finds the aborted transactions up to the recovery point in the
// log itself.
func (l *Log) rebuildAborted() error {
	l.aborted, l.abortedSaved = nil, 0
	ps := newProducers()
	return l.eachHeader(0, func(h *batch.Header, m *batch.Marker) {
		switch {
		case h.BaseOffset >= l.synced.offset:
		case !h.Attributes.Has(batch.Control):
			ps.note(h, 0)
		case m != nil:
			first, stable, found := ps.end(h, *m, 0)
			ps.passed(l.end)
			if found && m.Outcome == batch.Abort {
				l.aborted = append(l.aborted, abortedTxn{h.ProducerID, first, h.BaseOffset, stable})
			}
		}
	})
}

// saveAborted writes the index files that are behind; l.clean is held.
func (l *Log) saveAborted() error {
	l.mu.Lock()
	segs, list, from, end := l.segs, l.aborted, l.abortedSaved, l.end
	l.mu.Unlock()
	for i, s := range segs {
		next := end
		if i+1 < len(segs) {
			next = segs[i+1].Base()
		}
		if len(markedIn(list, max(from, s.Base()), next)) == 0 {
			continue
		}
		if err := vfs.WriteAtomic(l.o.FS, l.txnIndexName(s.Base(), ""), encodeAborted(markedIn(list, s.Base(), next))); err != nil {
			return fmt.Errorf("%s: save index of transactions: %w", l.name(), err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.abortedSaved = end
	return nil
}

// unsavedAborted reports whether a restart at the recovery point would miss an
// aborted transaction; l.mu is held.
func (l *Log) unsavedAborted() bool {
	return len(markedIn(l.aborted, l.abortedSaved, l.synced.offset)) > 0
}

// dropAborted forgets those whose markers were deleted; l.mu is held.
func (l *Log) dropAborted() {
	i := sort.Search(len(l.aborted), func(i int) bool { return l.aborted[i].last >= l.segs[0].Base() })
	l.aborted = l.aborted[i:]
}

// replaceAborted puts what compaction has left in the place of those with
// markers in [lo, end). Readers may hold the old list. l.mu is held.
func (l *Log) replaceAborted(lo, end int64, left []abortedTxn) {
	i := sort.Search(len(l.aborted), func(i int) bool { return l.aborted[i].last >= lo })
	n := len(markedIn(l.aborted, lo, end))
	l.aborted = slices.Concat(l.aborted[:i], left, l.aborted[i+n:])
}
