package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"

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
//	producer: id i64, epoch i16, used at i64, n u8, n batches
//	batch: first seq i32, last seq i32, last offset i64, delta i32, timestamp i64
const (
	snapshotVersion   = 0x4c01
	snapshotHeader    = 2 + 4 + 4
	snapshotProducer  = 8 + 2 + 8 + 1
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
		p := &producer{epoch: int16(be.Uint16(b[8:])), usedAt: int64(be.Uint64(b[10:])), n: int(b[18])}
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
// newest usable snapshot, and the batches after it.
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
	return l.replayProducers(from, now)
}

func (l *Log) replayProducers(from, now int64) error {
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
			if err != nil {
				return fmt.Errorf("%s: %w", s.Path(), err)
			}
			if h.BaseOffset >= from {
				l.producers.note(&h, now)
			}
		}
	}
	return nil
}
