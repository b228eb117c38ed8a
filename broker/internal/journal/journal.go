package journal

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/leatstream/leat/broker/internal/vfs"
)

// Options place a journal.
type Options struct {
	FS  vfs.FS
	Dir string
	// FileBytes is how large a file becomes before the next one is begun; 0 is
	// 64 MiB.
	FileBytes int64
	// First is the lowest number that a file may have: one above those that were
	// recovered.
	First uint64
}

// spares is how many files that were given back are kept for use.
const spares = 2

// Journal is written by one goroutine at a time; Drop may be called by any.
type Journal struct {
	o         Options
	file      vfs.File // nil where the next commit needs a new one
	number    uint64   // of file, or of the last one
	at        int64    // where the next block begins
	synced    int64    // all before is durable
	allocated int64    // the file's size
	block     []byte   // being made: a header to be filled in, and entries
	entries   int
	err       error // why this round can't be committed

	mu    sync.Mutex
	spare []string
}

// New returns an empty journal. Nothing is written before the first commit.
func New(o Options) *Journal {
	if o.FileBytes <= 0 {
		o.FileBytes = 64 << 20
	}
	return &Journal{o: o, number: max(o.First, 1) - 1}
}

// File is the number of the file that the last commit went to.
func (j *Journal) File() uint64 { return j.number }

// Add puts bytes of a log on the list for the next commit. They are copied.
func (j *Journal) Add(k Key, p Place, b []byte) {
	for len(b) > 0 && j.err == nil {
		j.begin()
		n := min(len(b), max(maxBlock-len(j.block), align))
		j.block = appendEntry(j.block, k, p, n)
		j.block = append(j.block, b[:n]...)
		j.entries++
		b = b[n:]
		p.Position += int64(n)
		if len(j.block) >= maxBlock {
			j.err = j.write()
		}
	}
}

func (j *Journal) begin() {
	if len(j.block) == 0 {
		j.block = append(j.block, make([]byte, headerSize)...)
	}
}

// Commit makes all that was added since the last commit durable. After an error
// nothing of it is, for all that is known, and the next commit begins a new file.
func (j *Journal) Commit() error {
	err := j.err
	if err == nil && len(j.block) > 0 {
		err = j.write()
	}
	if err == nil && j.synced < j.at {
		if err = j.file.Sync(); err == nil {
			j.synced = j.at
		}
	}
	j.block, j.entries, j.err = j.block[:0], 0, nil
	if err == nil {
		return nil
	}
	empty := j.synced == 0
	err = errors.Join(fmt.Errorf("journal %s: %w", j.path(j.number), err), j.leave())
	if empty {
		_ = j.o.FS.Remove(j.path(j.number))
	}
	return err
}

// write puts the block into the file.
func (j *Journal) write() error {
	if j.file != nil && j.at >= j.o.FileBytes && j.synced == j.at {
		if err := j.leave(); err != nil {
			return err
		}
	}
	if j.file == nil {
		if err := j.next(); err != nil {
			return err
		}
	}
	seal(j.block, j.number, j.at, j.synced, j.entries)
	end := aligned(j.at + int64(len(j.block)))
	for j.allocated < end {
		// A block that changes no file sizes is cheaper to sync.
		n, err := j.file.WriteAt(zeros[:min(int64(len(zeros)), aligned(j.o.FileBytes))], j.allocated)
		j.allocated += int64(n)
		if err != nil {
			return err
		}
	}
	if _, err := j.file.WriteAt(j.block, j.at); err != nil {
		return err
	}
	j.at = end
	j.block, j.entries = j.block[:0], 0
	return nil
}

// next begins a file: one that was given back, or a new one.
func (j *Journal) next() error {
	j.number++
	path := j.path(j.number)
	how := vfs.Truncated
	if old, ok := j.takeSpare(); ok {
		if err := j.o.FS.Rename(old, path); err != nil {
			return err
		}
		how = vfs.Existing
	}
	if err := j.o.FS.MkdirAll(j.o.Dir); err != nil {
		return err
	}
	f, err := j.o.FS.OpenFile(path, how)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil {
		err = syncDirs(j.o.FS, j.o.Dir)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	j.file, j.allocated = f, size/align*align
	return nil
}

// leave ends the use of the present file.
func (j *Journal) leave() error {
	if j.file == nil {
		return nil
	}
	f := j.file
	j.file, j.at, j.synced = nil, 0, 0
	return f.Close()
}

// Drop gives a file back: what is in it is no longer needed. It must not be that
// of the last commit, unless no other follows.
func (j *Journal) Drop(number uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.spare) < spares {
		j.spare = append(j.spare, j.path(number))
		return nil
	}
	return j.o.FS.Remove(j.path(number))
}

func (j *Journal) takeSpare() (path string, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := len(j.spare)
	if n == 0 {
		return "", false
	}
	path = j.spare[n-1]
	j.spare = j.spare[:n-1]
	return path, true
}

// Close ends the journal. Files that were given back go; the others stay for the
// next start.
func (j *Journal) Close() error {
	err := j.leave()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, path := range slices.Backward(j.spare) {
		err = errors.Join(err, j.o.FS.Remove(path))
	}
	j.spare = nil
	return err
}

func (j *Journal) path(number uint64) string { return vfs.Join(j.o.Dir, fileName(number)) }
