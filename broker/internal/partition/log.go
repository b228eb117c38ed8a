package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// ErrClosed is matched by the errors of a log that was closed or deleted.
var ErrClosed = errors.New("log is closed")

// DeletedSuffix is added to the directory of a deleted log until all of it is
// gone. A broker removes what has it when it starts.
const DeletedSuffix = ".deleted"

// defaultTail is the size of the tail in memory, in bytes.
const defaultTail = 1 << 20

// Log is the log of one partition. Its methods are safe for concurrent use.
type Log struct {
	o      Options
	log    *slog.Logger
	clock  clock.Clock
	config atomic.Pointer[Config]
	epochs []epoch // never changes while the log is open
	found  Recovery

	clean   sync.Mutex  // one maintenance at a time; before all others
	closing atomic.Bool // ends a compaction early
	syncMu  sync.Mutex  // one sync at a time; before mu
	ckMu    sync.Mutex  // guards saved and its file; before mu
	saved   checkpoint

	mu        sync.Mutex
	segs      []*segment.Segment // by offset, the active one last; replaced, never changed in place
	start     int64              // log start offset
	hw        int64              // high watermark
	end       int64              // log end offset
	endBytes  int64              // bytes appended since the log was opened
	hwBytes   int64              // how many of them are below the high watermark
	producers *producers
	// Aborted transactions, by marker. Readers keep the slice while the log is
	// unlocked: it is appended to or replaced, never changed in place. Those
	// with markers before abortedSaved are on the disk.
	aborted      []abortedTxn
	abortedSaved int64
	tail         tail
	waiters      Waiter // ring of those that wait for more to read
	acks         *Ack   // waiting for the high watermark

	synced    syncedTo
	journaled syncedTo           // the journal has everything before it
	recovery  int64              // the recovery point that is on the disk
	redoneTo  int64              // offset up to which the journal had records
	unsynced  []*segment.Segment // rolled, but not on the disk
	newFiles  bool               // the directory has entries that are not on the disk
	newDir    bool               // the directory itself is such an entry
	unflushed int64              // records since the last sync began
	flushedAt int64              // milliseconds
	syncPhase syncPhase
	cleanedTo int64
	retired   []retired // renamed segments that wait for their removal
	idleBytes int64     // endBytes at the last round of retention
	keptFrom  int64     // recovery point as of the last removal of snapshots
	failed    error     // a sync failed: nothing more is written
	trouble   error     // the last write failed; the next one may not
	closed    bool      // nothing is appended any more
	deleted   bool      // and nobody wants it
	released  bool      // nobody waits for anything any more
}

// retired is a segment that is no part of the log any more, and when its
// files may go (milliseconds).
type retired struct {
	s  *segment.Segment
	at int64
}

func (l *Log) name() string { return fmt.Sprintf("%s-%d", l.o.Topic, l.o.Partition) }

// wrap says which log an error is of.
func (l *Log) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", l.name(), err)
}

// storage is the error for a disk that does not do what it is asked to.
func (l *Log) storage(doing string, err error) error {
	return l.wrap(&batch.Error{Kafka: kerr.KafkaStorageError, Message: doing, Cause: err})
}

// active is the segment that is appended to; l.mu is held.
func (l *Log) active() *segment.Segment { return l.segs[len(l.segs)-1] }

// usable is the error of a log that is closed or broken; l.mu is held.
func (l *Log) usable() error {
	if l.closed {
		return l.storage("the partition is being closed", ErrClosed)
	}
	if l.failed != nil {
		return l.storage("the log stopped after a failed sync; it tries again with each round of retention", l.failed)
	}
	return nil
}

// SetConfig puts another config in force, for all that happens from now on.
func (l *Log) SetConfig(c Config) { l.config.Store(&c) }

// Config is the config in force.
func (l *Log) Config() Config { return *l.config.Load() }

