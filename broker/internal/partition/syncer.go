package partition

import "sync"

// syncPhase is where a log stands with its syncer. It is guarded by the log.
type syncPhase uint8

const (
	syncIdle   syncPhase = iota
	syncQueued           // a worker will come
	syncing              // a worker is at it
	syncAgain            // and must come again, for what was appended meanwhile
)

// Syncer does the syncs that the logs of a broker ask for, several logs at a
// time and each log once for all who wait: while one sync of a log runs,
// appends gather for the next. There is no delay to gather more; the sync
// under way is the delay.
type Syncer struct {
	mu      sync.Mutex
	wake    sync.Cond
	queue   []*Log
	closed  bool
	workers sync.WaitGroup
}

// NewSyncer starts the given number of workers (at least one): that many
// files are synced at a time.
func NewSyncer(workers int) *Syncer {
	s := &Syncer{}
	s.wake.L = &s.mu
	for range max(workers, 1) {
		s.workers.Go(s.run)
	}
	return s
}

// Close ends the workers after the syncs that were asked for. Logs must be
// closed before, or appends to them wait for ever.
func (s *Syncer) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake.Broadcast()
	s.workers.Wait()
}

func (s *Syncer) add(l *Log) {
	s.mu.Lock()
	s.queue = append(s.queue, l)
	s.mu.Unlock()
	s.wake.Signal()
}

func (s *Syncer) run() {
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.closed {
			s.wake.Wait()
		}
		if len(s.queue) == 0 {
			s.mu.Unlock()
			return
		}
		l := s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.mu.Unlock()
		l.syncForAll()
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
	again := l.syncPhase == syncAgain
	l.syncPhase = syncIdle
	if again {
		l.requestSync()
	}
}
