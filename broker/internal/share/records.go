package share

import (
	"errors"
	"fmt"
	"math"

	"github.com/leatstream/leat/broker/internal/flex"
)

// Record is a record for the topic of share groups' state. A nil Value is a
// tombstone.
type Record struct {
	Key, Value []byte
}

// ErrRecord is wrapped by the errors for records that can't be read.
var ErrRecord = errors.New("unreadable record of a share partition")

// The kinds of records, which are the versions of their keys.
const (
	snapshotKey = 0
	updateKey   = 1
)

// Stored is the content of a record: a snapshot, or an update of the snapshot
// before it.
type Stored struct {
	Key      Key
	Deleted  bool // a tombstone: nothing else is set
	Snapshot bool
	// Epoch counts the snapshots of a share partition.
	Epoch int32
	// StateEpoch counts how often the offsets were reset by an admin; only of
	// snapshots.
	StateEpoch  int32
	LeaderEpoch int32
	Change            // of a snapshot: everything
	Done        int32 // offsets from the start on that are done
	CreatedMS   int64 // only of snapshots
	WrittenMS   int64 // only of snapshots
}

// noCount is the default of the number of offsets that are done.
const noCount = -1

// Encode makes the record.
func (s *Stored) Encode() Record {
	kind := int16(updateKey)
	if s.Snapshot {
		kind = snapshotKey
	}
	r := Record{Key: flex.Encode(nil, s.Key.schema(&kind))}
	if !s.Deleted {
		r.Value = flex.Encode(nil, s.schema)
	}
	return r
}

// schema is that of a key. It is of the old encoding, without tags.
func (k *Key) schema(kind *int16) func(*flex.Coder) {
	return func(c *flex.Coder) {
		c.Int16(kind)
		c.OldString(&k.Group)
		c.UUID(&k.Topic)
		c.Int32(&k.Partition)
	}
}

// schema is that of a value.
func (s *Stored) schema(c *flex.Coder) {
	var version int16
	if c.Int16(&version); version != 0 {
		c.Fail(fmt.Errorf("version %d is not known", version))
		return
	}
	c.Int32(&s.Epoch)
	if s.Snapshot {
		c.Int32(&s.StateEpoch)
	}
	c.Int32(&s.LeaderEpoch)
	c.Int64(&s.Start)
	if s.Snapshot {
		c.Int64(&s.CreatedMS)
		c.Int64(&s.WrittenMS)
	}
	flex.Slice(c, &s.Batches, func(b *Batch) {
		c.Int64(&b.First)
		c.Int64(&b.Last)
		c.Int8((*int8)(&b.State))
		c.Int16(&b.Deliveries)
		c.End()
	})
	c.End(flex.Tag{ID: 0, Set: s.Done != noCount, Field: func(c *flex.Coder) { c.Int32(&s.Done) }})
}

// Decode reads a record. ok is false for records of a kind that this version
// doesn't know.
func Decode(r Record) (s Stored, ok bool, err error) {
	kind := int16(-1)
	if err := flex.Decode(r.Key, func(c *flex.Coder) { c.Int16(&kind) }); err != nil {
		return s, false, fmt.Errorf("%w: key: %w", ErrRecord, err)
	}
	if kind != snapshotKey && kind != updateKey {
		return s, false, nil
	}
	if err := flex.Decode(r.Key, s.Key.schema(&kind)); err != nil {
		return s, false, fmt.Errorf("%w: key: %w", ErrRecord, err)
	}
	s.Snapshot, s.Done = kind == snapshotKey, noCount
	if r.Value == nil {
		s.Deleted = true
		return s, true, nil
	}
	if err = flex.Decode(r.Value, s.schema); err == nil {
		err = s.check()
	}
	if err != nil {
		return s, false, fmt.Errorf("%w: %s: %w", ErrRecord, s.Key.CoordinatorKey(), err)
	}
	return s, true, nil
}

// check says what of a record can't be.
func (s *Stored) check() error {
	if s.Start < -1 || s.Start == math.MaxInt64 {
		return fmt.Errorf("start offset %d", s.Start)
	}
	for _, b := range s.Batches {
		switch {
		case b.First < 0 || b.First > b.Last || b.Last == math.MaxInt64:
			return fmt.Errorf("offsets %d to %d", b.First, b.Last)
		case b.State != Available && !b.State.final():
			return fmt.Errorf("state %d", b.State)
		case b.Deliveries < 0:
			return fmt.Errorf("%d deliveries", b.Deliveries)
		}
	}
	return nil
}
