package txn

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/partition"
)

// Config holds the limits and sources of a machine. All fields are required.
type Config struct {
	// MaxTimeout is the longest that a transaction may ask to be open for.
	MaxTimeout time.Duration
	// IDRetention is how long an id is remembered that nobody uses.
	IDRetention time.Duration
	// NewProducerID returns a producer id that nobody has had.
	NewProducerID func() (int64, error)
}

// Machine is the coordinator of some transactional ids. It is not safe for
// concurrent use.
type Machine struct {
	cfg  Config
	txns map[string]*Txn
}

// New returns a machine that knows of no transactions.
func New(cfg Config) *Machine { return &Machine{cfg: cfg, txns: map[string]*Txn{}} }

// Step is what a request comes to. Its answer is a code, and for some requests
// a producer. Where there is a Next, that has to be stored and applied before
// the answer counts; if it is a prepared transaction, its markers are to be
// written then.
type Step struct {
	Code       int16
	ProducerID int64 // -1 if the answer has none
	Epoch      int16
	Next       *Txn
	// Expired says that in place of a state its end has to be stored: the
	// transactional id Next.ID is forgotten.
	Expired bool
}

func refuse(e *kerr.Error) Step {
	return Step{Code: e.Code, ProducerID: none, Epoch: noEpoch}
}

// Ends says that markers have to be written once the step is stored.
func (s *Step) Ends() bool { return s.Next != nil && !s.Expired && s.Next.State.prepared() }

// Record is what stores the step.
func (s *Step) Record() Record {
	if s.Expired {
		return Record{Key: key(s.Next.ID)}
	}
	return s.Next.record()
}

// Apply makes the state of a step that is stored the current one.
func (m *Machine) Apply(s Step) {
	switch {
	case s.Next == nil:
	case s.Expired:
		delete(m.txns, s.Next.ID)
	default:
		m.txns[s.Next.ID] = s.Next
	}
}

// Restore applies a record that was read back.
func (m *Machine) Restore(r Record) error {
	id, ok, err := idOf(r.Key)
	if err != nil || !ok {
		return err
	}
	if r.Value == nil {
		delete(m.txns, id)
		return nil
	}
	t, err := parse(id, r.Value)
	if err != nil {
		return err
	}
	m.txns[id] = t
	return nil
}

// Producer is a producer as a request names it.
type Producer struct {
	ID    int64
	Epoch int16
}

// Init registers a producer for a transactional id. Whoever had the id is
// fenced. was is the producer's own idea of who it is, nil if it has none: with
// it the producer goes on after an error, unless another has taken over.
func (m *Machine) Init(now time.Time, id string, timeoutMS int32, was *Producer) Step {
	ms := now.UnixMilli()
	switch t := time.Duration(timeoutMS) * time.Millisecond; {
	case id == "":
		return refuse(kerr.InvalidRequest)
	case t <= 0 || t > m.cfg.MaxTimeout:
		return refuse(kerr.InvalidTransactionTimeout)
	}
	t := m.txns[id]
	if t == nil {
		fresh, err := m.cfg.NewProducerID()
		if err != nil {
			return withoutID()
		}
		t = &Txn{ID: id, ProducerID: fresh, PrevProducerID: none, NextProducerID: none, Epoch: noEpoch, LastEpoch: noEpoch, StartedAt: -1, Version: partition.TxnV1}
	} else if was != nil && was.ID != t.ProducerID && (was.ID != t.PrevProducerID || was.Epoch < maxEpoch-1) {
		return refuse(kerr.ProducerFenced)
	}
	switch {
	case t.State.prepared():
		return refuse(kerr.ConcurrentTransactions)
	case t.State == Ongoing:
		s := refuse(kerr.ConcurrentTransactions)
		s.Next = t.decide(ms, PrepareAbort, partition.TxnV2, none)
		return s
	}
	n, code := m.register(ms, t, timeoutMS, was)
	if code != nil {
		return refuse(code)
	}
	return Step{ProducerID: n.ProducerID, Epoch: n.Epoch, Next: n}
}

// withoutID is the answer when there is no producer id to be had, because the
// disk fails. After this code clients wait before they ask again.
func withoutID() Step { return refuse(kerr.CoordinatorNotAvailable) }

