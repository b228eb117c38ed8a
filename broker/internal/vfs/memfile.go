package vfs

import (
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
)

// memBlock is the size of the pieces a file in memory is made of. Growing a
// file never copies more than one of them.
const memBlock = 64 << 10

// memNode is the content of a file, shared by all who have it open.
type memNode struct {
	mu     sync.RWMutex
	size   int64
	blocks [][]byte // all of memBlock bytes, but for the last, which may be shorter
}

type memFile struct {
	node   *memNode
	name   string
	closed atomic.Bool
}

func (n *memNode) truncate(size int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if size < n.size {
		keep := int((size + memBlock - 1) / memBlock)
		clear(n.blocks[keep:])
		n.blocks = n.blocks[:keep]
		if in := size % memBlock; in != 0 {
			// Bytes past the end must read as zero if the file grows again.
			clear(n.blocks[keep-1][in:])
		}
		n.size = size
		return
	}
	n.grow(size)
}

// grow makes the file size bytes long, filled with zeros.
func (n *memNode) grow(size int64) {
	for need := size; ; {
		last := len(n.blocks) - 1
		if last >= 0 && len(n.blocks[last]) < memBlock {
			want := min(need-int64(last)*memBlock, memBlock)
			n.blocks[last] = grown(n.blocks[last], int(want))
		}
		if int64(len(n.blocks))*memBlock >= need {
			break
		}
		n.blocks = append(n.blocks, nil)
	}
	n.size = size
}

// grown returns b with at least want bytes, and more so that a file that is
// appended to in small steps is not copied at each.
func grown(b []byte, want int) []byte {
	if want <= len(b) {
		return b
	}
	g := make([]byte, min(max(want, 2*len(b), 1<<10), memBlock))
	copy(g, b)
	return g
}

func (f *memFile) check(op string, off int64) error {
	if f.closed.Load() {
		return pathError(op, f.name, fs.ErrClosed)
	}
	if off < 0 {
		return pathError(op, f.name, fs.ErrInvalid)
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.check("read", off); err != nil {
		return 0, err
	}
	n := f.node
	n.mu.RLock()
	defer n.mu.RUnlock()
	if off >= n.size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), n.size-off)
	var done int64
	for done < want {
		at := off + done
		done += int64(copy(p[done:want], n.blocks[at/memBlock][at%memBlock:]))
	}
	if want < int64(len(p)) {
		return int(done), io.EOF
	}
	return int(done), nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.check("write", off); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil // as on a disk, that makes no file longer
	}
	n := f.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if end := off + int64(len(p)); end > n.size {
		n.grow(end)
	}
	done := 0
	for done < len(p) {
		at := off + int64(done)
		done += copy(n.blocks[at/memBlock][at%memBlock:], p[done:])
	}
	return done, nil
}

func (f *memFile) Size() (int64, error) {
	if err := f.check("stat", 0); err != nil {
		return 0, err
	}
	f.node.mu.RLock()
	defer f.node.mu.RUnlock()
	return f.node.size, nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.check("truncate", size); err != nil {
		return err
	}
	f.node.truncate(size)
	return nil
}

func (f *memFile) Sync() error { return f.check("sync", 0) }

func (f *memFile) Close() error {
	if f.closed.Swap(true) {
		return pathError("close", f.name, fs.ErrClosed)
	}
	return nil
}
