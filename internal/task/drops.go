package task

import (
	"strconv"
	"sync"

	"github.com/leatstream/leat/internal/record"
)

// The reasons for which an operator drops a record.
const (
	DropNullKey   = "null-key"
	DropNullValue = "null-value"
	DropLate      = "late"
	DropNoWindow  = "no-window"
	DropTimestamp = "negative-timestamp"
	DropFuture    = "future-timestamp"
	DropDuplicate = "duplicate"
	DropMissed    = "missed-timer"
	// DropNoPartition is of a record that a partitioner of the user's wants
	// nowhere.
	DropNoPartition = "no-partition"
	// DropStale is of a change of a versioned table whose row has a newer
	// version: an aggregation or a join of tables leaves it out.
	DropStale = "stale"
)

// Drop names a counter of dropped records.
type Drop struct{ Operator, Reason string }

// Drops counts dropped records by operator and reason. It is safe for
// concurrent use; dropping is rare, so a lock that only the reader of metrics
// shares is cheap enough.
type Drops struct {
	mu sync.Mutex
	n  map[Drop]int64
}

// Count counts one record.
func (d *Drops) Count(operator, reason string) {
	d.mu.Lock()
	if d.n == nil {
		d.n = map[Drop]int64{}
	}
	d.n[Drop{operator, reason}]++
	d.mu.Unlock()
}

// Each calls yield with every counter, in no order.
func (d *Drops) Each(yield func(Drop, int64)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, n := range d.n {
		yield(k, n)
	}
}

// Dropped is a record that an operator drops, as [Config.OnDrop] is told.
type Dropped struct {
	Task ID
	Drop
	Topic     string
	Partition int32
	Offset    int64
	Time      int64
}

// Watch is told of what one operator drops.
type Watch struct {
	Reason string // of the last one
	N      int    // how many so far

	operator string
}

// Watch begins to watch an operator, for a node that is being made.
func (t *Task) Watch(operator string) *Watch {
	w := &Watch{operator: operator}
	t.watches = append(t.watches, w)
	return w
}

// Drop counts a record that an operator drops, and does with it what the policy
// says. Between records it is only counted: there is none to keep.
func (t *Task) Drop(operator, reason string) {
	t.count(operator, reason)
	if t.cfg.OnDrop == nil || t.current == nil || t.ended != nil {
		return
	}
	drop := Drop{operator, reason}
	for _, told := range t.told {
		if told == drop {
			return // of this record, in another of its windows
		}
	}
	t.told = append(t.told, drop)
	action, stop := t.cfg.OnDrop(&Dropped{
		Task: t.cfg.ID, Drop: drop, Topic: t.meta.Topic, Partition: t.meta.Partition, Offset: t.meta.Offset, Time: t.current.Time,
	})
	switch action {
	case DeadLetter:
		t.end(t.deadLetter(reason, "", operator))
	case Fail:
		t.end(stop)
	}
}

// count counts a dropped record and tells who watches.
func (t *Task) count(operator, reason string) {
	t.stats.Drops.Count(operator, reason)
	for _, w := range t.watches {
		if w.operator == operator {
			w.N++
			w.Reason = reason
		}
	}
}

// The headers of a dead letter.
const (
	HeaderReason    = "leat.reason"    // decode, process or encode; or why it was dropped
	HeaderError     = "leat.error"     // the error's text, if there was one
	HeaderOperator  = "leat.operator"  // label of the node
	HeaderTopic     = "leat.topic"     // where the record came from
	HeaderPartition = "leat.partition" // decimal
	HeaderOffset    = "leat.offset"    // decimal
)

// deadLetter writes the record in process as it came, with the reason. It is a
// record of this task as its results are, so it becomes final with the same
// commit.
func (t *Task) deadLetter(reason, text, operator string) error {
	rec := t.current
	partition, offset := strconv.Itoa(int(t.meta.Partition)), strconv.FormatInt(t.meta.Offset, 10)
	why := [...][2]string{
		{HeaderReason, reason},
		{HeaderError, text},
		{HeaderOperator, operator},
		{HeaderTopic, t.meta.Topic},
		{HeaderPartition, partition},
		{HeaderOffset, offset},
	}
	if t.cfg.Plan.LikeKafka {
		why = [...][2]string{ // KIP-1034
			{"__streams.errors.exception", reason},
			{"__streams.errors.message", text},
			{"__streams.errors.stacktrace", operator + ": " + text},
			{"__streams.errors.topic", t.meta.Topic},
			{"__streams.errors.partition", partition},
			{"__streams.errors.offset", offset},
		}
	}
	headers := append(make([]record.Header, 0, len(rec.Headers)+len(why)), rec.Headers...)
	for _, h := range why {
		if h[1] != "" {
			headers = append(headers, record.Header{Key: h[0], Value: []byte(h[1])})
		}
	}
	return t.cfg.Out.Send(&Outgoing{
		Topic: t.cfg.DeadLetters, Partition: -1, Key: rec.Key, Value: rec.Value,
		Headers: headers, Time: rec.Time, Changelog: -1,
	})
}
