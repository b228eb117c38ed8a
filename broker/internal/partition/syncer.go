package partition

import (
	"sync"
)

// syncPhase is where a log stands with its syncer. It is guarded by the log.
type syncPhase uint8

const (
	syncIdle   syncPhase = iota
	syncQueued           // a worker will come
	syncing              // a worker is at it
	syncAgain            // and must come again, for what was appended meanwhile
)

// Syncer does the syncs that the logs of a broker ask for, each log once for all
// who wait: while one sync of a log runs, appends gather for the next. There is no
// delay to gather more; the sync under way is the delay.
//
// Without a journal several logs are synced at a time, each by its own file. With
// one, what all of them have appended goes there, and is synced once.
type Syncer struct {
	mu      sync.Mutex
	wake    sync.Cond
	queue   []*Log
	closed  bool
	workers sync.WaitGroup
	commits *commits // nil without a journal
}

// NewSyncer starts the given number of workers (at least one): that many
// files are synced at a time.
func NewSyncer(workers int) *Syncer {
	s := newSyncer()
	for range max(workers, 1) {
		s.workers.Go(s.run)
	}
	return s
}

func newSyncer() *Syncer {
	s := &Syncer{}
	s.wake.L = &s.mu
	return s
}

// Close ends the workers after the syncs that were asked for. Logs must be
// closed before, or appends to them wait for ever. The error is about the journal,
// if there is one; what is left of it is redone at the next start.
func (s *Syncer) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake.Broadcast()
	s.workers.Wait()
	if s.commits == nil {
		return nil
	}
	return s.commits.close()
}

func (s *Syncer) add(l *Log) {
	s.mu.Lock()
	s.queue = append(s.queue, l)
	s.mu.Unlock()
	s.wake.Signal()
}

// take waits for something to do; it takes at most limit logs, or none once the
// syncer is closed and nothing is left.
func (s *Syncer) take(into []*Log, limit int) []*Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) == 0 && !s.closed {
		s.wake.Wait()
	}
	n := min(limit, len(s.queue))
	into = append(into[:0], s.queue[:n]...)
	clear(s.queue[:n])
	s.queue = s.queue[n:]
	return into
}

func (s *Syncer) run() {
	var one []*Log
	for {
		if one = s.take(one, 1); len(one) == 0 {
			return
		}
		one[0].syncForAll()
	}
}

// requestSync asks for a sync of what was appended so far; l.mu is held.
func (l *Log) requestSync() {
	if l.o.Syncer == nil {
		return
	}
	switch l.syncPhase {
	case syncIdle:
		l.syncPhase = syncQueued
		l.o.Syncer.add(l)
	case syncing:
		l.syncPhase = syncAgain
	}
}

// syncForAll is one visit of a worker.
func (l *Log) syncForAll() {
	l.mu.Lock()
	l.syncPhase = syncing
	l.mu.Unlock()
	// Who waits is told by sync, of a failure too.
	_ = l.sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visited()
}

// visited ends a visit; l.mu is held.
func (l *Log) visited() {
	again := l.syncPhase == syncAgain
	l.syncPhase = syncIdle
	if again {
		l.requestSync()
	}
}
