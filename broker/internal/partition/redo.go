package partition

import (
	"fmt"
	"iter"

	"github.com/leatstream/leat/broker/internal/journal"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// key names the log in the broker's journal.
func (o *Options) key() journal.Key { return journal.Key{Topic: o.TopicID, Partition: o.Partition} }

// needed is those entries that lie beyond the recovery point. What lies before it, or
// before the log start, may have been compacted or deleted since.
func needed(entries []journal.Entry, saved checkpoint) iter.Seq[journal.Entry] {
	return func(yield func(journal.Entry) bool) {
		for _, e := range entries {
			old := e.Base < saved.synced.base || e.Base == saved.synced.base && e.Position+int64(e.Size) <= saved.synced.size
			if e.End > saved.start && !old && !yield(e) {
				return
			}
		}
	}
}

// redo writes what the journal holds beyond the recovery point into the segments
// again.
func (l *Log) redo() error {
	files := map[int64]vfs.File{}
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for e := range needed(l.o.Redo, l.saved) {
		f := files[e.Base]
		if f == nil {
			var err error
			name := vfs.Join(l.o.Dir, segment.FileName(e.Base, segment.LogSuffix))
			if f, err = l.o.FS.OpenFile(name, vfs.CreateIfMissing); err != nil {
				return fmt.Errorf("redo: %w", err)
			}
			files[e.Base] = f
		}
		b, err := e.Bytes()
		if err != nil {
			return err
		}
		if _, err := f.WriteAt(b, e.Position); err != nil {
			return fmt.Errorf("redo: %w", err)
		}
		l.found.Redone += int64(len(b))
		l.redoneTo = max(l.redoneTo, e.End)
	}
	l.newFiles = l.newFiles || len(files) > 0
	return nil
}

// afterRedo makes what was redone durable, since the journal will go.
func (l *Log) afterRedo() error {
	if l.redoneTo > l.end {
		l.log.Error("records that were acknowledged are lost: the journal has them, but not what was before them", "log_end", l.end, "acknowledged", l.redoneTo)
	}
	if l.o.Durability == Fsync && l.found.Scanned > 0 || l.found.Redone > 0 {
		// They are readable from now on, so they must not get lost any more.
		return l.sync()
	}
	return nil
}
