package partition

import (
	"errors"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
)

func noWhere() Appended {
	return Appended{BaseOffset: -1, LastOffset: -1, LogAppendTime: -1, LogStart: -1}
}

// Append puts one batch at the end of the log and gives it its offsets,
// writing them and what else has to change into b; b may be reused after the
// return. The batch is not durable yet: wait with WhenDurable for the offset
// after LastOffset. Errors about the batch, its producer or the disk carry a
// code for the client, see batch.CodeOf; nothing was appended then.
func (l *Log) Append(b []byte, a AppendArgs) (Appended, error) {
	c := l.config.Load()
	now := l.clock.Now().UnixMilli()
	rules := batch.Rules{
		Keyed:         c.Compact,
		LogAppendTime: c.LogAppendTime,
		Now:           now,
		AfterMax:      c.TimestampAfterMax,
		BeforeMax:     c.TimestampBeforeMax,
		MaxInflated:   c.MaxDecompressedSize,
	}
	limit := c.MaxMessageBytes
	if a.Origin == Coordinator {
		rules.Depth, rules.AllowControl, limit = batch.HeaderOnly, true, 0
	}
	// All that costs time is done before the log is locked.
	h, err := batch.Frame(b, limit)
	if err != nil {
		return noWhere(), l.wrap(err)
	}
	if err := batch.Validate(b, &h, rules); err != nil {
		at := noWhere()
		at.LogStart = l.Bounds().LogStart
		return at, l.wrap(err)
	}
	if c.Recompress && a.Origin == Client && h.Attributes.Codec() != c.Compression {
		if b, err = recompress(b, &h, c); err != nil {
			return noWhere(), l.wrap(err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return noWhere(), err
	}
	if h.Idempotent() {
		if s, ok := l.producers.duplicate(&h); ok && a.Origin == Client {
			return Appended{
				BaseOffset:    s.lastOffset - int64(s.delta),
				LastOffset:    s.lastOffset,
				LogAppendTime: s.timestamp,
				LogStart:      l.start,
				Duplicate:     true,
			}, nil
		}
		if err := l.producers.check(&h, a); err != nil {
			return l.refused(err), l.wrap(err)
		}
	}
	return l.write(b, &h, c, now)
}

// recompress compresses a batch as the topic wants it. It may become too large
// by that.
func recompress(b []byte, h *batch.Header, c *Config) ([]byte, error) {
	b, err := batch.Recompress(nil, b, h, c.Compression, c.MaxDecompressedSize)
	if err != nil {
		return nil, &batch.Error{Kafka: kerr.CorruptMessage, Message: "the batch can't be compressed as its topic wants it", Cause: err}
	}
	if h.Size() > c.MaxMessageBytes {
		return nil, batch.Errorf(kerr.MessageTooLarge, "the batch has %d bytes once it is compressed with %s, and may have %d", h.Size(), c.Compression, c.MaxMessageBytes)
	}
	return b, nil
}

// refused is what goes with an error about a producer: as in Kafka, the log
// start is told unless the producer was fenced.
func (l *Log) refused(err error) Appended {
	at := noWhere()
	if !errors.Is(err, kerr.InvalidProducerEpoch) {
		at.LogStart = l.start
	}
	return at
}

// write appends a batch that is good; l.mu is held.
func (l *Log) write(b []byte, h *batch.Header, c *Config, now int64) (Appended, error) {
	if err := l.rollFor(h, c); err != nil {
		l.trouble = err
		return noWhere(), err
	}
	h.BaseOffset, h.LeaderEpoch = l.end, l.Epoch()
	batch.Assign(b, h.BaseOffset, h.LeaderEpoch)
	if err := l.active().Append(b, h); err != nil {
		l.trouble = l.storage("the batch could not be written; nothing of it was kept", err)
		return noWhere(), l.trouble
	}
	l.trouble = nil
	var marker *batch.Marker
	if h.Attributes.Has(batch.Control) {
		if m, ok, err := batch.ParseMarker(b); err == nil && ok {
			marker = &m
		}
	}
	l.replay(h, marker, now)
	l.tail.add(b, h)
	l.end = h.NextOffset()
	l.endBytes += int64(len(b))
	l.unflushed += int64(h.Count)
	l.o.Traffic.in(h.Count, len(b))
	if l.o.Durability == OS {
		l.advance(l.end, l.endBytes)
	}
	if l.o.Durability == Fsync || c.FlushMessages >= 0 && l.unflushed >= c.FlushMessages {
		l.requestSync()
	}
	at := Appended{BaseOffset: h.BaseOffset, LastOffset: h.LastOffset(), LogAppendTime: -1, LogStart: l.start}
	if c.LogAppendTime {
		at.LogAppendTime = h.MaxTimestamp
	}
	return at, nil
}

// rollFor begins a new segment if the batch should not go into the active
// one; l.mu is held.
func (l *Log) rollFor(h *batch.Header, c *Config) error {
	s := l.active()
	size := s.Size()
	if size == 0 && l.end-s.Base()+int64(h.LastOffsetDelta) <= math.MaxInt32 {
		return nil
	}
	first := s.FirstTimestamp()
	old := first >= 0 && c.SegmentAge >= 0 && h.MaxTimestamp-first > c.SegmentAge.Milliseconds()
	if old || size+int64(h.Size()) > c.SegmentBytes || !s.Fits(h.Size(), l.end+int64(h.LastOffsetDelta)) {
		return l.roll()
	}
	return nil
}

// roll begins a new segment at the end of the log; l.mu is held.
func (l *Log) roll() error {
	s, err := segment.Create(l.segmentOptions(l.end, ""))
	if err != nil {
		return l.storage("a new segment could not be created", err)
	}
	l.unsynced = append(l.unsynced, l.active())
	l.segs = append(l.segs[:len(l.segs):len(l.segs)], s)
	l.newFiles = true
	l.writeSnapshot(l.end, l.producers.encode())
	return nil
}
