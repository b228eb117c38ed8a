package partition

import (
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/leatstream/leat/broker/internal/journal"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/internal/clock"
)

// # Durable by a journal
//
// To sync the file of each log that was written to costs as much for a small batch
// as for a large one, and as much again for every further log. A broker with many
// partitions therefore writes what was appended a second time, into one journal for
// all logs, and syncs that. The high watermark follows the journal; the recovery
// point follows the segments' own syncs, which come when a file of the journal is
// full: then all logs that have something in it are synced, and it is used again.
//
// That is for what is appended in small pieces. A log to which much was appended at
// once is synced by itself: a sync more costs less than to write all of it twice.
//
// After a crash what the journal holds beyond a log's recovery point is written to
// its segments once more, before they are looked at (redo).

// Journaled is how a [Syncer] with a journal works.
type Journaled struct {
	Journal *journal.Journal
	// Workers is how many of the logs' own files are synced at a time; at least
	// one.
	Workers int
	Clock   clock.Clock  // nil is the system's
	Log     *slog.Logger // nil discards
	// Synced is told how long each commit took, and of its error; nil tells
	// nobody.
	Synced func(time.Duration, error)
}

// NewJournaledSyncer starts a syncer with a journal.
func NewJournaledSyncer(o Journaled) *Syncer {
	s := newSyncer()
	o.Clock = clock.Or(o.Clock)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s.commits = &commits{o: o, files: map[uint64]map[*Log]int64{}, slots: make(chan struct{}, max(o.Workers, 1))}
	s.workers.Go(func() {
		var logs []*Log
		for {
			if logs = s.take(logs, math.MaxInt); len(logs) == 0 {
				return
			}
			s.commits.commit(logs)
		}
	})
	return s
}

// commits is the work of a syncer with a journal. One goroutine commits, and one at
// a time settles.
type commits struct {
	o Journaled
	// By file of the journal, the logs that have something in it, and up to which
	// offset. Guarded by mu.
	mu       sync.Mutex
	files    map[uint64]map[*Log]int64
	settling chan struct{} // closed when it ends; nil if nothing is under way

	slots chan struct{} // of workers that sync logs by themselves
	alone sync.WaitGroup

	waits  []wait // of the round under way
	failed bool   // the last round
}

// wait is what one log has in a round.
type wait struct {
	l       *Log
	extents []extent
	to      syncedTo
	bytes   int64 // endBytes there
	size    int64 // in all extents
	broken  bool  // it could not be read: the log's own files are synced instead
}

// extent is bytes of one segment that are not in the journal.
type extent struct {
	s     *segment.Segment
	place journal.Place
	size  int64
	views [][]byte // in memory; none if they have to be read
}

// maxFiles is how many files of the journal there may be before commits wait for
// logs to be synced.
const maxFiles = 8

// much is how many bytes of one log are not worth being written twice.
const much = 64 << 10

func (c *commits) commit(logs []*Log) {
	c.waits = c.waits[:0]
	for _, l := range logs {
		w := wait{l: l}
		l.gather(&w)
		if w.size >= much {
			c.syncAlone(l)
			continue
		}
		c.put(&w)
		c.waits = append(c.waits, w)
	}
	if len(c.waits) == 0 {
		return
	}
	began := c.o.Clock.Now()
	err := c.o.Journal.Commit()
	if c.o.Synced != nil {
		c.o.Synced(c.o.Clock.Now().Sub(began), err)
	}
	c.tell(err)
	for i := range c.waits {
		w := &c.waits[i]
		if err != nil || w.broken {
			// The log's own file may be on a better part of the disk. If not,
			// who waits is told by sync.
			_ = w.l.sync()
		}
	}
	c.note(err == nil)
	for i := range c.waits {
		c.waits[i].l.committed(&c.waits[i], err == nil)
	}
	clear(c.waits)
}

// syncAlone syncs a log's own files, while others are committed.
func (c *commits) syncAlone(l *Log) {
	c.slots <- struct{}{}
	c.alone.Go(func() {
		defer func() { <-c.slots }()
		l.syncForAll()
	})
}

// tell logs that the journal began or ceased to fail.
func (c *commits) tell(err error) {
	switch {
	case err != nil && !c.failed:
		c.o.Log.Error("the journal can't be written: each partition is synced by itself, which is slower", "error", err)
	case err == nil && c.failed:
		c.o.Log.Info("the journal can be written again")
	}
	c.failed = err != nil
}

