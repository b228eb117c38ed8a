package table

import (
	"errors"
	"fmt"
	"time"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/window"
)

// ErrBufferFull ends an app whose suppressed table holds more than it may, where
// [Suppression.ShutDownWhenFull] asks for that.
var ErrBufferFull = dsl.ErrBufferFull

// Window is what [UntilWindowCloses] wants to know of windows: window.Fixed,
// window.Sessions and window.Slides are Windows.
type Window interface {
	// Check reports what is wrong with the parameters, or nil.
	Check() error
	// ClosesAt is the first stream time at which a window that ends at end is
	// closed, both in milliseconds since the epoch.
	ClosesAt(end int64) int64
}

// Suppression says how long [Table.Suppress] keeps changes back, and how many.
type Suppression struct {
	window  Window        // nil: until the time limit
	limit   time.Duration // of stream time
	records bound
	bytes   bound
	full    whenFull
	made    bool
}

type bound struct {
	n   int64
	set bool
}

type whenFull uint8

const (
	unsaid whenFull = iota
	emitEarly
	shutDown
)

// UntilWindowCloses keeps the row of a window back until the window is closed,
// and then tells of it once, as it is then: nothing of a row that was deleted.
// w are the windows of the aggregation, with its grace.
func UntilWindowCloses(w Window) Suppression {
	return Suppression{window: w, made: true}
}

// UntilTimeLimit keeps the changes of a row back until stream time has moved on
// by d since the timestamp of the first of them, and then tells of the last one:
// of each row at most one change in d. A d of 0 keeps back what comes out of
// order only.
func UntilTimeLimit(d time.Duration) Suppression {
	return Suppression{limit: d, made: true}
}

// MaxRecords is s with a bound on how many rows are kept back. Beyond it the ones
// that have waited longest go on early, or the app stops: see EmitEarlyWhenFull
// and ShutDownWhenFull. Without a bound there is no end but the disk's: what
// doesn't fit into memory is on disk only.
func (s Suppression) MaxRecords(n int64) Suppression {
	s.records = bound{n, true}
	return s
}

// MaxBytes is MaxRecords by the size of the rows as they are encoded, in bytes.
func (s Suppression) MaxBytes(n int64) Suppression {
	s.bytes = bound{n, true}
	return s
}

// EmitEarlyWhenFull lets rows that have waited longest go on early when a bound
// is passed. It is the default with a time limit, and an error where a row is to
// be told of once.
func (s Suppression) EmitEarlyWhenFull() Suppression {
	s.full = emitEarly
	return s
}

// ShutDownWhenFull stops the app when a bound is passed, with [ErrBufferFull]
// (whatever its OnError says: no record is lost by that, and none is told of too
// early). It is the default for windows.
func (s Suppression) ShutDownWhenFull() Suppression {
	s.full = shutDown
	return s
}

// Suppress keeps the table's changes back and tells of the last one of each row
// only, when how says so. Time is stream time: the highest timestamp of a change
// that came to Suppress in its partition. What is due together comes in the order
// of its first change's timestamp (of the window's end), then of the encoded
// keys. A change has its own timestamp and headers.
//
// What waits is in the store, which is bounded in memory and else on disk, and
// has a changelog: it survives restarts and crashes.
//
// It differs from Kafka Streams in that the buffer is not held in memory as a
// whole; that a deletion of a row which nobody has heard of is not told; and that
// sessions and sliding windows wait a millisecond longer, until no record can
// change them any more.
func (t Table[K, V]) Suppress[S state.Of[K, V]](as S, how Suppression) Table[K, V] {
	store := state.Store[K, V](as)
	at := dsl.Caller()
	in := t.def()
	if err := how.check(dsl.Spanned[K]()); err != nil {
		in.B.Fail(at, "Suppress: %v", err)
		how.window = nil
	}
	s := dsl.Suppression[K, V]{
		At: at, Input: in, Store: state.Use(in.B, store, topology.Buffer, 0, at), Key: store.Key(), Value: store.Value(),
		Wait: how.limit.Milliseconds(), MaxRecords: how.records.n, MaxBytes: how.bytes.n,
		Strict: how.full == shutDown || how.full == unsaid && how.window != nil,
	}
	if how.window != nil {
		s.ClosesAt = how.window.ClosesAt
		if _, fixed := how.window.(window.Fixed); !fixed && in.B.LikeKafka {
			s.ClosesAt = func(end int64) int64 { return how.window.ClosesAt(end) - 1 }
		}
	}
	return tableOf(s.Build(in.B))
}

// check reports what is wrong, all of it.
func (s Suppression) check(windowed bool) error {
	if !s.made {
		return errors.New("a zero Suppression; use table.UntilWindowCloses or table.UntilTimeLimit")
	}
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.window != nil {
		if err := s.window.Check(); err != nil {
			errs = append(errs, err)
		} else if f, ok := s.window.(window.Fixed); ok && f.Endless() {
			wrong("%v never closes; use UntilTimeLimit", f)
		}
		if !windowed {
			wrong("UntilWindowCloses needs a table whose keys have windows (window.Key); use UntilTimeLimit")
		}
		if s.full == emitEarly {
			wrong("a window that is to be told of once can't be told of early; use ShutDownWhenFull, or no bound")
		}
	} else if s.limit < 0 || s.limit%time.Millisecond != 0 {
		wrong("the time limit %v must be a whole number of milliseconds, 0 or more", s.limit)
	}
	for _, b := range [...]struct {
		name string
		bound
	}{{"MaxRecords", s.records}, {"MaxBytes", s.bytes}} {
		if b.set && b.n <= 0 {
			wrong("%s is %d; it must be more than 0", b.name, b.n)
		}
	}
	return errors.Join(errs...)
}
