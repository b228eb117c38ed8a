package dsl

import (
	"errors"
	"time"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

var errNoTime = errors.New("the record has no valid timestamp: its producer set none, or one before 1970")

// stampSource tells the task where the timestamps of a source's records come from,
// if not from the records.
func stampSource[K, V any](t *task.Task, n *topology.Node, from topic.Topic[K, V]) {
	stamp, times := from.Stamper(), from.Times()
	if stamp == nil && times == topic.ValidOnly {
		return
	}
	t.OnStamp(n.Topic.Physical(t.App()), func(r *record.Record, tp record.TopicPartition, latest int64) (int64, error) {
		ms := r.Time
		if times == topic.Arrival {
			return t.Now().UnixMilli(), nil
		}
		if stamp != nil {
			k, v, err := decode(from, r)
			if err != nil {
				return ms, nil // the source meets it again, and fails it
			}
			s := topic.Stamp{Time: time.UnixMilli(ms).UTC(), Topic: tp.Topic, Partition: tp.Partition, Offset: r.Offset, Headers: r.Headers}
			if latest >= 0 {
				s.Latest = time.UnixMilli(latest).UTC()
			}
			ms = stamp(k, v, s).UnixMilli()
		}
		switch {
		case ms >= 0:
		case times == topic.Strict:
			return ms, errNoTime
		case times == topic.Partition:
			ms = latest
		}
		return ms, nil
	})
}

// decode is a record's key and value, the zero ones for what is null.
func decode[K, V any](from topic.Topic[K, V], r *record.Record) (k K, v V, err error) {
	if r.Key != nil {
		if k, err = from.Key().Decode(r.Key); err != nil {
			return k, v, err
		}
	}
	if r.Value != nil {
		v, err = from.Value().Decode(r.Value)
	}
	return k, v, err
}
