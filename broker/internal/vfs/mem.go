package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

// Mem is a file system in memory. Nothing outlives it; Sync and SyncDir do
// nothing. A removed file lives on for those who have it open.
type Mem struct {
	mu    sync.Mutex
	files map[string]*memNode
	dirs  map[string]bool
	locks map[string]bool
}

// NewMem returns an empty file system in memory.
func NewMem() *Mem {
	return &Mem{
		files: map[string]*memNode{},
		dirs:  map[string]bool{"/": true, ".": true},
		locks: map[string]bool{},
	}
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// OpenFile implements FS.
func (m *Mem) OpenFile(name string, how How) (File, error) {
	name = path.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dirs[name] {
		return nil, pathError("open", name, errors.New("is a directory"))
	}
	n := m.files[name]
	if n == nil {
		if how == Existing || how == ReadOnly || !m.dirs[path.Dir(name)] {
			return nil, pathError("open", name, fs.ErrNotExist)
		}
		n = &memNode{}
		m.files[name] = n
	} else if how == Truncated {
		n.truncate(0)
	}
	return &memFile{node: n, name: name}, nil
}

// Rename implements FS.
func (m *Mem) Rename(from, to string) error {
	from, to = path.Clean(from), path.Clean(to)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[path.Dir(to)] {
		return pathError("rename", to, fs.ErrNotExist)
	}
	if n := m.files[from]; n != nil {
		if m.dirs[to] {
			return pathError("rename", to, fs.ErrExist)
		}
		delete(m.files, from)
		m.files[to] = n
		return nil
	}
	if !m.dirs[from] {
		return pathError("rename", from, fs.ErrNotExist)
	}
	if m.dirs[to] || m.files[to] != nil {
		return pathError("rename", to, fs.ErrExist)
	}
	m.renameTree(from, to)
	return nil
}

func (m *Mem) renameTree(from, to string) {
	delete(m.dirs, from)
	m.dirs[to] = true
	for _, name := range m.under(from) {
		moved := to + strings.TrimPrefix(name, from)
		if n := m.files[name]; n != nil {
			delete(m.files, name)
			m.files[moved] = n
		} else {
			delete(m.dirs, name)
			m.dirs[moved] = true
		}
	}
}

// under lists all that is in the tree of dir, without dir.
func (m *Mem) under(dir string) []string {
	var names []string
	prefix := strings.TrimSuffix(dir, "/") + "/"
	for name := range m.files {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	for name := range m.dirs {
		if strings.HasPrefix(name, prefix) && name != dir {
			names = append(names, name)
		}
	}
	return names
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	name = path.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.files[name] != nil:
		delete(m.files, name)
	case m.dirs[name]:
		if len(m.under(name)) > 0 {
			return pathError("remove", name, errors.New("directory not empty"))
		}
		delete(m.dirs, name)
	default:
		return pathError("remove", name, fs.ErrNotExist)
	}
	return nil
}

// RemoveAll implements FS.
func (m *Mem) RemoveAll(name string) error {
	name = path.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range m.under(name) {
		delete(m.files, n)
		delete(m.dirs, n)
	}
	delete(m.files, name)
	delete(m.dirs, name)
	return nil
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name = path.Clean(name); !m.dirs[name]; name = path.Dir(name) {
		if m.files[name] != nil {
			return pathError("mkdir", name, fs.ErrExist)
		}
		m.dirs[name] = true
	}
	return nil
}

// ReadDir implements FS.
func (m *Mem) ReadDir(name string) ([]Entry, error) {
	name = path.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[name] {
		return nil, pathError("readdir", name, fs.ErrNotExist)
	}
	var list []Entry
	for f := range m.files {
		if path.Dir(f) == name {
			list = append(list, Entry{Name: path.Base(f)})
		}
	}
	for d := range m.dirs {
		if d != name && path.Dir(d) == name {
			list = append(list, Entry{Name: path.Base(d), Dir: true})
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// SyncDir implements FS; there is nothing to do in memory.
func (m *Mem) SyncDir(string) error { return nil }

// Lock implements FS.
func (m *Mem) Lock(name string) (io.Closer, error) {
	name = path.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[path.Dir(name)] {
		return nil, pathError("lock", name, fs.ErrNotExist)
	}
	if m.locks[name] {
		return nil, &LockedError{Path: name}
	}
	m.locks[name] = true
	return &memLock{fs: m, name: name}, nil
}

type memLock struct {
	fs   *Mem
	name string
	once sync.Once
}

func (l *memLock) Close() error {
	l.once.Do(func() {
		l.fs.mu.Lock()
		defer l.fs.mu.Unlock()
		delete(l.fs.locks, l.name)
	})
	return nil
}
