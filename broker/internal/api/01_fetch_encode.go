package api

import (
	"encoding/binary"
	"net"

	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/wire"
)

// The Fetch response is encoded by hand, because its size is that of the
// records, and those must not be copied: what lies between the records goes
// into one small buffer, cut where records belong.

// Segments encodes the response.
func (f *fetched) Segments(scratch []byte) net.Buffers {
	e := fetchEncoder{buf: scratch[:0], version: f.version, committed: f.committed, flexible: f.version >= 12}
	e.response(f)
	e.cut()
	return e.pieces
}

// AppendTo encodes the response into one buffer.
func (f *fetched) AppendTo(dst []byte) []byte {
	for _, b := range f.Segments(nil) {
		dst = append(dst, b...)
	}
	return dst
}

type fetchEncoder struct {
	version   int16
	committed bool
	flexible  bool
	buf       []byte
	from      int // what of buf isn't in pieces yet
	pieces    net.Buffers
}

// cut makes what was encoded since the last cut a piece. The buffer may move
// when it grows; pieces keep the old one, which isn't written to again.
func (e *fetchEncoder) cut() {
	if len(e.buf) > e.from {
		e.pieces = append(e.pieces, e.buf[e.from:len(e.buf):len(e.buf)])
		e.from = len(e.buf)
	}
}

func (e *fetchEncoder) int16(v int16) { e.buf = binary.BigEndian.AppendUint16(e.buf, uint16(v)) }
func (e *fetchEncoder) int32(v int32) { e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(v)) }
func (e *fetchEncoder) int64(v int64) { e.buf = binary.BigEndian.AppendUint64(e.buf, uint64(v)) }

func (e *fetchEncoder) response(f *fetched) {
	e.int32(throttleMillis(f.throttle))
	if e.version >= 7 {
		e.int16(f.code)
		e.int32(f.session)
	}
	e.buf = wire.AppendArray(e.buf, len(f.topics), e.flexible)
	for i := range f.topics {
		t := &f.topics[i]
		if e.version >= 13 {
			e.buf = append(e.buf, t.id[:]...)
		} else {
			e.buf = wire.AppendString(e.buf, t.name, e.flexible)
		}
		e.buf = wire.AppendArray(e.buf, len(t.partitions), e.flexible)
		for j := range t.partitions {
			e.partition(&t.partitions[j])
		}
		e.buf = appendNoTags(e.buf, e.flexible)
	}
	e.buf = appendNoTags(e.buf, e.flexible)
}

func (e *fetchEncoder) partition(p *fetchedPartition) {
	hw, lso, start := p.result.HighWatermark, p.result.LastStable, p.result.LogStart
	if p.code != 0 || p.diverged {
		hw, lso, start = -1, -1, -1
	}
	e.int32(p.index)
	e.int16(p.code)
	e.int64(hw)
	e.int64(lso)
	if e.version >= 5 {
		e.int64(start)
	}
	e.aborted(p.result.Aborted)
	if e.version >= 11 {
		e.int32(-1) // preferred replica
	}
	if e.flexible {
		e.buf = wire.AppendLength(e.buf, p.result.Size)
	} else {
		e.int32(int32(p.result.Size))
	}
	if p.result.Size > 0 {
		e.cut()
		e.pieces = append(e.pieces, p.result.Data...)
	}
	e.partitionTags(p)
}

// aborted encodes the aborted transactions, null for a reader that wants none.
func (e *fetchEncoder) aborted(list []partition.Aborted) {
	if !e.committed {
		e.buf = wire.AppendArray(e.buf, -1, e.flexible)
		return
	}
	e.buf = wire.AppendArray(e.buf, len(list), e.flexible)
	for _, a := range list {
		e.int64(a.ProducerID)
		e.int64(a.FirstOffset)
		e.buf = appendNoTags(e.buf, e.flexible)
	}
}

// divergingEpochTag is the tagged field with the end of the last epoch that
// the client and the log have in common.
const divergingEpochTag = 0

func (e *fetchEncoder) partitionTags(p *fetchedPartition) {
	if !p.diverged || !e.flexible {
		e.buf = appendNoTags(e.buf, e.flexible)
		return
	}
	const size = 4 + 8 + 1 // epoch, end offset, no tags of its own
	e.buf = append(e.buf, 1, divergingEpochTag, size)
	e.int32(p.divergedEpoch)
	e.int64(p.divergedEnd)
	e.buf = append(e.buf, 0)
}
