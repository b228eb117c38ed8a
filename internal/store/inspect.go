package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
)

const (
	// attemptFile holds one byte for each opening of Badger that has not come
	// to an end.
	attemptFile = "opening"
	// maxAttempts is the number of openings that may kill the process before
	// the database is given up.
	maxAttempts = 3
	// maxThin bounds the compactions of a crowded level 0. Each takes the oldest
	// tables as far as their keys overlap, so one or two do.
	maxThin = 32
)

// inspect looks for what Badger can't bear: damage that makes it panic in a
// goroutine of its own, where nobody can recover, and too many tables in level 0.
// It returns the reason to wipe the database, or nil. What it does not notice is
// left to Badger.
func (d *disk) inspect() error {
	for range maxThin {
		crowded, reason := d.inspectFiles()
		if reason != nil || !crowded {
			return reason
		}
		if err := d.thin(); err != nil {
			return err
		}
	}
	return fmt.Errorf("level 0 is still crowded after %d compactions", maxThin)
}

// thin compacts level 0 into the next one, which Close does if it is told to,
// without a compactor of the other kind. A process that is killed while its
// flushes wait leaves such a database: Badger notes a table in the manifest
// before it waits for room.
func (d *disk) thin() error {
	o := badgerOptions(d.path, d.opts).WithNumCompactors(0).WithCompactL0OnClose(true).
		WithNumLevelZeroTablesStall(math.MaxInt32)
	if err := d.attempt(); err != nil {
		return err
	}
	defer d.attempted()
	db, err := openManaged(o)
	if err != nil {
		return err
	}
	db.SetDiscardTs(version)
	return db.Close()
}

// inspectFiles reads the manifest and the ends of the tables.
func (d *disk) inspectFiles() (crowded bool, reason error) {
	defer func() {
		if r := recover(); r != nil {
			reason = caught{r}
		}
	}()
	if fi, err := os.Stat(filepath.Join(d.dir, attemptFile)); err == nil && fi.Size() >= maxAttempts {
		return false, fmt.Errorf("opening it has ended the process %d times", fi.Size())
	}
	f, err := os.Open(filepath.Join(d.path, badger.ManifestFilename))
	if errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if err != nil {
		return false, nil // not the database's fault, Badger will say the same
	}
	defer f.Close()
	m, _, err := badger.ReplayManifestFile(f, 0, badgerOptions(d.path, d.opts))
	if err != nil {
		return false, err
	}
	for id := range m.Tables {
		name := table.IDToFilename(id)
		if err := checkTable(filepath.Join(d.path, name)); err != nil {
			return false, fmt.Errorf("table %s: %w", name, err)
		}
	}
	return len(m.Levels) > 0 && len(m.Levels[0].Tables) > levelZeroStall, nil
}

var errFooter = errors.New("damaged footer")

// checkTable reads the end of a table backwards: length of the checksum,
// checksum, length of the index. Badger trusts these before it verifies
// anything.
func checkTable(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err != nil {
		return nil // as above
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil
	}
	var tail [64]byte
	n := min(fi.Size(), int64(len(tail)))
	if _, err := f.ReadAt(tail[:n], fi.Size()-n); err != nil {
		return err
	}
	return checkFooter(tail[:n], fi.Size())
}

// checkFooter judges the last bytes of a table of the given size.
func checkFooter(tail []byte, size int64) error {
	sum, rest, ok := cutField(tail)
	if !ok || len(rest) < 4 {
		return errFooter
	}
	// The checksum is a protobuf message: an optional algorithm, then the sum.
	if len(sum) > 0 && sum[0] != 0x10 && (len(sum) < 2 || sum[0] != 0x08 || sum[1] > 1) {
		return errFooter
	}
	index := int64(binary.BigEndian.Uint32(rest[len(rest)-4:]))
	if index == 0 || index > size-int64(len(sum))-8 {
		return errFooter
	}
	return nil
}

// cutField takes a field off the end of b that has its length behind it.
func cutField(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint32(b[len(b)-4:]))
	b = b[:len(b)-4]
	if n > len(b) || n > 16 {
		return nil, nil, false
	}
	return b[len(b)-n:], b[:len(b)-n], true
}

// attempt notes that Badger is about to be opened. It need not be synced: it is
// there for the death of the process, not of the machine.
func (d *disk) attempt() error {
	f, err := os.OpenFile(filepath.Join(d.dir, attemptFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte{'.'})
	return errors.Join(err, f.Close())
}

// attempted notes that the opening came to an end.
func (d *disk) attempted() {
	// If it can't be removed the database may be wiped one day, no worse.
	_ = os.Remove(filepath.Join(d.dir, attemptFile))
}
