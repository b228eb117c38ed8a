package stream

import (
	"cmp"
	"context"
	"time"

	"github.com/leatstream/leat/internal/dsl"
)

// Async says how an operator makes calls that take long: to a database, to a
// service. The zero value is useful.
type Async struct {
	// InFlight is how many calls of one task may be under way at once; the
	// default is 128. At the bound the task takes no further records.
	InFlight int
	// Timeout is how long a call may take, from its start; the default is 30 s.
	// Its context is done then, and it counts as failed, whether it returns or
	// not. Commits of a task with state wait for the calls under way, so do
	// rebalances: keep it short.
	Timeout time.Duration
	// Order is the order of the results.
	Order AsyncOrder
}

// AsyncOrder is the order of the results of calls.
type AsyncOrder uint8

const (
	// InputOrder is that of the records. A slow call holds up all after it.
	InputOrder AsyncOrder = iota
	// KeyOrder is that of the records with the same key. A slow call holds up
	// those of its key only (and of few others), and records of different keys
	// may pass each other. Keys that hold pointers, other than strings and
	// []byte, are all taken for equal.
	KeyOrder
)

// MapValuesAsync replaces each value by what f returns for it, as
// [Stream.MapValuesWithKey] does, but for an f that waits: many calls are under
// way at once, while the task takes further records. Results come in the order
// that c says, with the time, the headers and the key of their records.
//
//	orders.MapValuesAsync(stream.Async{Timeout: time.Second}, checkFraud).To(checked)
//
// f is called by many goroutines at once, also for equal keys. It may be called
// again for the same record after a crash, or when [Config.OnError] returns
// [Retry]. An error, a panic or a call that takes too long fails its record, not
// those beside it; OnError decides what becomes of it, and it is counted, dead
// lettered or given by [Dropped] as with any operator.
//
// A commit never passes a record whose call has not returned. A task without
// stores commits up to the first of them. A task with stores, as they can't be
// taken back, finishes the calls under way first; it takes no records meanwhile,
// which costs it the time of the slowest call for each commit. Kafka Streams has
// nothing like it.
//
// A test driver waits for the calls of each record, so results are the same each
// time.
func (s Stream[K, V]) MapValuesAsync[VR any](c Async, f func(ctx context.Context, key K, value V) (VR, error)) Stream[K, VR] {
	in, at := s.def(), dsl.Caller()
	if c.InFlight < 0 || c.Timeout < 0 || c.Order > KeyOrder {
		in.B.Fail(at, "MapValuesAsync: InFlight and Timeout must not be negative, and Order is InputOrder or KeyOrder")
	}
	return streamOf(dsl.Async(in, dsl.Calls{
		InFlight: cmp.Or(c.InFlight, 128), Timeout: cmp.Or(c.Timeout, 30*time.Second), ByKey: c.Order == KeyOrder,
	}, f, "MapValuesAsync", at))
}