// register is Init for an id without a transaction.
func (m *Machine) register(ms int64, t *Txn, timeoutMS int32, was *Producer) (*Txn, *kerr.Error) {
	n := t.register(ms, timeoutMS)
	n.LastEpoch = noEpoch
	switch {
	case t.exhausted() && (was == nil || was.Epoch == t.Epoch):
		fresh, err := m.cfg.NewProducerID()
		if err != nil {
			return nil, kerr.CoordinatorNotAvailable
		}
		n.ProducerID, n.Epoch = fresh, 0
		if was != nil {
			n.LastEpoch = t.Epoch
		}
	case was == nil:
		n.Epoch = t.Epoch + 1
	case t.Epoch == noEpoch || was.Epoch == t.Epoch:
		n.Epoch, n.LastEpoch = t.Epoch+1, t.Epoch
	case was.Epoch == t.LastEpoch:
		// It has had its answer, or should have: the same again.
		n.LastEpoch = t.LastEpoch
	default:
		return nil, kerr.ProducerFenced
	}
	return n, nil
}

// owned returns the id's state if the producer owns it.
func (m *Machine) owned(id string, p Producer) (*Txn, *kerr.Error) {
	if id == "" {
		return nil, kerr.InvalidRequest
	}
	t := m.txns[id]
	switch {
	case t == nil || t.ProducerID != p.ID:
		return nil, kerr.InvalidProducerIDMapping
	case t.Epoch != p.Epoch:
		return nil, kerr.ProducerFenced
	case t.State.prepared():
		return nil, kerr.ConcurrentTransactions
	}
	return t, nil
}

// Add adds partitions to the producer's transaction, and begins it if need be.
func (m *Machine) Add(now time.Time, id string, p Producer, ps []Partition, v partition.TxnVersion) Step {
	t, code := m.owned(id, p)
	if code != nil {
		return refuse(code)
	}
	s := Step{ProducerID: none, Epoch: noEpoch}
	if t.State == Ongoing && !slices.ContainsFunc(ps, func(p Partition) bool { return !t.Has(p) }) {
		return s
	}
	s.Next = t.add(now.UnixMilli(), ps, v)
	return s
}

// Verify says of each partition whether it belongs to the producer's
// transaction: 0, or the error code.
func (m *Machine) Verify(id string, p Producer, ps []Partition) []int16 {
	codes := make([]int16, len(ps))
	t, code := m.owned(id, p)
	for i, p := range ps {
		switch {
		case code != nil:
			codes[i] = code.Code
		case !t.Has(p):
			codes[i] = kerr.TransactionAbortable.Code
		}
	}
	return codes
}

// Complete is told when all markers of a prepared transaction are written; t
// is what Ends was true of. The step is empty if the state has moved on.
func (m *Machine) Complete(now time.Time, t *Txn) Step {
	s := Step{ProducerID: none, Epoch: noEpoch}
	if m.txns[t.ID] == t {
		s.Next = t.completed(now.UnixMilli())
	}
	return s
}

// Unfinished lists the transactions whose markers have to be written.
func (m *Machine) Unfinished() []*Txn {
	var ts []*Txn
	for _, id := range slices.Sorted(maps.Keys(m.txns)) {
		if t := m.txns[id]; t.State.prepared() {
			ts = append(ts, t)
		}
	}
	return ts
}

// Deadline is when an open transaction will have been open for too long.
func (t *Txn) Deadline() time.Time {
	return time.UnixMilli(t.StartedAt + int64(t.TimeoutMS) + 1)
}

// NextDeadline is when TimeOut has something to do; zero is never.
func (m *Machine) NextDeadline() time.Time {
	var next time.Time
	for _, t := range m.txns {
		if d := t.Deadline(); t.State == Ongoing && (next.IsZero() || d.Before(next)) {
			next = d
		}
	}
	return next
}

// TimeOut ends the transactions that have been open for too long.
func (m *Machine) TimeOut(now time.Time) []Step {
	var steps []Step
	for _, id := range slices.Sorted(maps.Keys(m.txns)) {
		if t := m.txns[id]; t.State == Ongoing && !t.Deadline().After(now) {
			steps = append(steps, Step{ProducerID: none, Epoch: noEpoch, Next: t.decide(now.UnixMilli(), PrepareAbort, partition.TxnV2, none)})
		}
	}
	return steps
}

// Expire forgets the ids that nobody has used for the retention time.
func (m *Machine) Expire(now time.Time) []Step {
	limit := now.Add(-m.cfg.IDRetention).UnixMilli()
	var steps []Step
	for _, id := range slices.Sorted(maps.Keys(m.txns)) {
		if t := m.txns[id]; t.State.resting() && t.UpdatedAt <= limit {
			steps = append(steps, Step{ProducerID: none, Epoch: noEpoch, Next: t, Expired: true})
		}
	}
	return steps
}

// Find returns the state of a transactional id, nil if it is not known.
func (m *Machine) Find(id string) *Txn { return m.txns[id] }

// All lists the state of all transactional ids, in order.
func (m *Machine) All() []*Txn {
	ts := make([]*Txn, 0, len(m.txns))
	for _, id := range slices.Sorted(maps.Keys(m.txns)) {
		ts = append(ts, m.txns[id])
	}
	return ts
}
