package partition

import (
	"context"

	"github.com/leatstream/leat/broker/internal/segment"
)

// WhenDurable reports whether the log is durable up to offset (exclusive). If
// it isn't yet, a.Done will be called once it is, or with an error when it
// cannot be; Done may be called before WhenDurable returns.
func (l *Log) WhenDurable(offset int64, a *Ack) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset <= l.hw {
		return true
	}
	if l.failed != nil || l.released {
		a.Done(l.usable())
		return false
	}
	a.offset = offset
	a.next = l.acks
	l.acks = a
	l.requestSync()
	return false
}

// WaitDurable waits until the log is durable up to offset (exclusive).
func (l *Log) WaitDurable(ctx context.Context, offset int64) error {
	done := make(chan error, 1)
	if l.WhenDurable(offset, &Ack{Done: func(err error) { done <- err }}) {
		return nil
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return l.wrap(context.Cause(ctx))
	}
}

// advance moves the high watermark up and tells who waits for it. bytes is
// endBytes as of that offset. l.mu is held.
func (l *Log) advance(hw, bytes int64) {
	if hw <= l.hw {
		return
	}
	more := int(bytes - l.hwBytes)
	l.hw, l.hwBytes = hw, bytes
	if l.producers.passed(hw) {
		more = 0 // any number of records may have become stable
	}
	for p := &l.acks; *p != nil; {
		a := *p
		if a.offset > hw {
			p = &a.next
			continue
		}
		*p = a.next
		a.next = nil
		a.Done(nil)
	}
	for w := l.waiters.next; w != &l.waiters; w = w.next {
		w.Waker.Wake(more)
	}
}

// answerAll ends all waits for durability; l.mu is held.
func (l *Log) answerAll(err error) {
	for a := l.acks; a != nil; a = l.acks {
		l.acks, a.next = a.next, nil
		a.Done(err)
	}
}

// sync makes everything that was appended before the call durable. After a
// failure the log takes no more: the kernel may have dropped the bytes, and
// another sync that succeeds would only hide it.
func (l *Log) sync() error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.mu.Lock()
	if l.failed != nil || l.released {
		defer l.mu.Unlock()
		return l.usable()
	}
	active, rolled := l.active(), l.unsynced
	to := syncedTo{offset: l.end, base: active.Base(), size: active.Size()}
	bytes := l.endBytes
	files, dir := l.newFiles, l.newDir
	l.newFiles, l.newDir, l.unflushed = false, false, 0
	l.mu.Unlock()

	err := l.timeSync(func() error {
		err := syncAll(rolled)
		if err == nil && to != l.synced {
			err = active.Sync()
		}
		if err == nil {
			err = l.syncNames(files, dir)
		}
		return err
	})

	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed = err
		l.log.Error("sync failed, the log takes no more records", "error", err)
		l.answerAll(l.usable())
		return l.usable()
	}
	l.synced = to
	l.unsynced = l.unsynced[len(rolled):]
	l.advance(to.offset, bytes)
	return nil
}

func syncAll(segs []*segment.Segment) error {
	for _, s := range segs {
		if err := s.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// scope is how much of a log a flush is about.
type scope uint8

const (
	rolledSegments scope = iota // indexes of the segments that are full
	everySegment                // of the active one too, before a close
)

// Flush makes all records durable and moves the recovery point to the end.
func (l *Log) Flush() error {
	l.clean.Lock()
	defer l.clean.Unlock()
	return l.flush(rolledSegments)
}

func (l *Log) flush(what scope) error {
	if err := l.sync(); err != nil {
		return err
	}
	l.mu.Lock()
	segs := l.segs
	l.flushedAt = l.clock.Now().UnixMilli()
	l.mu.Unlock()
	if err := l.saveAborted(); err != nil {
		return err
	}
	for i, s := range segs {
		sealed := i < len(segs)-1
		if !sealed && what != everySegment {
			continue
		}
		if err := s.SaveIndexes(); err != nil {
			return l.wrap(err)
		}
		if sealed {
			s.Unload()
		}
	}
	return l.saveCheckpoint()
}
