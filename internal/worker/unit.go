package worker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// unit is a task of this instance and what belongs to it, from the assignment
// of its first partition until it is given up. A task that comes back is a new
// unit.
type unit struct {
	id     task.ID
	sub    *topology.Subtopology
	inputs []record.TopicPartition // in the order of the task's inputs
	index  map[record.TopicPartition]int

	// ctx is for everything that is done for the task; it is cancelled when
	// nothing of that counts any more.
	ctx    context.Context
	cancel context.CancelFunc

	// Guarded by Instance.mu.
	assigned map[record.TopicPartition]client.Assigned
	started  bool    // it has all its partitions, and is or was being prepared
	worker   *worker // which has it now, nil before
	dropped  bool    // given up: a restorer must not hand it over any more

	prepared chan struct{} // closed when the restorer is done with it

	// Set when it is started: where its inputs begin.
	begin map[record.TopicPartition]client.Assigned

	// Set by the restorer before the worker gets the task.
	task    *task.Task
	db      store.DB
	session *client.Session

	// Owned by the worker.
	closed  bool
	failed  bool // its task returned an error: it mustn't be committed
	asking  bool // a question about its inputs is on the way
	paused  []bool
	askNext time.Time // no question before
	since   time.Time // when it began to wait for an empty input, zero if it doesn't
	behind  []time.Time
	// What was last committed with the offset of an input that is of that input
	// alone.
	metadata []string

	// For others to see.
	figures  []inputFigures
	buffered atomic.Int64 // records handed over and not yet processed
	size     atomic.Int64 // bytes of a record on average
	blocked  atomic.Bool  // it can't go on with what it has
	restored atomic.Int64
	total    atomic.Int64
}

// inputFigures are the offsets of an input; -1 is unknown.
type inputFigures struct {
	position  atomic.Int64 // next to be fetched
	committed atomic.Int64
	end       atomic.Int64
}

func newUnit(ctx context.Context, id task.ID, sub *topology.Subtopology, inputs []record.TopicPartition) *unit {
	u := &unit{
		id: id, sub: sub, inputs: inputs,
		index:    make(map[record.TopicPartition]int, len(inputs)),
		assigned: make(map[record.TopicPartition]client.Assigned, len(inputs)),
		prepared: make(chan struct{}),
		paused:   make([]bool, len(inputs)),
		behind:   make([]time.Time, len(inputs)),
		metadata: make([]string, len(inputs)),
		figures:  make([]inputFigures, len(inputs)),
	}
	for i, tp := range inputs {
		u.index[tp] = i
		u.figures[i].position.Store(-1)
		u.figures[i].committed.Store(-1)
		u.figures[i].end.Store(-1)
	}
	u.ctx, u.cancel = context.WithCancel(ctx)
	return u
}

// delivery is what one poll brought for one input of a task.
type delivery struct {
	unit  *unit
	input int
	round uint64
	batch client.Batch
}

// handed notes records on their way to the unit.
func (u *unit) handed(b *client.Batch) {
	n := int64(len(b.Records))
	if n == 0 {
		return
	}
	u.buffered.Add(n)
	// The average moves by an eighth: one odd batch doesn't matter.
	size := u.size.Load()
	u.size.Store(size + (int64(b.Bytes)/n-size)/8)
}

// bufferedBytes is how many bytes of a partition may wait for their task,
// however few records that is.
const bufferedBytes = 16 << 20

// room is how many records of limit may be buffered, given their size.
func (u *unit) room(limit int) int64 {
	return max(1, min(int64(limit), bufferedBytes/max(u.size.Load(), 1)))
}
