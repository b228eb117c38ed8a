package worker

import (
	"time"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
)

// Phase is what an instance is doing as a whole.
type Phase uint8

// The phases, in the order in which they usually follow each other. An instance
// is Restoring again whenever it is assigned a task with state to catch up.
const (
	Starting  Phase = iota // waiting for brokers and topics
	Joining                // in the group without a task yet
	Restoring              // some tasks wait for their state, others may run
	Running                // every task it was assigned runs
	Stopping
	Stopped
)

func (p Phase) String() string {
	return [...]string{"starting", "joining", "restoring", "running", "stopping", "stopped"}[p]
}

// Status is a view of an instance at one moment.
type Status struct {
	Phase Phase
	Tasks []TaskStatus // in no order
}

// TaskStatus is one task of a Status.
type TaskStatus struct {
	ID      task.ID
	Running bool // else it waits for its partitions or its state
	// Restore says how far the restoring of its changelogs is, in records.
	Restored, RestoreTotal int64
	StateBytes             int64
	Inputs                 []InputStatus
	Stats                  *task.Stats // nil until it runs
}

// InputStatus is one input of a task.
type InputStatus struct {
	record.TopicPartition
	Position  int64 // the next offset to be fetched, -1 if unknown
	Committed int64 // the next offset to be processed after a restart, -1 if none
	End       int64 // the end of the partition as last heard of, -1 if unknown
}

// Shard is one task's part of a store.
type Shard struct {
	Partition int32
	DB        store.DB
	Task      *task.Task // for what may be read beside the worker only
}

// CommitFigures are what is known of the commits of an instance.
type CommitFigures struct {
	Count  int64
	Failed int64
	Took   time.Duration // all together
}