// put adds what a log has to the journal's next commit.
func (c *commits) put(w *wait) {
	key := w.l.o.key()
	var buf []byte
	for _, e := range w.extents {
		place := e.place
		for _, b := range e.views {
			c.o.Journal.Add(key, place, b)
			place.Position += int64(len(b))
		}
		if len(e.views) > 0 {
			continue
		}
		for left := e.size; left > 0 && !w.broken; {
			if buf == nil {
				buf = make([]byte, min(left, 1<<20))
			}
			b := buf[:min(left, int64(len(buf)))]
			if _, err := e.s.ReadAt(b, place.Position); err != nil {
				w.broken = true
				break
			}
			c.o.Journal.Add(key, place, b)
			place.Position += int64(len(b))
			left -= int64(len(b))
		}
	}
}

// note keeps in mind which logs have something in the journal's file, and has those
// before it settled.
func (c *commits) note(ok bool) {
	// A round with nothing to write may come before there is a file.
	if !ok || !slices.ContainsFunc(c.waits, func(w wait) bool { return len(w.extents) > 0 }) {
		return
	}
	c.mu.Lock()
	number := c.o.Journal.File()
	logs := c.files[number]
	if logs == nil {
		logs = map[*Log]int64{}
		c.files[number] = logs
	}
	for i := range c.waits {
		w := &c.waits[i]
		if len(w.extents) > 0 && !w.broken {
			logs[w.l] = w.to.offset
		}
	}
	if len(c.files) > 1 && c.settling == nil {
		c.settling = make(chan struct{})
		go c.settle(number, c.settling)
	}
	full, done := len(c.files) > maxFiles, c.settling
	c.mu.Unlock()
	if full && done != nil {
		<-done
	}
}

// settle makes what is in the files of the journal before the given one durable
// where it belongs, and gives them back.
func (c *commits) settle(before uint64, done chan struct{}) {
	logs := map[*Log]int64{}
	c.mu.Lock()
	for number, in := range c.files {
		for l, to := range in {
			if number < before {
				logs[l] = max(logs[l], to)
			}
		}
	}
	c.mu.Unlock()
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(c.o.Workers, 1))
	for l, to := range logs {
		if l.holds(to) {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			_ = l.sync() // who waits is told by sync; the file stays
		})
	}
	wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.dropBefore(before) // a file that can't be removed does no harm
	c.settling = nil
	close(done)
}

// dropBefore gives back the files before one that nobody needs; c.mu is held.
func (c *commits) dropBefore(before uint64) error {
	var err error
	for number, logs := range c.files {
		needed := number >= before
		for l, to := range logs {
			needed = needed || !l.holds(to)
		}
		if !needed {
			err = errors.Join(err, c.o.Journal.Drop(number))
			delete(c.files, number)
		}
	}
	return err
}

func (c *commits) close() error {
	c.alone.Wait()
	c.mu.Lock()
	done := c.settling
	c.mu.Unlock()
	if done != nil {
		<-done
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.dropBefore(math.MaxUint64)
	return errors.Join(err, c.o.Journal.Close())
}

// holds reports whether the log's own files are durable up to an offset, or it is
// gone.
func (l *Log) holds(offset int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deleted || l.synced.offset >= offset
}

// gather begins a visit: it finds what is not in the journal.
func (l *Log) gather(w *wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.syncPhase = syncing
	from := l.journaled
	if from.offset < l.synced.offset {
		from = l.synced
	}
	w.to = from
	if l.failed != nil || l.released || from.offset >= l.end {
		return
	}
	w.to = syncedTo{offset: l.end, base: l.active().Base(), size: l.active().Size()}
	w.bytes = l.endBytes
	if w.size = l.between(from); w.size >= much {
		return
	}
	for i, s := range l.segs {
		if s.Base() < from.base {
			continue
		}
		e := extent{s: s, place: journal.Place{Base: s.Base(), End: l.end}, size: s.Size()}
		first := s.Base()
		if s.Base() == from.base {
			e.place.Position = from.size
			e.size -= from.size
			first = from.offset
		}
		if i+1 < len(l.segs) {
			e.place.End = l.segs[i+1].Base()
		}
		if e.size > 0 {
			e.views = l.views(first, e.place.End, e.size)
			w.extents = append(w.extents, e)
		}
	}
}

// between is how many bytes there are from a place to the end; l.mu is held.
func (l *Log) between(from syncedTo) int64 {
	var n int64
	for _, s := range l.segs {
		if s.Base() >= from.base {
			n += s.Size()
		}
	}
	return n - from.size
}

// views are all bytes of the batches from one offset to another, if they are in
// memory; l.mu is held.
func (l *Log) views(from, to, want int64) [][]byte {
	views, size, ok := l.tail.read(nil, from, to, math.MaxInt, NoMinimum)
	if !ok || int64(size) != want {
		return nil
	}
	return views
}

// committed ends a visit.
func (l *Log) committed(w *wait, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok && !w.broken && len(w.extents) > 0 && l.failed == nil && !l.released {
		l.journaled = w.to
		l.advance(w.to.offset, w.bytes)
	}
	l.visited()
}
