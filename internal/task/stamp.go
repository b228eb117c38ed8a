package task

import (
	"fmt"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/topology"
)

// # Timestamps of the user's
//
// A source may take the timestamps of its records from what is in them. That is
// done as they are queued, so that all that goes by a record's time sees the one
// it is meant to have; the choice between the inputs first of all.

// Stamper says what the time of a record is, in milliseconds since the epoch;
// latest is the highest one of its partition so far, -1 at first. Less than 0 is
// not valid.
type Stamper func(r *record.Record, tp record.TopicPartition, latest int64) (int64, error)

// OnStamp adds the stamper of a source, for a node that is being made.
func (t *Task) OnStamp(source string, f Stamper) {
	if t.stampers == nil {
		t.stampers = map[string]Stamper{}
	}
	t.stampers[source] = f
}

// stamps is what an input with a stamper knows.
type stamps struct {
	stamp  Stamper
	latest *int64 // of what was taken; it is committed with the offsets
	queued int64  // of what is queued
	failed map[int64]error
}

// stampAll gives records that are about to be queued their times.
func (in *input) stampAll(recs []record.Record) {
	s := in.stamps
	s.queued = max(s.queued, *s.latest)
	for i := range recs {
		ms, err := s.call(&recs[i], in.tp)
		if err != nil {
			// It is told when the record's turn comes.
			if s.failed == nil {
				s.failed = map[int64]error{}
			}
			s.failed[recs[i].Offset] = err
			continue
		}
		recs[i].Time = ms
		s.queued = max(s.queued, ms)
	}
}

func (s *stamps) call(r *record.Record, tp record.TopicPartition) (ms int64, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = panicError(caught)
		}
	}()
	return s.stamp(r, tp, s.queued)
}

// taken notes the time of a record that is being processed, and tells why it
// could not be found, if so.
func (s *stamps) taken(r *record.Record) error {
	*s.latest = max(*s.latest, r.Time)
	err := s.failed[r.Offset]
	delete(s.failed, r.Offset)
	return err
}

// addInputs makes the inputs of a source: one, or for a pattern those that match.
func (t *Task) addInputs(n *topology.Node) {
	for _, topic := range n.Topic.Names(t.cfg.App, t.cfg.Counts) {
		if int(t.cfg.ID.Partition) >= t.cfg.Counts[topic] {
			continue // fewer partitions than its siblings
		}
		t.AddInput(n, topic)
	}
}

// AddInput makes the task read one more topic that a source stands for. It returns
// the input's index, which is that of an older one if two nodes read the topic.
func (t *Task) AddInput(n *topology.Node, topic string) int {
	for i, in := range t.inputs {
		if in.tp.Topic == topic {
			if n.First {
				t.readFirst(in)
			}
			return i
		}
	}
	source := n.Topic.Physical(t.cfg.App)
	in := &input{
		tp:     record.TopicPartition{Topic: topic, Partition: t.cfg.ID.Partition},
		handle: t.sources[source],
		next:   -1,
		epoch:  -1,
		idle:   n.Idle.Milliseconds(),
	}
	in.order = newOrder(topic, t.cfg.Peers[topic], t.cfg.Flow, t.Now().UnixMilli())
	t.ordered = t.ordered || in.order != nil
	if f := t.stampers[source]; f != nil {
		in.stamps = &stamps{stamp: f, latest: t.Time("stamps " + topic), queued: -1}
	}
	if n.First {
		t.readFirst(in)
	}
	t.inputs = append(t.inputs, in)
	return len(t.inputs) - 1
}

// stampError is a failure of the user's to find a timestamp.
func stampError(topic string, err error) error {
	return &OpError{Operator: "Source(" + topic + ")", Kind: FailedProcess, Err: fmt.Errorf("timestamp: %w", err)}
}
