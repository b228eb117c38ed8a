package partition

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"

	"github.com/leatstream/leat/broker/internal/vfs"
)

// checkpointName is the file that holds what the segments cannot tell.
const checkpointName = "checkpoint"

// syncedTo is the recovery point: everything before it is on the disk. It
// names a place in a file, since that is where a check must go on.
type syncedTo struct {
	offset int64
	base   int64 // of the segment it lies in
	size   int64 // bytes of that segment
}

// checkpoint is the content of the checkpoint file. A log without one begins
// at its first segment and is checked from there.
type checkpoint struct {
	start     int64 // log start offset
	synced    syncedTo
	cleanedTo int64 // compaction has seen all before
}

func (c checkpoint) String() string {
	line := fmt.Sprintf("1 start %d recovery %d base %d size %d cleaned %d", c.start, c.synced.offset, c.synced.base, c.synced.size, c.cleanedTo)
	return fmt.Sprintf("%s crc %08x\n", line, crc32.Checksum([]byte(line), castagnoli))
}

func parseCheckpoint(s string) (checkpoint, error) {
	var c checkpoint
	line, sum, ok := strings.Cut(strings.TrimSuffix(s, "\n"), " crc ")
	if !ok || sum != fmt.Sprintf("%08x", crc32.Checksum([]byte(line), castagnoli)) {
		return c, errors.New("damaged checkpoint")
	}
	_, err := fmt.Sscanf(line, "1 start %d recovery %d base %d size %d cleaned %d",
		&c.start, &c.synced.offset, &c.synced.base, &c.synced.size, &c.cleanedTo)
	return c, err
}

func (l *Log) readCheckpoint() (checkpoint, error) {
	b, err := vfs.ReadFile(l.o.FS, vfs.Join(l.o.Dir, checkpointName))
	if errors.Is(err, fs.ErrNotExist) {
		return checkpoint{}, nil
	}
	if err != nil {
		return checkpoint{}, err
	}
	c, err := parseCheckpoint(string(b))
	if err != nil {
		// It is replaced atomically, so this is a damaged disk; the segments
		// still tell all but the log start and what was cleaned.
		l.log.Warn("checkpoint ignored, the whole log will be checked", "error", err)
		return checkpoint{}, nil
	}
	return c, nil
}

// saveCheckpoint stores the present state durably, unless it is stored.
func (l *Log) saveCheckpoint() error {
	l.ckMu.Lock()
	defer l.ckMu.Unlock()
	l.mu.Lock()
	c := checkpoint{start: l.start, synced: l.synced, cleanedTo: l.cleanedTo}
	if l.unsavedAborted() {
		c.synced = l.saved.synced // the next flush saves them
	}
	l.mu.Unlock()
	if c == l.saved {
		return nil
	}
	if err := vfs.WriteAtomic(l.o.FS, vfs.Join(l.o.Dir, checkpointName), []byte(c.String())); err != nil {
		return fmt.Errorf("%s: save checkpoint: %w", l.name(), err)
	}
	l.saved = c
	l.mu.Lock()
	l.recovery = c.synced.offset
	l.mu.Unlock()
	return nil
}
