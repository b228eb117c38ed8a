package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// Open opens the log in o.Dir, or makes an empty one. After a stop that was
// not in order it checks what was not known to be on the disk and cuts the
// log before the first batch that is not whole.
func Open(o Options, c Config) (*Log, error) {
	l := &Log{o: o, log: o.Log, clock: clock.Or(o.Clock)}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.log = l.log.With("topic", o.Topic, "partition", o.Partition)
	l.tail.limit = o.TailBytes
	if l.tail.limit <= 0 {
		l.tail.limit = defaultTail
	}
	l.waiters.prev, l.waiters.next = &l.waiters, &l.waiters
	l.SetConfig(c)
	if err := l.open(); err != nil {
		for _, s := range l.segs {
			s.Close()
		}
		return nil, fmt.Errorf("open log %s in %s: %w", l.name(), o.Dir, err)
	}
	return l, nil
}

func (l *Log) open() error {
	if l.o.Durability == Fsync && l.o.Syncer == nil {
		return errors.New("durability Fsync needs a Syncer")
	}
	if _, err := l.o.FS.ReadDir(l.o.Dir); errors.Is(err, fs.ErrNotExist) {
		if err := l.o.FS.MkdirAll(l.o.Dir); err != nil {
			return err
		}
		l.newDir = true
	}
	saved, err := l.readCheckpoint()
	if err != nil {
		return err
	}
	l.saved, l.synced, l.cleanedTo = saved, saved.synced, saved.cleanedTo
	if err := l.finishSwaps(); err != nil {
		return err
	}
	if err := l.redo(); err != nil {
		return err
	}
	if err := l.openSegments(); err != nil {
		return err
	}
	if err := l.settle(saved.start); err != nil {
		return err
	}
	now := l.clock.Now().UnixMilli()
	l.flushedAt = now
	if err := l.loadAborted(); err != nil {
		return err
	}
	if err := l.loadProducers(now); err != nil {
		return err
	}
	lost := l.found.Truncated > 0 || l.o.Unclean && l.end > 0
	if err := l.loadEpochs(lost); err != nil {
		return err
	}
	if l.found.Scanned+l.found.Truncated > 0 {
		l.log.Info("log recovered", "checked_bytes", l.found.Scanned, "cut_bytes", l.found.Truncated, "log_end", l.end)
	}
	l.recovery, l.journaled = l.saved.synced.offset, syncedTo{offset: l.end, base: l.active().Base(), size: l.active().Size()}
	return l.afterRedo()
}

// finishSwaps ends what a crash interrupted: removals, compactions that were
// not complete (they are forgotten) or complete (they take effect).
func (l *Log) finishSwaps() error {
	list, err := l.o.FS.ReadDir(l.o.Dir)
	if err != nil {
		return err
	}
	var swaps, logs, unfinished []int64
	for _, e := range list {
		base, suffix, ok := segment.ParseName(e.Name)
		switch {
		case ok && suffix == segment.LogSuffix+segment.CleanedSuffix:
			unfinished = append(unfinished, base)
		case strings.HasSuffix(e.Name, segment.DeletedSuffix),
			strings.HasSuffix(e.Name, segment.CleanedSuffix),
			strings.HasSuffix(e.Name, ".tmp"):
			err = errors.Join(err, l.o.FS.Remove(vfs.Join(l.o.Dir, e.Name)))
		case ok && suffix == segment.LogSuffix+segment.SwapSuffix:
			swaps = append(swaps, base)
		case ok && suffix == segment.LogSuffix:
			logs = append(logs, base)
		}
	}
	for _, base := range swaps {
		err = errors.Join(err, l.finishSwap(base, logs))
	}
	if err != nil {
		return err
	}
	return l.settleStray(unfinished)
}

// settleStray sees to the indexes of a swap whose log file has another name.
// As long as that is the one of an unfinished copy, its index of transactions
// is of no use either; afterwards the log file has arrived where the index was
// going. The other indexes can be made anew.
func (l *Log) settleStray(unfinished []int64) error {
	list, err := l.o.FS.ReadDir(l.o.Dir)
	for _, e := range list {
		if !strings.HasSuffix(e.Name, segment.SwapSuffix) {
			continue
		}
		name := vfs.Join(l.o.Dir, e.Name)
		base, suffix, _ := segment.ParseName(e.Name)
		if suffix == segment.TxnIndexSuffix+segment.SwapSuffix && !slices.Contains(unfinished, base) {
			err = errors.Join(err, l.o.FS.Rename(name, l.txnIndexName(base, "")))
			continue
		}
		err = errors.Join(err, l.o.FS.Remove(name))
	}
	if err != nil || len(unfinished) == 0 {
		return err
	}
	// Only then may what tells of the unfinished copy go.
	if err := l.o.FS.SyncDir(l.o.Dir); err != nil {
		return err
	}
	for _, base := range unfinished {
		name := segment.FileName(base, segment.LogSuffix) + segment.CleanedSuffix
		err = errors.Join(err, l.o.FS.Remove(vfs.Join(l.o.Dir, name)))
	}
	return err
}

