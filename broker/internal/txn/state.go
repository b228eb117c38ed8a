package txn

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
)

// State is where a transactional id is. The values are those of Kafka's
// records.
type State int8

// The states. Dead and PrepareEpochFence are never stored: Kafka knows them as
// well.
const (
	Empty             State = 0 // a producer is registered and has not begun
	Ongoing           State = 1
	PrepareCommit     State = 2
	PrepareAbort      State = 3
	CompleteCommit    State = 4
	CompleteAbort     State = 5
	Dead              State = 6
	PrepareEpochFence State = 7
)

var stateNames = [...]string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}

// String is Kafka's name of the state.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return fmt.Sprintf("State(%d)", int8(s))
	}
	return stateNames[s]
}

// ParseState finds a state by its name.
func ParseState(name string) (State, bool) {
	i := slices.Index(stateNames[:], name)
	return State(i), i >= 0
}

// prepared says that the transaction is decided and its markers are on their
// way.
func (s State) prepared() bool { return s == PrepareCommit || s == PrepareAbort }

// resting says that there is no transaction.
func (s State) resting() bool { return s == Empty || s == CompleteCommit || s == CompleteAbort }

// Partition names a partition by topic name.
type Partition struct {
	Topic     string
	Partition int32
}

func comparePartitions(a, b Partition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// none is no producer id, and noEpoch no epoch.
const (
	none    int64 = batch.NoProducer
	noEpoch int16 = -1
)

// maxEpoch is the last epoch, which only the broker uses, to fence the one
// before.
const maxEpoch int16 = 1<<15 - 1

// Txn is the state of a transactional id. It is never changed, but replaced.
type Txn struct {
	ID         string
	ProducerID int64
	Epoch      int16
	// PrevProducerID is the producer id before the last step, and LastEpoch the
	// epoch before it was last raised (-1 if that was for someone else): they
	// tell a request that comes again from one of a stranger. LastEpoch does
	// not survive a restart.
	PrevProducerID int64
	LastEpoch      int16
	// NextProducerID is the producer id to go on with when a transaction has
	// ended whose epoch was the last of its producer id.
	NextProducerID int64
	TimeoutMS      int32
	State          State
	Partitions     []Partition // in order
	StartedAt      int64       // milliseconds; -1 without a transaction
	UpdatedAt      int64       // milliseconds
	// Version is the protocol of the client that caused the last step.
	Version partition.TxnVersion
}

// Has says whether the partition belongs to the transaction.
func (t *Txn) Has(p Partition) bool {
	_, ok := slices.BinarySearchFunc(t.Partitions, p, comparePartitions)
	return ok
}

// exhausted says that the producer id has no further epoch for clients.
func (t *Txn) exhausted() bool { return t.Epoch >= maxEpoch-1 }

// Outcome is what was decided of a prepared transaction.
func (t *Txn) Outcome() batch.Outcome {
	if t.State == PrepareCommit || t.State == CompleteCommit {
		return batch.Commit
	}
	return batch.Abort
}

// next is a copy to be made the next state.
func (t *Txn) next(to State, now int64) *Txn {
	n := *t
	n.PrevProducerID = t.ProducerID
	n.State, n.UpdatedAt = to, now
	return &n
}

// register is the state for a producer that begins anew.
func (t *Txn) register(now int64, timeoutMS int32) *Txn {
	n := t.next(Empty, now)
	n.TimeoutMS, n.Partitions, n.StartedAt = timeoutMS, nil, -1
	return n
}

// add is the state with more partitions.
func (t *Txn) add(now int64, ps []Partition, v partition.TxnVersion) *Txn {
	n := t.next(Ongoing, now)
	n.Partitions = slices.Concat(t.Partitions, ps)
	slices.SortFunc(n.Partitions, comparePartitions)
	n.Partitions = slices.Compact(n.Partitions)
	n.Version = v
	if t.State.resting() {
		n.StartedAt = now
	}
	return n
}

// decide is the state in which the transaction waits for its markers.
func (t *Txn) decide(now int64, to State, v partition.TxnVersion, nextID int64) *Txn {
	n := t.next(to, now)
	n.Version, n.NextProducerID = v, nextID
	if v == partition.TxnV2 {
		n.Epoch, n.LastEpoch = t.Epoch+1, t.Epoch
	}
	if t.State != Ongoing {
		n.StartedAt = now // nothing was ever written
	}
	return n
}

// completed is the state when all markers are written.
func (t *Txn) completed(now int64) *Txn {
	to := CompleteAbort
	if t.State == PrepareCommit {
		to = CompleteCommit
	}
	n := t.next(to, now)
	n.Partitions, n.NextProducerID = nil, none
	if t.Version == partition.TxnV2 && t.NextProducerID != none {
		// The client saw the epoch before, and sees 0 next.
		n.ProducerID, n.Epoch = t.NextProducerID, 0
	}
	return n
}
