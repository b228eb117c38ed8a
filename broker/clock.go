package broker

import (
	"time"

	"github.com/leatstream/leat/internal/clock"
)

// Clock tells the time and makes timers: see Config.Clock. Implementations are
// safe for concurrent use.
type Clock = clock.Clock

// Timer is a running timer of a [Clock].
type Timer = clock.Timer

// ManualClock is a [Clock] that stands still until its method Advance moves it,
// so that a test decides when a session times out or a record expires.
type ManualClock = clock.Manual

// NewManualClock returns a clock that stands at the given time.
func NewManualClock(at time.Time) *ManualClock { return clock.NewManual(at) }
