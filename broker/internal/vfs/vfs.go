package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// FS is a tree of files. Paths are slash-separated and cleaned by the caller
// with [Join]. Implementations are safe for concurrent use. Errors of missing
// and existing files match fs.ErrNotExist and fs.ErrExist.
type FS interface {
	// OpenFile opens path for reading and writing in the given way.
	OpenFile(path string, how How) (File, error)
	// Rename moves a file or directory, replacing a file that is in the way.
	Rename(from, to string) error
	// Remove deletes a file or an empty directory.
	Remove(path string) error
	// RemoveAll deletes a tree; a missing tree is no error.
	RemoveAll(path string) error
	// MkdirAll makes a directory and its missing parents.
	MkdirAll(path string) error
	// ReadDir lists a directory by name, in order.
	ReadDir(path string) ([]Entry, error)
	// SyncDir makes the creations, renames and removals in a directory durable.
	SyncDir(path string) error
	// Lock takes path as an exclusive lock file, which is held until the
	// result is closed or the process ends. If another holder exists the
	// error is a *LockedError.
	Lock(path string) (io.Closer, error)
}

// How says what OpenFile does about a file that is, or isn't, there.
type How uint8

const (
	// Existing opens a file that must exist.
	Existing How = iota
	// CreateIfMissing opens a file and makes an empty one where none is.
	CreateIfMissing
	// Truncated opens an empty file, emptying what was there.
	Truncated
	// ReadOnly opens a file that must exist, and need not be writable.
	ReadOnly
)

// File is an open file. Its methods are safe for concurrent use, except that
// overlapping writes are the caller's business.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size is the length in bytes.
	Size() (int64, error)
	// Truncate cuts or extends the file to size bytes.
	Truncate(size int64) error
	// Sync makes the content (not the directory entry) durable. After an
	// error the state of unsynced bytes is unknown: it must not be retried.
	Sync() error
}

// Entry is one name in a directory.
type Entry struct {
	Name string
	Dir  bool
}

// ErrLocked is what a *LockedError matches.
var ErrLocked = errors.New("locked by another owner")

// LockedError tells that a lock file is held by someone else.
type LockedError struct {
	Path string
	PID  int // of the holder; 0 if unknown
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is locked: stop the broker that uses directory %s, or choose another", e.Path, path.Dir(e.Path))
	}
	return fmt.Sprintf("%s is locked by process %d: stop the broker that uses directory %s, or choose another", e.Path, e.PID, path.Dir(e.Path))
}

// Is makes a LockedError match ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Join joins path elements with slashes.
func Join(elem ...string) string { return path.Join(elem...) }

// ReadFile reads a whole file.
func ReadFile(fsys FS, name string) ([]byte, error) { return readFile(fsys, name, Existing) }

// ReadFileOnly reads a whole file that need not be writable.
func ReadFileOnly(fsys FS, name string) ([]byte, error) { return readFile(fsys, name, ReadOnly) }

func readFile(fsys FS, name string, how How) ([]byte, error) {
	f, err := fsys.OpenFile(name, how)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if err != nil && !(errors.Is(err, io.EOF) && int64(n) == size) {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}

// WriteFile writes a whole file without any promise about a crash: for what
// can be rebuilt.
func WriteFile(fsys FS, name string, data []byte) error {
	return writeFile(fsys, name, data, false)
}

// WriteAtomic replaces a file so that after a crash at any moment it holds
// either all of the old content or all of the new, and returns once the new
// one is durable. The temporary file is name+".tmp".
func WriteAtomic(fsys FS, name string, data []byte) error {
	tmp := name + ".tmp"
	if err := writeFile(fsys, tmp, data, true); err != nil {
		return err
	}
	if err := fsys.Rename(tmp, name); err != nil {
		return err
	}
	return fsys.SyncDir(path.Dir(name))
}

func writeFile(fsys FS, name string, data []byte, sync bool) (err error) {
	f, err := fsys.OpenFile(name, Truncated)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err = f.WriteAt(data, 0); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if sync {
		return f.Sync()
	}
	return nil
}

// Exists reports whether path names a file that can be opened.
func Exists(fsys FS, name string) (bool, error) {
	f, err := fsys.OpenFile(name, Existing)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}
