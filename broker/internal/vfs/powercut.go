package vfs

import (
	"io"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
)

// faultBlock is the unit in which unsynced bytes are lost or kept.
const faultBlock = 4 << 10

// dirty is what a file was at its last sync, as far as it changed since.
type dirty struct {
	order int   // in which files became dirty: maps have none
	size  int64 // at the last sync
	old   map[int64][]byte
}

func (n *memNode) length() int64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.size
}

// touch keeps what is in the blocks of [from, to) before they change.
func (f *Fault) touch(n *memNode, from, to int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.dirty[n]
	if d == nil {
		d = &dirty{order: len(f.dirty), size: n.length(), old: map[int64][]byte{}}
		f.dirty[n] = d
	}
	file := memFile{node: n}
	for block := from / faultBlock; block*faultBlock < to; block++ {
		if _, known := d.old[block]; known {
			continue
		}
		b := make([]byte, faultBlock)
		_, _ = file.ReadAt(b, block*faultBlock) // what is past the end stays zero
		d.old[block] = b
	}
}

// PowerCut loses a part of what was not synced, chosen by the seed, and turns
// the power on again. Files opened before are dead.
func (f *Fault) PowerCut(seed uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rnd := rand.New(rand.NewPCG(seed, 0))
	nodes := slices.SortedFunc(maps.Keys(f.dirty), func(a, b *memNode) int {
		return f.dirty[a].order - f.dirty[b].order
	})
	for _, n := range nodes {
		f.dirty[n].lose(n, rnd)
	}
	clear(f.dirty)
	keep := 0
	if len(f.journal) > 0 {
		keep = rnd.IntN(len(f.journal) + 1)
	}
	for _, c := range slices.Backward(f.journal[keep:]) {
		f.mem.undo(c)
	}
	f.journal = nil
	f.rules = nil
	f.off, f.cutIn = false, 0
	f.life++
}

// lose puts some of the old blocks back, and may cut what was appended.
func (d *dirty) lose(n *memNode, rnd *rand.Rand) {
	size := n.length()
	file := memFile{node: n}
	if size > d.size {
		switch rnd.IntN(3) {
		case 0:
			size = d.size
		case 1:
			size = d.size + rnd.Int64N(size-d.size+1)
		}
	} else if size < d.size && rnd.IntN(2) == 0 {
		size = d.size
	}
	// Where a change of size is undone, all goes back with it.
	undone := size == d.size && n.length() != d.size
	n.truncate(size)
	for _, block := range slices.Sorted(maps.Keys(d.old)) {
		at := block * faultBlock
		if at < size && (undone || rnd.IntN(2) == 0) {
			_, _ = file.WriteAt(d.old[block][:min(faultBlock, size-at)], at)
		}
	}
}

func (m *Mem) undo(c change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range slices.Backward(c.before) {
		if e.node == nil {
			delete(m.files, e.path)
			continue
		}
		m.files[e.path] = e.node
		for dir := path.Dir(e.path); !m.dirs[dir]; dir = path.Dir(dir) {
			m.dirs[dir] = true
		}
	}
}

// faultFile is an open file of a Fault.
type faultFile struct {
	*memFile
	fs   *Fault
	life int
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.step(OpRead, f.name, f.life); err != nil {
		return 0, err
	}
	return f.memFile.ReadAt(p, off)
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.fs.step(OpWrite, f.name, f.life)
	if err != nil {
		p = p[:len(p)/2]
	}
	if f.fs.now() != f.life {
		return 0, err
	}
	f.fs.touch(f.node, off, off+int64(len(p)))
	n, writeErr := f.memFile.WriteAt(p, off)
	if err == nil {
		err = writeErr
	}
	return n, err
}

func (f *faultFile) Truncate(size int64) error {
	if err := f.fs.step(OpTruncate, f.name, f.life); err != nil {
		return err
	}
	f.fs.touch(f.node, min(size, f.node.length()), max(size, f.node.length()))
	return f.memFile.Truncate(size)
}

func (f *faultFile) Sync() error {
	if err := f.fs.step(OpSync, f.name, f.life); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	delete(f.fs.dirty, f.node)
	return nil
}

var (
	_ io.ReaderAt = (*faultFile)(nil)
	_ FS          = (*Fault)(nil)
	_ FS          = (*Mem)(nil)
)
