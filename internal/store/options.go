package store

import (
	"log/slog"
	"os"
	"time"

	"github.com/leatstream/leat/internal/clock"
)

// Options are the settings of Open. The zero value is fit for an instance with
// many tasks.
type Options struct {
	// MemTableSize is the size of a memtable in bytes, at least 1 MB; 8 MB where
	// it is 0. One memtable takes 1.3 times as much of the Go heap, and there
	// are up to four under load. Larger ones mean fewer compactions: with few
	// tasks 16 to 64 MB pay.
	MemTableSize int64
	// MemTables is how many full memtables may wait to be written out before
	// Write blocks; 2 where it is 0.
	MemTables int
	// IndexCache is the memory for the indexes and bloom filters of tables, in
	// bytes; 16 MB where it is 0.
	IndexCache int64
	// SyncInterval is the time from a checkpoint to the sync that makes it safe
	// against a power cut; 15 s where it is 0.
	SyncInterval time.Duration
	// CloseTimeout bounds the wait of Close for the disk; 1 min where it is 0.
	CloseTimeout time.Duration
	// FreeSpace returns the bytes that are free for files in dir. Write refuses
	// with ENOSPC if they are less than the next memtables need: Badger writes
	// through mapped memory, where a full disk would kill the process. nil asks
	// the operating system.
	FreeSpace func(dir string) (int64, error)
	// BootID names this run of the operating system. An empty one means unknown:
	// every unclean stop is then taken for a power cut. nil asks the system.
	BootID func() string
	// Clock tells the time; clock.System where it is nil.
	Clock clock.Clock
	// Logger gets Badger's warnings and errors; nil drops them.
	Logger *slog.Logger
}

const (
	minMemTable = 1 << 20
	// maxInline is the longest value that is kept with its key. Longer ones go
	// into the value log, whose space comes back only when the DB is wiped.
	maxInline = 1 << 20
)

func (o Options) withDefaults() Options {
	if o.MemTableSize == 0 {
		o.MemTableSize = 8 << 20
	}
	o.MemTableSize = max(o.MemTableSize, minMemTable)
	if o.MemTables <= 0 {
		o.MemTables = 2
	}
	if o.IndexCache <= 0 {
		o.IndexCache = 16 << 20
	}
	if o.SyncInterval <= 0 {
		o.SyncInterval = 15 * time.Second
	}
	if o.CloseTimeout <= 0 {
		o.CloseTimeout = time.Minute
	}
	if o.FreeSpace == nil {
		o.FreeSpace = freeSpace
	}
	if o.BootID == nil {
		o.BootID = bootID
	}
	o.Clock = clock.Or(o.Clock)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// inline is the longest value that is kept with its key: Badger takes at most
// 15 % of a memtable at once, and the key has to fit in as well.
func (o Options) inline() int64 { return min(maxInline, o.MemTableSize*15/200) }

// spare is the space that must be free before a Write of n bytes: all memtables
// with their logs, the tables made of them, and a compaction.
func (o Options) spare(n int64) int64 {
	return 2*o.MemTableSize*int64(o.MemTables+2) + 2*n
}

// bootID reads the boot id of Linux; elsewhere it is unknown.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(b)
}
