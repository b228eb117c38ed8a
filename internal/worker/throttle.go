package worker

import (
	"log/slog"
	"sync"
	"time"

	"github.com/leatstream/leat/internal/clock"
)

// throttleFor is how long a warning is held back after it was logged.
const throttleFor = 30 * time.Second

// throttle logs warnings about what is tried again and again: each of them once
// in a while.
type throttle struct {
	log   *slog.Logger
	clock clock.Clock

	mu     sync.Mutex
	logged map[string]time.Time
}

func newThrottle(log *slog.Logger, c clock.Clock) *throttle {
	return &throttle{log: log, clock: c, logged: make(map[string]time.Time)}
}

func (t *throttle) warn(msg string, args ...any) {
	now := t.clock.Now()
	t.mu.Lock()
	last, ok := t.logged[msg]
	if ok = ok && now.Sub(last) < throttleFor; !ok {
		t.logged[msg] = now
	}
	t.mu.Unlock()
	if !ok {
		t.log.Warn(msg, args...)
	}
}
