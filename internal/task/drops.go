package task

import "sync"

// The reasons for which an operator drops a record.
const (
	DropNullKey   = "null-key"
	DropNullValue = "null-value"
	DropLate      = "late"
	DropTimestamp = "negative-timestamp"
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
