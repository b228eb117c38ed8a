package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// OS is the file system of the operating system.
var OS FS = osFS{}

type osFS struct{}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (f osFile) Sync() error { return syncFile(f.File) }

// What others on the machine may do with records and credentials: those of the
// same group may read them, for backups.
const (
	fileMode = 0o640
	dirMode  = 0o750
)

// ReadForeign reads a file of the machine that isn't the broker's own, such as a
// certificate. It may be one that can't be written to.
func ReadForeign(path string) ([]byte, error) { return os.ReadFile(path) }

func (osFS) OpenFile(path string, how How) (File, error) {
	flag := os.O_RDWR
	switch how {
	case CreateIfMissing:
		flag |= os.O_CREATE
	case Truncated:
		flag |= os.O_CREATE | os.O_TRUNC
	case ReadOnly:
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flag, fileMode)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(path string) error     { return os.Remove(path) }
func (osFS) RemoveAll(path string) error  { return os.RemoveAll(path) }
func (osFS) MkdirAll(path string) error   { return os.MkdirAll(path, dirMode) }

func (osFS) ReadDir(path string) ([]Entry, error) {
	list, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(list))
	for i, e := range list {
		entries[i] = Entry{Name: e.Name(), Dir: e.IsDir()}
	}
	return entries, nil
}

func (osFS) SyncDir(path string) error {
	// Windows keeps directories durable by itself and cannot sync a handle
	// to one.
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (osFS) Lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		pid := readPID(f)
		f.Close()
		if errors.Is(err, ErrLocked) {
			return nil, &LockedError{Path: path, PID: pid}
		}
		return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	// The process id is a courtesy to whoever finds the lock taken; the lock
	// itself is the kernel's and needs no cleaning up after a crash.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return f, nil
}

func readPID(f *os.File) int {
	var buf [32]byte
	n, _ := f.ReadAt(buf[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil {
		return 0
	}
	return pid
}
