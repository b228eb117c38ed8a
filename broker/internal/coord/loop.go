package coord

import (
	"time"

	"github.com/leatstream/leat/internal/clock"
)

// mailbox is how many requests of a shard may wait for their turn.
const mailbox = 256

// loop runs what a shard does, one thing after the other.
type loop struct {
	clock clock.Clock
	inbox chan func()
	quit  chan struct{} // closed to stop it
	gone  chan struct{} // closed when it has stopped
	timer clock.Timer   // for the shard's next deadline; the loop's own
}

func newLoop(c clock.Clock) loop {
	return loop{clock: c, inbox: make(chan func(), mailbox), quit: make(chan struct{}), gone: make(chan struct{})}
}

// turn runs until stop: begin first, tick when the timer fires.
func (l *loop) turn(begin, tick func()) {
	defer close(l.gone)
	l.timer = l.clock.NewTimer(time.Hour)
	defer l.timer.Stop()
	begin()
	for {
		select {
		case f := <-l.inbox:
			f()
		case <-l.timer.C():
			tick()
		case <-l.quit:
			return
		}
	}
}

func (l *loop) stop() {
	close(l.quit)
	<-l.gone
}

// send puts f into a loop's inbox.
func send[T any](inbox chan<- func(), gone chan struct{}, f func(out *Future[T])) *Future[T] {
	out := &Future[T]{done: make(chan struct{}), gone: gone}
	select {
	case inbox <- func() { f(out) }:
	case <-gone:
	}
	return out
}
