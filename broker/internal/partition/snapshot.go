package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// A snapshot is the state of all producers at the offset in its name, so that
// opening a log need not walk all of it. Its version is one that Kafka does
// not know: Kafka's own keeps only each producer's last batch, and a retry of
// an older one would be stored twice after a restart. Kafka discards a
// snapshot of an unknown version and walks the log.
//
//	version u16 | crc32c u32 of the rest | count u32 | producers
//	producer: id i64, epoch i16, used at i64, last timestamp i64,
//	          coordinator epoch i32, first offset of its transaction i64,
//	          n u8, n batches
//	batch: first seq i32, last seq i32, last offset i64, delta i32, timestamp i64
const (
	snapshotVersion   = 0x4c02
	snapshotHeader    = 2 + 4 + 4
	snapshotProducer  = 8 + 2 + 8 + 8 + 4 + 8 + 1
	snapshotBatchSize = 4 + 4 + 8 + 4 + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errSnapshot = errors.New("damaged producer snapshot")

func (ps *producers) encode() []byte {
	be := binary.BigEndian
	b := make([]byte, snapshotHeader, snapshotHeader+len(ps.m)*(snapshotProducer+snapshotBatchSize))
	for _, id := range slices.Sorted(maps.Keys(ps.m)) {
		p := ps.m[id]
		b = be.AppendUint64(b, uint64(id))
		b = be.AppendUint16(b, uint16(p.epoch))
		b = be.AppendUint64(b, uint64(p.usedAt))
		b = be.AppendUint64(b, uint64(p.lastAt))
		b = be.AppendUint32(b, uint32(p.coordinatorEpoch))
		b = be.AppendUint64(b, uint64(p.txnStart))
		b = append(b, byte(p.n))
		for _, s := range p.recent[:p.n] {
			b = be.AppendUint32(b, uint32(s.firstSeq))
			b = be.AppendUint32(b, uint32(s.lastSeq))
			b = be.AppendUint64(b, uint64(s.lastOffset))
			b = be.AppendUint32(b, uint32(s.delta))
			b = be.AppendUint64(b, uint64(s.timestamp))
		}
	}
	be.PutUint16(b, snapshotVersion)
	be.PutUint32(b[6:], uint32(len(ps.m)))
	be.PutUint32(b[2:], crc32.Checksum(b[6:], castagnoli))
	return b
}

func decodeProducers(b []byte) (*producers, error) {
	be := binary.BigEndian
	if len(b) < snapshotHeader || be.Uint16(b) != snapshotVersion {
		return nil, fmt.Errorf("%w: not a snapshot of version %#x", errSnapshot, snapshotVersion)
	}
	if crc32.Checksum(b[6:], castagnoli) != be.Uint32(b[2:]) {
		return nil, fmt.Errorf("%w: checksum", errSnapshot)
	}
	count := be.Uint32(b[6:])
	ps := newProducers()
	b = b[snapshotHeader:]
	for range count {
		if len(b) < snapshotProducer {
			return nil, fmt.Errorf("%w: %w", errSnapshot, io.ErrUnexpectedEOF)
		}
		p := &producer{
			epoch: int16(be.Uint16(b[8:])), usedAt: int64(be.Uint64(b[10:])), lastAt: int64(be.Uint64(b[18:])),
			coordinatorEpoch: int32(be.Uint32(b[26:])), txnStart: int64(be.Uint64(b[30:])), n: int(b[38]),
		}
		ps.m[int64(be.Uint64(b))] = p
		b = b[snapshotProducer:]
		if p.n > recentBatches || len(b) < p.n*snapshotBatchSize {
			return nil, fmt.Errorf("%w: %d batches of a producer", errSnapshot, p.n)
		}
		for i := range p.n {
			p.recent[i] = sent{
				firstSeq:   int32(be.Uint32(b)),
				lastSeq:    int32(be.Uint32(b[4:])),
				lastOffset: int64(be.Uint64(b[8:])),
				delta:      int32(be.Uint32(b[16:])),
				timestamp:  int64(be.Uint64(b[20:])),
			}
			b = b[snapshotBatchSize:]
		}
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", errSnapshot, len(b))
	}
	ps.reopen()
	return ps, nil
}

// writeSnapshot stores encoded producers as they are at offset.
func (l *Log) writeSnapshot(offset int64, encoded []byte) {
	name := vfs.Join(l.o.Dir, segment.FileName(offset, segment.SnapshotSuffix))
	if err := vfs.WriteFile(l.o.FS, name, encoded); err != nil {
		// Without it the next start takes longer, no more.
		l.log.Warn("producer snapshot not written", "error", err)
	}
}

// snapshots lists the offsets of the snapshots on disk, in order.
func (l *Log) snapshots() ([]int64, error) {
	list, err := l.o.FS.ReadDir(l.o.Dir)
	if err != nil {
		return nil, err
	}
	var offsets []int64
	for _, e := range list {
		if at, suffix, ok := segment.ParseName(e.Name); ok && suffix == segment.SnapshotSuffix {
			offsets = append(offsets, at)
		}
	}
	return offsets, nil // names have leading zeros: their order is that of offsets
}

// dropSnapshots removes those that no restart can need: all before the newest
// that is at most keep.
func (l *Log) dropSnapshots(keep int64) {
	offsets, err := l.snapshots()
	if err != nil {
		return // nothing depends on it, and the next round will try
	}
	for i, at := range offsets {
		if i+1 < len(offsets) && offsets[i+1] <= keep {
			_ = l.removeSnapshot(at)
		}
	}
}

func (l *Log) removeSnapshot(at int64) error {
	return l.o.FS.Remove(vfs.Join(l.o.Dir, segment.FileName(at, segment.SnapshotSuffix)))
}

// loadProducers rebuilds the producers' state as of the log's end: from the
// newest usable snapshot up to the recovery point, and the batches after it.
// Newer snapshots would do for the producers, but between them and the
// recovery point the aborted transactions are still to be found.
func (l *Log) loadProducers(now int64) error {
	offsets, err := l.snapshots()
	if err != nil {
		return err
	}
	l.producers = newProducers()
	from := l.start
	for _, at := range slices.Backward(offsets) {
		if at > l.end {
			// Of records that are gone; the offsets will be given out again.
			if err := l.removeSnapshot(at); err != nil {
				return err
			}
			continue
		}
		if at > l.synced.offset {
			continue
		}
		b, err := vfs.ReadFile(l.o.FS, vfs.Join(l.o.Dir, segment.FileName(at, segment.SnapshotSuffix)))
		if err != nil {
			return err
		}
		ps, err := decodeProducers(b)
		if err != nil {
			l.log.Warn("producer snapshot ignored", "offset", at, "error", err)
			continue
		}
		l.producers, from = ps, at
		break
	}
	if err := l.eachHeader(from, func(h *batch.Header, m *batch.Marker) { l.replay(h, m, now) }); err != nil {
		return err
	}
	l.producers.passed(l.hw)
	return nil
}

// replay takes a batch of the log into account; m is its marker, if it is a
// control batch that has one.
func (l *Log) replay(h *batch.Header, m *batch.Marker, now int64) {
	switch {
	case !h.Attributes.Has(batch.Control):
		l.producers.note(h, now)
	case m == nil:
		// Compaction has left no more than the epoch.
		l.producers.of(h).usedAt = now
	default:
		first, stable, found := l.producers.end(h, *m, now)
		if found && m.Outcome == batch.Abort && h.BaseOffset >= l.synced.offset {
			l.aborted = append(l.aborted, abortedTxn{h.ProducerID, first, h.BaseOffset, stable})
		}
	}
}

// eachHeader walks the batches from the one with an offset on, with the markers of those
// that are control batches.
func (l *Log) eachHeader(from int64, do func(*batch.Header, *batch.Marker)) error {
	for _, s := range l.segs {
		if s.Next() <= from {
			continue
		}
		pos, err := s.Floor(from)
		if err != nil {
			return err
		}
		for sc := s.Scan(pos); ; {
			h, _, err := sc.Next()
			if err == io.EOF {
				break
			}
			var m *batch.Marker
			if err == nil && h.LastOffset() >= from && h.Attributes.Has(batch.Control) {
				m, err = markerOf(sc, &h)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", s.Path(), err)
			}
			if h.LastOffset() >= from {
				do(&h, m)
			}
		}
	}
	return nil
}

// markerOf reads the marker of the control batch that the scanner is at.
func markerOf(sc *segment.Scanner, h *batch.Header) (*batch.Marker, error) {
	b, err := sc.Batch(h)
	if err != nil {
		return nil, err
	}
	m, ok, err := batch.ParseMarker(b)
	if err != nil || !ok {
		return nil, err
	}
	return &m, nil
}
