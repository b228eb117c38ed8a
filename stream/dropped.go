package stream

import (
	"fmt"
	"time"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/table"
)

// DroppedRecord is a record that an operator dropped, as [Config.OnDrop] is told.
type DroppedRecord struct {
	Operator  string // the operator and its store or topic: "Count(visits)"
	Reason    string // "late", "null-key", "null-value", "future-timestamp", …
	Task      string // sub-topology and partition: "0_3"
	Topic     string
	Partition int32
	Offset    int64
	Time      time.Time
}

// Error is what an app ends with if its OnDrop says Fail.
func (d *DroppedRecord) Error() string {
	return fmt.Sprintf("%s (task %s) dropped the record at topic %s, partition %d, offset %d, of time %s: %s",
		d.Operator, d.Task, d.Topic, d.Partition, d.Offset, d.Time.Format(time.RFC3339Nano), d.Reason)
}

// DropPolicy is Config.OnDrop in the terms of a task. It is for leat's own packages.
func DropPolicy(policy func(*DroppedRecord) Action) func(*task.Dropped) (task.Action, error) {
	if policy == nil {
		return nil
	}
	return func(d *task.Dropped) (task.Action, error) {
		r := &DroppedRecord{
			Operator: d.Operator, Reason: d.Reason, Task: d.Task.String(),
			Topic: d.Topic, Partition: d.Partition, Offset: d.Offset, Time: time.UnixMilli(d.Time).UTC(),
		}
		switch policy(r) {
		case Skip:
			return task.Skip, nil
		case DeadLetter:
			return task.DeadLetter, nil
		}
		return task.Fail, r
	}
}

// Dropped is a side output: the records of a stream that the operator which made
// t drops, because they are late or lack a key or a value, or since it failed for
// them and [Config.OnError] says to go on. K and V are those of the stream that
// the operator reads:
//
//	visits := b.Stream(clicks).GroupByKey().WindowedBy(perMinute).Count(perUser)
//	stream.Dropped[string, Click](visits).To(late)
//
// Each record comes once, with the time and the headers it has and one more,
// [HeaderReason]. It is written in the same commit as the results. Dropped records
// are counted as well, and Config.OnDrop is asked about them.
func Dropped[K, V, KT, VT any](t table.Table[KT, VT]) Stream[K, V] {
	d := dsl.Table[KT, VT](t).Def()
	return streamOf(dsl.Side[K, V](d.B, d.Node, dsl.Caller()))
}

// Dropped is the side output of the operator that made s, as the function
// [Dropped] is for tables.
func (s Stream[K, V]) Dropped[KD, VD any]() Stream[KD, VD] {
	d := s.def()
	return streamOf(dsl.Side[KD, VD](d.B, d.Node, dsl.Caller()))
}
