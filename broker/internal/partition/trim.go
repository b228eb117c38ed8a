package partition

import (
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
)

// DeleteRecords moves the log start up to the offset before, or to the high
// watermark if that is -1, and returns the log start. It is durable on return;
// the space is freed by Retain. An offset beyond the high watermark is a
// *RangeError, and a topic that is only compacted refuses.
func (l *Log) DeleteRecords(before int64) (logStart int64, err error) {
	if c := l.config.Load(); c.Compact && !c.Delete {
		return -1, l.wrap(batch.Errorf(kerr.PolicyViolation, "records of a topic with cleanup.policy compact are deleted by tombstones"))
	}
	l.mu.Lock()
	if before == -1 {
		before = l.hw
	}
	if err := l.usable(); err != nil {
		l.mu.Unlock()
		return -1, err
	}
	if before < 0 || before > l.hw {
		defer l.mu.Unlock()
		return -1, l.outside(before)
	}
	if before > l.start {
		l.start = before
		l.wakeAll()
	}
	start := l.start
	l.mu.Unlock()
	return start, l.saveCheckpoint()
}

// Retain is the round of maintenance that every log needs now and then: it
// makes full segments durable and moves the recovery point, takes segments
// out of the log that are too old, too many or before the log start, removes
// the files of those whose delay is over, and forgets idle producers. It is
// also when flush.ms is looked at, and when the memory of a log that nobody
// wrote to since the last round is given back. now is the time by which all of
// that is judged. Segments whose records have no timestamps do not age.
func (l *Log) Retain(now time.Time) (Retained, error) {
	l.clean.Lock()
	defer l.clean.Unlock()
	c := l.config.Load()
	ms := now.UnixMilli()
	l.mu.Lock()
	failed := l.failed != nil
	l.mu.Unlock()
	if failed {
		if err := l.heal(); err != nil {
			return Retained{}, err
		}
		if err := l.sync(); err != nil {
			return Retained{}, err
		}
	}
	l.mu.Lock()
	if err := l.usable(); err != nil {
		l.mu.Unlock()
		return Retained{}, err
	}
	err := l.rollExpired(c, ms)
	due := c.FlushInterval >= 0 && l.end > l.synced.offset && ms-l.flushedAt >= c.FlushInterval.Milliseconds()
	due = due || len(l.unsynced) > 0 || l.recovery < l.synced.offset
	l.mu.Unlock()
	if err == nil && due {
		err = l.flush(rolledSegments)
	}
	// A disk that is full lets no index be written, and is the very reason to
	// delete what may go.
	l.mu.Lock()
	broken := l.failed != nil
	l.mu.Unlock()
	if broken {
		return Retained{}, err
	}
	r, gone := l.cutStart(c, ms)
	l.mu.Lock()
	if err == nil {
		l.trouble = nil // the next write may succeed
	}
	if c.ProducerExpiry > 0 {
		r.Expired = l.producers.expire(ms - c.ProducerExpiry.Milliseconds())
	}
	if l.idleBytes == l.endBytes {
		l.tail.drop() // nobody wrote since the last round: give the memory back
	}
	l.idleBytes = l.endBytes
	keep := l.recovery
	moved := keep != l.keptFrom
	l.keptFrom = keep
	l.mu.Unlock()
	if moved {
		l.dropSnapshots(keep)
	}
	if len(gone) > 0 {
		// The files may go only when the log start that needs them no more
		// is on the disk.
		err = errors.Join(err, l.saveCheckpoint())
	}
	l.retire(gone, ms, c)
	return r, errors.Join(err, l.purge(ms))
}

// rollExpired begins a new segment if all records of the active one are to
// go; l.mu is held.
func (l *Log) rollExpired(c *Config, now int64) error {
	s := l.active()
	if s.Size() == 0 || l.hw < l.end {
		return nil
	}
	ts, _ := s.MaxTimestamp()
	expired := c.Delete && c.Retention >= 0 && ts >= 0 && now-ts > c.Retention.Milliseconds()
	if expired || l.start == l.end {
		return l.roll()
	}
	return nil
}

// cutStart takes segments from the log's start that retention does not keep.
// The active one stays, and so do those that are not on the disk yet.
func (l *Log) cutStart(c *Config, now int64) (Retained, []*segment.Segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	size := sizeOf(l.segs)
	var freed int64
	for ; n < len(l.segs)-1; n++ {
		s := l.segs[n]
		next := l.segs[n+1].Base()
		if next > l.hw || slices.Contains(l.unsynced, s) {
			break
		}
		ts, _ := s.MaxTimestamp()
		old := c.Delete && c.Retention >= 0 && ts >= 0 && now-ts > c.Retention.Milliseconds()
		much := c.Delete && c.RetentionBytes >= 0 && size-freed-s.Size() >= c.RetentionBytes
		if next > l.start && !old && !much {
			break
		}
		freed += s.Size()
		l.start = max(l.start, next)
	}
	gone := l.segs[:n:n]
	l.segs = slices.Clone(l.segs[n:])
	l.dropAborted()
	if n > 0 {
		l.wakeAll()
	}
	return Retained{Segments: n, Bytes: freed, LogStart: l.start}, gone
}

// retire renames segments that left the log, and puts them where purge finds
// them after the delay.
func (l *Log) retire(gone []*segment.Segment, now int64, c *Config) {
	for _, s := range gone {
		if err := s.Rename(segment.DeletedSuffix); err != nil {
			// It will be removed under its own name just as well.
			l.log.Warn("segment could not be renamed", "error", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range gone {
		l.retired = append(l.retired, retired{s, now + c.FileDeleteDelay.Milliseconds()})
	}
}

// purge removes the files of retired segments whose time has come. It does
// not wait for reads of them that have begun: those look again.
func (l *Log) purge(now int64) error {
	l.mu.Lock()
	var due []*segment.Segment
	l.retired = slices.DeleteFunc(l.retired, func(r retired) bool {
		if r.at <= now {
			due = append(due, r.s)
			return true
		}
		return false
	})
	l.mu.Unlock()
	var err error
	for _, s := range due {
		err = errors.Join(err, s.Remove())
	}
	return l.wrap(err)
}