// Bounds are the log's offsets.
func (l *Log) Bounds() Bounds {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Bounds{LogStart: l.start, HighWatermark: l.hw, LastStable: l.lastStable(), LogEnd: l.end}
}

// lastStable is the first offset that a transaction may still decide about;
// without transactions that is the high watermark. l.mu is held.
func (l *Log) lastStable() int64 {
	if first, ok := l.producers.firstUnstable(); ok {
		return max(l.start, min(first, l.hw))
	}
	return l.hw
}

// Size is the bytes in all segments.
func (l *Log) Size() int64 {
	l.mu.Lock()
	segs := l.segs
	l.mu.Unlock()
	return sizeOf(segs)
}

func sizeOf(segs []*segment.Segment) int64 {
	var n int64
	for _, s := range segs {
		n += s.Size()
	}
	return n
}

// Producers describes all idempotent producers that are remembered, in no
// order.
func (l *Log) Producers() []Producer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.producers.list()
}

// Recovery tells what opening the log took.
func (l *Log) Recovery() Recovery { return l.found }

// Close makes all records durable, notes that, and closes the files. Waits
// for durability end well; long polls are woken. The error tells what could
// not be saved; the log is closed all the same, and its records will be
// checked when it is opened again.
func (l *Log) Close() error {
	if l.closing.Swap(true) {
		return nil
	}
	l.clean.Lock()
	defer l.clean.Unlock()
	l.mu.Lock()
	broken := l.failed != nil
	l.closed = true // nothing is appended behind the snapshot
	end, snapshot := l.end, l.producers.encode()
	l.mu.Unlock()
	var err error
	if !broken {
		err = l.flush(everySegment)
		if end > 0 {
			l.writeSnapshot(end, snapshot)
			l.dropSnapshots(end)
		}
	}
	l.release(nil)
	return errors.Join(err, l.closeFiles())
}

// release lets everybody go who waits for something.
func (l *Log) release(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		err = l.usable()
	}
	l.released = true
	l.answerAll(err)
	for w := l.waiters.next; w != &l.waiters; w = l.waiters.next {
		w.unlink()
		w.Waker.Wake(0)
	}
}

func (l *Log) closeFiles() error {
	l.mu.Lock()
	segs, gone := l.segs, l.retired
	l.retired = nil
	l.tail.drop()
	l.mu.Unlock()
	var err error
	for _, s := range segs {
		err = errors.Join(err, s.Close())
	}
	for _, r := range gone {
		err = errors.Join(err, r.s.Remove())
	}
	return l.wrap(err)
}

// Delete closes the log and removes its directory. The directory is renamed
// first, so that a crash does not leave half a log behind.
func (l *Log) Delete() error {
	l.closing.Store(true)
	l.clean.Lock()
	defer l.clean.Unlock()
	l.mu.Lock()
	l.closed, l.deleted = true, true
	l.mu.Unlock()
	// A sync that is under way must end before the files go.
	l.syncMu.Lock()
	defer l.syncMu.Unlock()
	l.release(l.wrap(ErrClosed))
	err := l.closeFiles()
	gone := l.o.Dir + DeletedSuffix
	if e := l.o.FS.RemoveAll(gone); e != nil {
		return errors.Join(err, e)
	}
	if e := l.o.FS.Rename(l.o.Dir, gone); e != nil && !errors.Is(e, fs.ErrNotExist) {
		return errors.Join(err, e)
	}
	return errors.Join(err, l.o.FS.SyncDir(path.Dir(l.o.Dir)), l.o.FS.RemoveAll(gone))
}

// RemoveDeleted removes the directories under dir that deleted logs left
// behind when the broker stopped.
func RemoveDeleted(fsys vfs.FS, dir string) error {
	list, err := fsys.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Dir && strings.HasSuffix(e.Name, DeletedSuffix) {
			err = errors.Join(err, fsys.RemoveAll(vfs.Join(dir, e.Name)))
		}
	}
	return err
}
