package vfs

import (
	"errors"
	"io"
	"path"
	"sync"
)

// ErrPowerCut is the error of everything between a power cut and PowerOn, and
// of files that were open at the cut.
var ErrPowerCut = errors.New("power is cut")

// Op is a set of operations of a file system.
type Op uint16

// The operations that can be made to fail.
const (
	OpOpen Op = 1 << iota
	OpRead
	OpWrite
	OpTruncate
	OpSync
	OpSyncDir
	OpRename
	OpRemove

	// OpChange is every operation that changes something.
	OpChange = OpWrite | OpTruncate | OpSync | OpSyncDir | OpRename | OpRemove | OpOpen
)

// Rule makes operations fail.
type Rule struct {
	Ops   Op
	Path  func(string) bool // nil is every path
	Err   error
	After int // as many matching operations succeed first
	Times int // as many then fail; 0 is all
}

// Fault is a file system for tests that fails when told to. A write that
// fails has written the first half of its bytes.
//
// It knows what was synced: a power cut loses any part of the rest. Unsynced
// blocks of 4 KiB are lost or kept one by one, at random; of the creations,
// renames and removals that no SyncDir covered, a random number of the latest
// is undone. Directories, once made, stay.
type Fault struct {
	mem *Mem

	mu      sync.Mutex
	rules   []*Rule
	off     bool
	cutIn   int // changes until the power is cut; 0 is never
	changes int
	life    int // counts power cuts: files of an earlier life are dead
	dirty   map[*memNode]*dirty
	journal []change
}

// NewFault returns a faulty disk over mem, whose present content counts as
// synced. mem must not be used directly meanwhile.
func NewFault(mem *Mem) *Fault {
	return &Fault{mem: mem, dirty: map[*memNode]*dirty{}}
}

// Inject adds a rule and returns a function that takes it away again.
func (f *Fault) Inject(r Rule) (repair func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &r
	f.rules = append(f.rules, p)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		p.Ops = 0
	}
}

// CutAfter cuts the power after n more changes; 0 is never.
func (f *Fault) CutAfter(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cutIn = n
}

// Changes counts the changes so far, for choosing where to cut.
func (f *Fault) Changes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changes
}

// step accounts for an operation and returns the error it must fail with.
func (f *Fault) step(op Op, name string, life int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.off || life != f.life {
		return pathError("use", name, ErrPowerCut)
	}
	for _, r := range f.rules {
		if r.Ops&op == 0 || r.Path != nil && !r.Path(name) {
			continue
		}
		if r.After > 0 {
			r.After--
			continue
		}
		if r.Times > 0 {
			if r.Times--; r.Times == 0 {
				r.Ops = 0
			}
		}
		return pathError("use", name, r.Err)
	}
	if op&OpChange != 0 {
		f.changes++
		if f.cutIn > 0 {
			if f.cutIn--; f.cutIn == 0 {
				f.off = true
			}
		}
	}
	return nil
}

func (f *Fault) now() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.life
}

// change is a change of directory entries that no SyncDir has covered yet.
type change struct {
	dirs   []string
	before []entryBefore
}

// entryBefore is what a path meant before a change; nil is nothing.
type entryBefore struct {
	path string
	node *memNode
}

// record notes what the paths mean now, before a change of them.
func (f *Fault) record(paths ...string) {
	var c change
	f.mem.mu.Lock()
	for _, p := range paths {
		c.before = append(c.before, entryBefore{p, f.mem.files[p]})
		c.dirs = append(c.dirs, path.Dir(p))
	}
	f.mem.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.journal = append(f.journal, c)
}

// OpenFile implements FS.
func (f *Fault) OpenFile(name string, how How) (File, error) {
	name = path.Clean(name)
	life := f.now()
	if err := f.step(OpOpen, name, life); err != nil {
		return nil, err
	}
	f.mem.mu.Lock()
	node := f.mem.files[name]
	f.mem.mu.Unlock()
	switch {
	case node == nil && how != Existing && how != ReadOnly:
		f.record(name)
	case node != nil && how == Truncated:
		f.touch(node, 0, node.length())
	}
	inner, err := f.mem.OpenFile(name, how)
	if err != nil {
		return nil, err
	}
	return &faultFile{memFile: inner.(*memFile), fs: f, life: life}, nil
}

// Rename implements FS.
func (f *Fault) Rename(from, to string) error {
	from, to = path.Clean(from), path.Clean(to)
	if err := f.step(OpRename, from, f.now()); err != nil {
		return err
	}
	f.mem.mu.Lock()
	paths := []string{from, to}
	for _, p := range f.mem.under(from) {
		paths = append(paths, p, to+p[len(from):])
	}
	f.mem.mu.Unlock()
	f.record(paths...)
	return f.mem.Rename(from, to)
}

// Remove implements FS.
func (f *Fault) Remove(name string) error {
	name = path.Clean(name)
	if err := f.step(OpRemove, name, f.now()); err != nil {
		return err
	}
	f.record(name)
	return f.mem.Remove(name)
}

// RemoveAll implements FS.
func (f *Fault) RemoveAll(name string) error {
	name = path.Clean(name)
	if err := f.step(OpRemove, name, f.now()); err != nil {
		return err
	}
	f.mem.mu.Lock()
	paths := append(f.mem.under(name), name)
	f.mem.mu.Unlock()
	f.record(paths...)
	return f.mem.RemoveAll(name)
}

// MkdirAll implements FS.
func (f *Fault) MkdirAll(name string) error {
	if err := f.step(0, name, f.now()); err != nil {
		return err
	}
	return f.mem.MkdirAll(name)
}

// ReadDir implements FS.
func (f *Fault) ReadDir(name string) ([]Entry, error) {
	if err := f.step(OpRead, name, f.now()); err != nil {
		return nil, err
	}
	return f.mem.ReadDir(name)
}

// SyncDir implements FS.
func (f *Fault) SyncDir(name string) error {
	name = path.Clean(name)
	if err := f.step(OpSyncDir, name, f.now()); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.journal[:0]
	for _, c := range f.journal {
		if !c.within(name) {
			kept = append(kept, c)
		}
	}
	f.journal = kept
	return nil
}

func (c *change) within(dir string) bool {
	for _, d := range c.dirs {
		if d == dir {
			return true
		}
	}
	return false
}

// Lock implements FS. A power cut does not release locks.
func (f *Fault) Lock(name string) (io.Closer, error) { return f.mem.Lock(name) }
