package partition

import "sync/atomic"

// Traffic counts what goes in and out of the logs of a topic. It is safe for
// concurrent use.
type Traffic struct{ recordsIn, bytesIn, bytesOut atomic.Int64 }

// Moved is a count at one moment.
type Moved struct{ RecordsIn, BytesIn, BytesOut int64 }

// Load is the count so far. A nil Traffic has none.
func (t *Traffic) Load() Moved {
	if t == nil {
		return Moved{}
	}
	return Moved{RecordsIn: t.recordsIn.Load(), BytesIn: t.bytesIn.Load(), BytesOut: t.bytesOut.Load()}
}

// Plus is the sum of two counts.
func (m Moved) Plus(n Moved) Moved {
	return Moved{RecordsIn: m.RecordsIn + n.RecordsIn, BytesIn: m.BytesIn + n.BytesIn, BytesOut: m.BytesOut + n.BytesOut}
}

// in counts a batch that was appended.
func (t *Traffic) in(records int32, bytes int) {
	if t != nil {
		t.recordsIn.Add(int64(records))
		t.bytesIn.Add(int64(bytes))
	}
}

// Sent counts bytes of batches that a client is sent.
func (l *Log) Sent(bytes int) {
	if t := l.o.Traffic; t != nil && bytes > 0 {
		t.bytesOut.Add(int64(bytes))
	}
}

// Trouble is why the log takes no records: a sync failed, or the last write
// did. nil is that it does. After a failed write it is nil again once a write
// succeeds, or once it is time to try, with each round of retention.
func (l *Log) Trouble() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	return l.trouble
}

// timeSync calls sync and tells how long it took to whom it may concern.
func (l *Log) timeSync(sync func() error) error {
	if l.o.Synced == nil {
		return sync()
	}
	began := l.clock.Now()
	err := sync()
	l.o.Synced(l.clock.Now().Sub(began), err)
	return err
}
