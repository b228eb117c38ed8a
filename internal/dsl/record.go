package dsl

import (
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Record is a typed record on its way through a stream.
type Record[K, V any] struct {
	Key     K
	Value   V
	Time    int64        // milliseconds since the epoch
	KeyNull bool         // Key is the zero value since the record has none
	Meta    *record.Meta // the task's: where the record in process came from
}

// Change is a change of one row on its way through a table.
type Change[K, V any] struct {
	Key    K
	New    V
	Old    V // only right where the table was asked for old values
	HasNew bool
	HasOld bool
	Time   int64 // milliseconds since the epoch
	Meta   *record.Meta
	// Stale says that the row of a versioned table has a newer version already.
	// Such a change is written to topics and to streams; joins and aggregations
	// of tables leave it out.
	Stale bool
}

// Port is the output of a node in a task: the nodes after it, called one after
// the other, each to the end before the next.
//
// It is also where a failure ends, of a function that returned an error or
// panicked: the record is lost for the node that failed only. The nodes beside it
// and before it go on, if that is the policy.
type Port[R any] struct {
	task *task.Task
	subs []subscriber[R]
}

type subscriber[R any] struct {
	call  func(R) error
	label string
	node  int
	side  func(r R, reason string) error // takes what the node drops, or nil
	watch *task.Watch                    // with side
}

// NewPort makes the output of n, from which Out of its definition finds it.
func NewPort[R any](t *task.Task, n *topology.Node) *Port[R] {
	p := FreePort[R](t)
	t.SetPort(n.ID, p)
	return p
}

// FreePort makes an output that is no node's yet.
func FreePort[R any](t *task.Task) *Port[R] { return &Port[R]{task: t} }

// Emit hands r to every node after this one. An error ends the task, and is to be
// returned as it is.
func (p *Port[R]) Emit(r R) error {
	for i := range p.subs {
		if err := p.deliver(&p.subs[i], r); err != nil {
			return err
		}
	}
	return nil
}

// deliver hands r to one node, until it succeeds or the policy gives it up.
func (p *Port[R]) deliver(s *subscriber[R], r R) error {
	before := 0
	if s.side != nil {
		before = s.watch.N
	}
	for attempt := 1; ; attempt++ {
		err := s.try(r)
		if err != nil {
			err = p.task.Failed(s.label, err, attempt)
		}
		switch {
		case err == task.ErrRetry:
			continue
		case err == nil && s.side != nil && s.watch.N != before:
			return s.side(r, s.watch.Reason)
		}
		return err
	}
}

// try makes an error of a panic.
func (s *subscriber[R]) try(r R) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = task.Panicked(caught)
		}
	}()
	return s.call(r)
}

// Subscribe adds node n with its function.
func (p *Port[R]) Subscribe(n *topology.Node, f func(R) error) {
	p.subs = append(p.subs, subscriber[R]{call: f, label: n.Label(), node: n.ID})
}
