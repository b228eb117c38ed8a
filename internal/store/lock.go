package store

import (
	"io"
	"os"
	"path/filepath"
)

// Lock takes the lock of a directory, which is created if need be. It is held
// until the result is closed or the process ends. The error is ErrLocked if it
// is held already, in this process or another; it names the directory.
func Lock(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fault("create directory", dir, err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, fault("open lock", dir, err)
	}
	if err := lockFile(lock); err != nil {
		lock.Close()
		return nil, fault("lock", dir, err)
	}
	return lock, nil
}
