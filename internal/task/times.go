package task

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// # Times in commits
//
// What an operator holds for late, and a store for expired, goes by the highest
// timestamp it has seen. After a restart it must be the one that belongs to the
// committed offsets, not a later one: a store restored from its changelog may
// hold the changes of records that were processed and not committed, and if
// their times counted, those records would be late when they are processed
// again, and lost. So these times are committed with the offsets, as the
// metadata of their commit.

// timesVersion begins the metadata that times are written in.
const timesVersion = "leat1"

// maxTimes keeps the metadata below what brokers take (4096 bytes).
const maxTimes = 150

// namedTime is a time of one of the task's nodes or stores.
type namedTime struct {
	name string
	hash uint32
	ms   *int64
}

// Time is a time in milliseconds since the epoch, -1 at first, that a node or a
// store moves on. It is committed with the task's offsets and comes back with
// them. The same name gives the same time.
func (t *Task) Time(name string) *int64 {
	for _, nt := range t.times {
		if nt.name == name {
			return nt.ms
		}
	}
	ms := int64(-1)
	t.keepTime(name, &ms)
	return &ms
}

func (t *Task) keepTime(name string, ms *int64) {
	h := fnv.New32a()
	h.Write([]byte(name))
	t.times = append(t.times, namedTime{name, h.Sum32(), ms})
}

// Metadata is what to commit with the offsets of every input.
func (t *Task) Metadata() string {
	var b strings.Builder
	b.WriteString(timesVersion)
	n := 0
	for _, nt := range t.times {
		if *nt.ms < 0 || n == maxTimes {
			continue
		}
		n++
		fmt.Fprintf(&b, " %08x=%s", nt.hash, strconv.FormatInt(*nt.ms, 36))
	}
	return b.String()
}

// Recall takes back what was committed with the offsets of one input. The
// inputs' metadata may differ, as only those that moved are committed; the
// latest time counts. What can't be read was committed by another program and
// says nothing.
func (t *Task) Recall(metadata string) {
	fields := strings.Fields(metadata)
	if len(fields) == 0 || fields[0] != timesVersion {
		return
	}
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(f, "=")
		hash, err := strconv.ParseUint(name, 16, 32)
		if err != nil {
			continue
		}
		ms, err := strconv.ParseInt(value, 36, 64)
		if err != nil {
			continue
		}
		for _, nt := range t.times {
			if nt.hash == uint32(hash) {
				*nt.ms = max(*nt.ms, ms)
			}
		}
	}
	t.stats.StreamTime.Store(t.streamTime)
}
