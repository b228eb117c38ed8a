package partition

import (
	"slices"

	"github.com/leatstream/leat/broker/internal/segment"
)

// heal lets a log take records again after a failed sync, if the disk does what
// it is asked to again. What may not be on it is read back, checked and written
// once more: to sync once more wouldn't do, since the operating system may take
// pages for written that never were. Records that were appended and not
// acknowledged become visible then. l.clean is held.
func (l *Log) heal() error {
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.mu.Lock()
	if l.failed == nil || l.closed {
		defer l.mu.Unlock()
		return l.usable()
	}
	segs := append(slices.Clone(l.unsynced), l.active())
	synced := l.synced
	l.mu.Unlock()

	// Nothing is appended meanwhile, and compaction takes no log that failed.
	if err := rewrite(segs, synced); err != nil {
		return l.storage("the log stopped after a failed sync, and what it holds can't be written again; restart the broker once the disk is sound", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed, l.trouble = nil, nil
	l.newFiles, l.newDir = true, true // their sync may be the one that failed
	l.log.Info("the disk is sound again, the log takes records")
	return nil
}

func rewrite(segs []*segment.Segment, synced syncedTo) error {
	for _, s := range segs {
		var from int64
		switch {
		case s.Base() < synced.base:
			continue
		case s.Base() == synced.base:
			from = synced.size
		}
		if err := s.Rewrite(from); err != nil {
			return err
		}
	}
	return nil
}
