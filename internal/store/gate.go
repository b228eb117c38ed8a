package store

import (
	"fmt"
	"sync"
)

// gate lets the users of a database in and keeps them out while it is closed,
// failed, or used by somebody alone. A user that is inside may enter again
// (a scan whose yield reads) without a deadlock, which an RWMutex would risk.
type gate struct {
	mu     sync.Mutex
	idle   sync.Cond // inside == 0, or shut ended
	inside int
	shut   bool  // somebody is, or waits to be, alone
	failed error // set once; reported to all that enter later
	closed bool
}

func newGate() *gate {
	g := &gate{}
	g.idle.L = &g.mu
	return g
}

// enter lets the caller in, to be followed by leave.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	// Those inside already may go on, or the one that waits for them never ends.
	for g.shut && g.inside == 0 && !g.closed {
		g.idle.Wait()
	}
	if err := g.verdict(); err != nil {
		return err
	}
	g.inside++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	g.inside--
	if g.inside == 0 && (g.shut || g.closed) {
		g.idle.Broadcast()
	}
	g.mu.Unlock()
}

// alone waits until nobody is inside, runs f and lets the others in again. f
// must not enter.
func (g *gate) alone(f func() error) error {
	g.mu.Lock()
	for g.shut {
		g.idle.Wait()
	}
	if err := g.verdict(); err != nil {
		g.mu.Unlock()
		return err
	}
	g.shut = true
	for g.inside > 0 {
		g.idle.Wait()
	}
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.shut = false
		g.idle.Broadcast()
		g.mu.Unlock()
	}()
	return f()
}

// close keeps everybody out for good and waits for those inside. It reports
// false if the gate was closed before.
func (g *gate) close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.closed = true
	g.idle.Broadcast()
	for g.inside > 0 || g.shut {
		g.idle.Wait()
	}
	return true
}

// fail makes every later enter report err. The first failure counts.
func (g *gate) fail(err error) {
	g.mu.Lock()
	if g.failed == nil {
		g.failed = err
	}
	g.mu.Unlock()
}

func (g *gate) verdict() error {
	switch {
	case g.closed:
		return ErrClosed
	case g.failed != nil:
		return fmt.Errorf("%w: close it and open it again: %w", ErrFailed, g.failed)
	}
	return nil
}
