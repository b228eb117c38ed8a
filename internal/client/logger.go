package client

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/clock"
)

// repeat is how long the same warning is held back after it was logged.
const repeat = 30 * time.Second

// logger hands the library's lines to slog. A broker that is down would make
// it say the same several times a second, so a warning or an error is logged
// once in a while, with the number of times it was left out since.
type logger struct {
	out   *slog.Logger
	clock clock.Clock

	mu   sync.Mutex
	seen map[string]*repeated // by message: those are constants, thus few
}

type repeated struct {
	logged time.Time
	since  int // left out since then
}

func newLogger(out *slog.Logger, c clock.Clock) *logger {
	return &logger{out: out, clock: c, seen: make(map[string]*repeated)}
}

// Level is part of kgo.Logger.
func (l *logger) Level() kgo.LogLevel {
	ctx := context.Background()
	switch {
	case l.out == nil:
		return kgo.LogLevelNone
	case l.out.Enabled(ctx, slog.LevelDebug):
		return kgo.LogLevelInfo // its own debug level tells of every request
	case l.out.Enabled(ctx, slog.LevelWarn):
		return kgo.LogLevelWarn
	case l.out.Enabled(ctx, slog.LevelError):
		return kgo.LogLevelError
	}
	return kgo.LogLevelNone
}

// Log is part of kgo.Logger.
func (l *logger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	if l.out == nil {
		return
	}
	switch level {
	case kgo.LogLevelError, kgo.LogLevelWarn:
		n, ok := l.admit(msg)
		if !ok {
			return
		}
		if n > 0 {
			keyvals = append(keyvals, "repeated", n)
		}
		// What the library calls an error it retries: what is final comes
		// back as an error and is judged by whoever called.
		l.out.Warn("kafka client: "+msg, keyvals...)
	default:
		l.out.Debug("kafka client: "+msg, keyvals...)
	}
}

// admit says whether to log msg now, and how often it was left out before.
func (l *logger) admit(msg string) (int, bool) {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.seen[msg]
	if r == nil {
		r = &repeated{}
		l.seen[msg] = r
	} else if now.Sub(r.logged) < repeat {
		r.since++
		return 0, false
	}
	n := r.since
	r.logged, r.since = now, 0
	return n, true
}
