package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

const (
	lockName = "LOCK"
	dbName   = "db"
	// wipedName is where a database goes before it is removed, so that a crash
	// does not leave half of one.
	wipedName = "db.wiped"
)

// Level 0 may never hold four tables, see the package comment. Compaction begins
// at two; while it runs one more may come, then flushing waits.
const (
	levelZeroTables = 2
	levelZeroStall  = 3
)

// Open opens the database of a task in a directory of its own, which is created
// if need be and locked while the DB is open. Opened tells what was found. The
// error is ErrLocked, or one of the operating system that a wipe can't mend; it
// names the directory.
func Open(dir string, o Options) (DB, error) {
	o = o.withDefaults()
	lock, err := Lock(dir)
	if err != nil {
		return nil, err
	}
	d := newDisk(dir, o, lock)
	if err := d.open(); err != nil {
		lock.Close()
		return nil, err
	}
	return d, nil
}

// open brings up the database and leaves an unclean session.
func (d *disk) open() error {
	boot := strings.TrimSpace(d.opts.BootID())
	last, t, reason, err := d.judge(boot)
	if err != nil {
		return fault("read session", d.dir, err)
	}
	if reason == nil && t != trustNone {
		reason, err = d.openBadger()
		if err != nil {
			return err
		}
	}
	if reason != nil {
		d.opened.Wiped = fault("wiped", d.dir, reason)
		d.opts.Logger.Warn("state database wiped, its stores will be restored",
			slog.String("dir", d.dir), slog.Any("reason", reason))
	}
	if d.db == nil {
		t, d.opened.Created = trustAll, true
		if err := d.recreate(); err != nil {
			return err
		}
	}
	if err := d.begin(boot, last, t); err != nil {
		return errors.Join(fault("open", d.dir, err), d.closeBadger())
	}
	return nil
}

// judge decides how far to trust what is in the directory. trustNone without a
// reason means that there is nothing.
func (d *disk) judge(boot string) (last session, t trust, reason, err error) {
	if _, err := os.Stat(d.path); errors.Is(err, os.ErrNotExist) {
		return session{}, trustNone, nil, nil
	} else if err != nil {
		return session{}, trustNone, nil, err
	}
	last, err = readSession(d.dir)
	if errors.Is(err, errSession) {
		return session{}, trustNone, err, nil
	}
	if err != nil {
		return session{}, trustNone, nil, err
	}
	t, reason = last.trust(boot)
	if t != trustNone {
		reason = d.inspect()
	}
	return last, t, reason, nil
}

// recreate removes what is there and opens an empty database.
func (d *disk) recreate() error {
	aside := filepath.Join(d.dir, wipedName)
	err := os.RemoveAll(aside)
	if err == nil {
		if err = os.Rename(d.path, aside); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.RemoveAll(aside)
	}
	if err == nil {
		err = os.MkdirAll(d.path, 0o777)
	}
	if err != nil {
		return fault("wipe", d.dir, err)
	}
	reason, err := d.openBadger()
	if err != nil {
		return err
	}
	return fault("create", d.dir, reason)
}

// openBadger sets d.db. An unusable database is the reason to wipe it; err is
// for what a wipe can't mend.
func (d *disk) openBadger() (reason, err error) {
	if err := d.attempt(); err != nil {
		return nil, fault("open", d.dir, err)
	}
	if err := d.dropEmptyLogs(); err != nil {
		return nil, fault("open", d.dir, err)
	}
	db, err := openManaged(badgerOptions(d.path, d.opts))
	d.attempted()
	if err == nil {
		db.SetDiscardTs(version)
		d.db, d.txn = db, db.NewTransactionAt(version, false)
		return nil, nil
	}
	var panicked caught
	if _, env := errnoOf(err); env && !errors.As(err, &panicked) {
		return nil, fault("open", d.dir, err)
	}
	return err, nil
}

// dropEmptyLogs deletes logs of memtables that a kill caught between the
// creation of the file and its first byte. There is nothing in them, but Badger
// doesn't open a database that has one.
func (d *disk) dropEmptyLogs() error {
	logs, err := d.files(".mem")
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it is about to be created
		}
		return err
	}
	for _, name := range logs {
		fi, err := os.Stat(name)
		if err == nil && fi.Size() == 0 {
			err = os.Remove(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openManaged is badger.OpenManaged with its panics as errors.
func openManaged(o badger.Options) (db *badger.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, caught{r}
		}
	}()
	return badger.OpenManaged(o)
}

// badgerOptions are the settings that are never up to the user, and his.
func badgerOptions(path string, o Options) badger.Options {
	return badger.DefaultOptions(path).
		WithSyncWrites(false). // the changelog is the truth
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithNumVersionsToKeep(1).
		WithCompression(options.None). // blocks are then read from the mapped file without a copy
		WithBlockCacheSize(0).
		WithIndexCacheSize(o.IndexCache).
		WithMemTableSize(o.MemTableSize).
		WithNumMemtables(o.MemTables).
		WithValueThreshold(o.inline()).
		WithValueLogFileSize(MaxValue). // sparse; see Write on large values
		WithNumCompactors(2).           // Badger's minimum
		WithNumLevelZeroTables(levelZeroTables).
		WithNumLevelZeroTablesStall(levelZeroStall).
		WithLogger(badgerLog{o.Logger.With(slog.String("dir", path))})
}

// badgerLog passes Badger's warnings and errors on. What it says about its
// doings is of no interest to a user of leat.
type badgerLog struct{ l *slog.Logger }

func (b badgerLog) Errorf(format string, args ...any)   { b.l.Error(text(format, args)) }
func (b badgerLog) Warningf(format string, args ...any) { b.l.Warn(text(format, args)) }
func (b badgerLog) Infof(string, ...any)                {}
func (b badgerLog) Debugf(string, ...any)               {}

func text(format string, args []any) string {
	return "badger: " + strings.TrimSpace(fmt.Sprintf(format, args...))
}
