package partition

import (
	"log/slog"
	"time"

	"github.com/leatstream/leat/broker/internal/journal"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// Durability says what has to happen before the high watermark passes a batch.
type Durability uint8

const (
	// OS hands batches to the operating system: they survive the end of the
	// process but not of the machine.
	OS Durability = iota
	// Fsync waits until the disk has them. Syncs are grouped over all that
	// wait, see [Syncer].
	Fsync
)

// Options place a log in its broker.
type Options struct {
	FS        vfs.FS
	Dir       string // of this partition, by custom <topic>-<partition>
	Topic     string
	Partition int32
	// TopicID and Partition name the log in the Syncer's journal, and Redo is what
	// was found there; both only where there is one.
	TopicID    [16]byte
	Redo       []journal.Entry
	Clock      clock.Clock  // nil is the system's
	Log        *slog.Logger // nil discards
	Durability Durability
	// Syncer does the syncs that appends ask for. It is shared by all logs of
	// a broker and required with Fsync or where flush.messages is used.
	Syncer *Syncer
	// Unclean says that the broker did not stop in order, so that records
	// which were seen may be lost: the leader epoch then grows.
	Unclean bool
	// TailBytes is how much of the log's end is kept in memory for reads;
	// 0 is 1 MiB.
	TailBytes int
	// Traffic counts what goes in and out; nil doesn't.
	Traffic *Traffic
	// Synced is told how long each sync took, and of its error. It must not
	// block. nil tells nobody.
	Synced func(time.Duration, error)
}

// Origin is who appends.
type Origin uint8

const (
	// Client batches are checked to the last record.
	Client Origin = iota
	// Coordinator batches are made by the broker: only their header is
	// looked at, they may have any size and no sequence numbers.
	Coordinator
)

// AppendArgs is what goes with a batch.
type AppendArgs struct {
	Origin Origin
	// Guard is what BeginTxn gave for the first batch of a transaction, once
	// the coordinator knows of it.
	Guard Guard
}

// Appended tells where a batch went. Fields are -1 where unknown, also beside
// an error; LogStart is set beside those errors where Kafka sets it.
type Appended struct {
	BaseOffset    int64
	LastOffset    int64
	LogAppendTime int64 // milliseconds; only with LogAppendTime and for duplicates
	LogStart      int64
	// Duplicate says that the batch had been appended before and the rest is
	// about that one. It may not be durable yet either: wait as usual.
	Duplicate bool
}

// Ack is told once when the log is durable up to an offset, or never will be.
// It is linked into the log and so must not be copied or used for two waits
// at a time.
type Ack struct {
	// Done is called with nil, or with why the log failed, from whichever
	// goroutine makes progress and with the log locked: it must not block
	// and must not call the log.
	Done func(error)

	offset int64
	next   *Ack
}

// Waker is told that more of a log became readable.
type Waker interface {
	// Wake gets the number of bytes that became readable, or 0 if that can't
	// be told: look again. It is called with the log locked: it must not block
	// and must not call the log.
	Wake(bytes int)
}

// Waiter links a Waker to one log, from Notify until Cancel or until the log
// is closed. It must not be copied meanwhile.
type Waiter struct {
	Waker Waker

	prev, next *Waiter
	linked     bool
}

// Minimum says what a read does whose first batch is larger than it may be.
type Minimum uint8

const (
	// NoMinimum returns nothing rather than too much.
	NoMinimum Minimum = iota
	// AtLeastOne returns the first batch whatever its size.
	AtLeastOne
)

// ReadResult is what a read found.
type ReadResult struct {
	// Data is whole batches, to be sent one slice after the other. The first
	// batch holds the offset asked for, or the first one after it that still
	// exists, and may begin before it. The bytes must not be modified and
	// not be used after Release.
	Data          [][]byte
	Size          int // bytes in Data
	HighWatermark int64
	LastStable    int64
	LogStart      int64
	// Aborted is the aborted transactions that have batches in Data, in order
	// of their ends; only of a committed read. A transaction's batches are
	// those of its producer from FirstOffset to the next ABORT marker.
	Aborted []Aborted

	buf *[]byte
}

// Bounds are the offsets that matter, taken at one moment.
type Bounds struct {
	LogStart      int64 // the first that may be read
	HighWatermark int64 // the first that may not be read
	LastStable    int64 // the first that may not be read committed
	LogEnd        int64 // the one the next record gets
}

// Recovery tells what opening a log had to do.
type Recovery struct {
	Scanned   int64 // bytes whose checksums were looked at
	Truncated int64 // bytes cut off the end because they were not whole batches
	Segments  int
	Rebuilt   int   // indexes made anew
	Redone    int64 // bytes that the journal had, and that were written again
}

// Producer is what the log remembers of an idempotent producer.
type Producer struct {
	ID            int64
	Epoch         int16
	LastSequence  int32
	LastOffset    int64
	LastTimestamp int64 // milliseconds, of the last batch
	// CoordinatorEpoch and TxnStart are -1 as long as the producer has no
	// transaction here.
	CoordinatorEpoch int32
	TxnStart         int64
}

// Retained is what a round of retention did.
type Retained struct {
	Segments int   // taken out of the log
	Bytes    int64 // in them
	LogStart int64
	Expired  int // producers forgotten
}

// Cleaned is what a round of compaction did.
type Cleaned struct {
	Segments                 int // rewritten
	BytesRead, BytesKept     int64
	RecordsRead, RecordsKept int64
	DirtyRatio               float64 // before the round
	CleanedTo                int64   // offset up to which keys are now unique
}