// finishSwap puts a compacted segment in the place of those it was made of:
// all that begin within its offsets. It ends with the last batch of the last
// of them, which compaction always keeps.
func (l *Log) finishSwap(base int64, logs []int64) error {
	s, _, err := segment.Open(l.segmentOptions(base, segment.SwapSuffix), 0)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, old := range logs {
		if old < base || old >= s.Next() {
			continue
		}
		suffixes := []string{segment.LogSuffix, segment.IndexSuffix, segment.TimeIndexSuffix}
		if old != base {
			// The one of that name may be the copy's already.
			suffixes = append(suffixes, segment.TxnIndexSuffix)
		}
		if err := l.removeFiles(old, suffixes...); err != nil {
			return err
		}
	}
	return s.Rename("")
}

// removeFiles removes files of a segment that isn't open.
func (l *Log) removeFiles(base int64, suffixes ...string) error {
	for _, suffix := range suffixes {
		err := l.o.FS.Remove(vfs.Join(l.o.Dir, segment.FileName(base, suffix)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (l *Log) segmentOptions(base int64, suffix string) segment.Options {
	return segment.Options{
		FS: l.o.FS, Dir: l.o.Dir, Base: base, Suffix: suffix,
		Interval: l.config.Load().IndexIntervalBytes,
	}
}

// openSegments opens all segments in order, up to the first from which bytes
// had to be cut or are missing: what comes after that one cannot be trusted.
func (l *Log) openSegments() error {
	list, err := l.o.FS.ReadDir(l.o.Dir)
	if err != nil {
		return err
	}
	cut := false
	for _, e := range list { // names have leading zeros: this is the order of offsets
		base, suffix, ok := segment.ParseName(e.Name)
		if !ok || suffix != segment.LogSuffix {
			continue
		}
		if n := len(l.segs); n > 0 && base < l.segs[n-1].Next() {
			return fmt.Errorf("%w: segment %s begins before the one before it ends, at %d", batch.ErrCorrupt, e.Name, l.segs[n-1].Next())
		}
		if cut || l.gapBefore(base) {
			cut = true
			if err := l.discard(base); err != nil {
				return err
			}
			continue
		}
		s, r, err := segment.Open(l.segmentOptions(base, ""), l.trusted(base))
		if err != nil {
			return err
		}
		l.segs = append(l.segs, s)
		l.found.add(r)
		if r.Checked > 0 {
			l.unsynced = append(l.unsynced, s)
		}
		if cut = r.Cut > 0; cut {
			l.log.Warn("cut off what is not a whole batch", "file", s.Path(), "bytes", r.Cut, "log_end", s.Next())
		}
	}
	return nil
}

// gapBefore reports whether records are missing between the segments opened so
// far and one that begins at base. A segment that was not on the disk may have
// lost whole batches at its end, which its own check cannot tell. Before the
// log start a gap is no loss.
func (l *Log) gapBefore(base int64) bool {
	n := len(l.segs)
	return n > 0 && base > l.segs[n-1].Next() &&
		l.segs[n-1].Base() >= l.synced.base && base > l.saved.start
}

func (f *Recovery) add(r segment.Recovered) {
	f.Segments++
	f.Scanned += r.Checked
	f.Truncated += r.Cut
	if r.Rebuilt {
		f.Rebuilt++
	}
}

// trusted is how many bytes of a segment were on the disk for sure.
func (l *Log) trusted(base int64) int64 {
	switch {
	case base < l.synced.base:
		return -1
	case base == l.synced.base:
		return l.synced.size
	}
	return 0
}

// discard removes a segment that lies beyond the end of the log.
func (l *Log) discard(base int64) error {
	l.log.Warn("removed a segment after the end of the log", "base", base)
	name := vfs.Join(l.o.Dir, segment.FileName(base, segment.LogSuffix))
	if f, err := l.o.FS.OpenFile(name, vfs.Existing); err == nil {
		if size, err := f.Size(); err == nil {
			l.found.Truncated += size
		}
		f.Close()
	}
	return l.removeFiles(base, segment.LogSuffix, segment.IndexSuffix, segment.TimeIndexSuffix, segment.TxnIndexSuffix)
}

// settle finds the log's bounds, and makes the first segment where there is
// none to append to.
func (l *Log) settle(start int64) error {
	l.start = start
	if n := len(l.segs); n > 0 {
		l.end = l.active().Next()
		l.start = max(start, l.segs[0].Base())
	}
	if l.start > l.end {
		// The records up to the log start are gone, and with a power cut
		// those after it too: go on where nobody saw an offset before.
		l.end = l.start
	}
	if n := len(l.segs); n == 0 || l.active().Next() != l.end {
		s, err := segment.Create(l.segmentOptions(l.end, ""))
		if err != nil {
			return err
		}
		l.segs = append(l.segs, s)
		l.newFiles = true
	}
	l.hw = l.end
	l.cleanedTo = min(l.cleanedTo, l.end)
	return nil
}

// syncNames makes the entries of the log's directory, and its own, durable.
func (l *Log) syncNames(files, dir bool) error {
	if files {
		if err := l.o.FS.SyncDir(l.o.Dir); err != nil {
			return err
		}
	}
	if dir {
		return l.o.FS.SyncDir(path.Dir(l.o.Dir))
	}
	return nil
}
