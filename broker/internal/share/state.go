package share

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Key names a share partition: a partition of a topic, as a group reads it.
type Key struct {
	Group     string
	Topic     [16]byte // the topic's id
	Partition int32
}

// CoordinatorKey is the key by which Kafka finds the coordinator of a share
// partition.
func (k Key) CoordinatorKey() string {
	return fmt.Sprintf("%s:%s:%d", k.Group, base64.RawURLEncoding.EncodeToString(k.Topic[:]), k.Partition)
}

// CheckCoordinatorKey says why a text can't be a share partition's key.
func CheckCoordinatorKey(text string) error {
	parts := strings.Split(text, ":")
	n := len(parts)
	if n < 3 || strings.Join(parts[:n-2], ":") == "" {
		return fmt.Errorf("%q is not of the form group:topic id:partition", text)
	}
	if id, err := base64.RawURLEncoding.DecodeString(parts[n-2]); err != nil || len(id) != len(Key{}.Topic) {
		return fmt.Errorf("%q is no topic id", parts[n-2])
	}
	if p, err := strconv.ParseInt(parts[n-1], 10, 32); err != nil || p < 0 {
		return fmt.Errorf("%q is no partition", parts[n-1])
	}
	return nil
}

// State is what has become of a record. The values are Kafka's.
type State int8

// The states of a record.
const (
	Available    State = 0 // may be delivered
	Acquired     State = 1 // is with a member
	Acknowledged State = 2 // was processed
	Archived     State = 4 // will not be delivered, or not again
)

func (s State) final() bool { return s == Acknowledged || s == Archived }

// Range is some offsets in a row.
type Range struct {
	First, Last int64 // inclusive
}

// Batch is some offsets in a row that share a state.
type Batch struct {
	Range
	State      State
	Deliveries int16
}

// Delivery is some records that a member has got.
type Delivery struct {
	Range
	Count int16 // how often they have been delivered, this time included
}

// Type is what a member says of a record. The values are Kafka's.
type Type int8

// The types of acknowledgements.
const (
	Gap     Type = 0 // there is no such record
	Accept  Type = 1 // processed
	Release Type = 2 // not processed: deliver it again
	Reject  Type = 3 // not to be processed: don't
	Renew   Type = 4 // in work: don't deliver it again yet
)

// Acknowledgement is what a member says of some records in a row: one type for
// each, or one for all.
type Acknowledgement struct {
	Range
	Types []Type
}

// Limits bound what a group has going on in a partition.
type Limits struct {
	Records    int           // from the first that isn't done to the last that was delivered
	Deliveries int16         // of one record
	Lock       time.Duration // how long a member may keep a record without a word
	Renewal    bool          // whether a member may ask for more time
}

// Change is what a step has changed that must outlive a restart.
type Change struct {
	Start   int64 // the new start, or -1 for the old one
	Batches []Batch
}

// Empty says that there is nothing to store.
func (c *Change) Empty() bool { return c.Start < 0 && len(c.Batches) == 0 }

// add notes that offsets have a new state.
func (c *Change) add(s *span) {
	if n := len(c.Batches); n > 0 {
		b := &c.Batches[n-1]
		if b.Last+1 == s.first && b.State == s.state && b.Deliveries == s.count {
			b.Last = s.last
			return
		}
	}
	c.Batches = append(c.Batches, s.batch())
}
