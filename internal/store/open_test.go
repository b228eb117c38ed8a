package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/leatstream/leat/internal/store"
)

// filled makes a database with one row and a checkpoint, and closes it.
func filled(tb testing.TB, dir string) (id store.ID, key []byte) {
	tb.Helper()
	db := openSmall(tb, dir)
	id, key = addRow(tb, db, 7)
	closeDB(tb, db)
	return id, key
}

// addRow writes a row of the store "s" and its checkpoint.
func addRow(tb testing.TB, db store.DB, offset int64) (id store.ID, key []byte) {
	tb.Helper()
	id, err := db.Prefix("s")
	if err != nil {
		tb.Fatal(err)
	}
	key = id.Key(nil, []byte("k"))
	var b store.Batch
	b.Put(key, []byte("v"))
	b.Checkpoint(id, offset)
	if err := db.Write(&b); err != nil {
		tb.Fatal(err)
	}
	return id, key
}

func closeDB(tb testing.TB, db store.DB) {
	tb.Helper()
	if err := db.Close(); err != nil {
		tb.Error(err)
	}
}

// wantEmpty checks that a database was wiped, and that it works.
func wantEmpty(t *testing.T, db store.DB, id store.ID, key []byte) {
	t.Helper()
	if o := db.Opened(); !o.Created || o.Wiped == nil {
		t.Errorf("Opened = %+v, want wiped", o)
	}
	if _, ok, err := db.Get(key); ok || err != nil {
		t.Errorf("Get in a wiped database = %t, %v", ok, err)
	}
	if off, ok := db.Checkpoint(id); ok {
		t.Errorf("checkpoint %d in a wiped database", off)
	}
	addRow(t, db, 1)
}

func TestOpen_Locked(t *testing.T) {
	dir := t.TempDir()
	db := openSmall(t, dir)
	if _, err := store.Open(dir, small(t)); !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second Open = %v", err)
	}
	closeDB(t, db)
	closeDB(t, openSmall(t, dir))
}

func TestOpen_Damaged(t *testing.T) {
	// Each damage is done to a copy of the files of a clean database.
	damages := map[string]func(t *testing.T, dir string){
		"no session":      func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "session")) },
		"session garbage": func(t *testing.T, dir string) { overwrite(t, filepath.Join(dir, "session"), []byte("{}")) },
		"session empty":   func(t *testing.T, dir string) { overwrite(t, filepath.Join(dir, "session"), nil) },
		"manifest garbage": func(t *testing.T, dir string) {
			overwrite(t, filepath.Join(dir, "db", "MANIFEST"), []byte("????????????????"))
		},
		"table empty":   func(t *testing.T, dir string) { eachTable(t, dir, func(f string) { overwrite(t, f, nil) }) },
		"table missing": func(t *testing.T, dir string) { eachTable(t, dir, func(f string) { remove(t, f) }) },
		"table garbage": func(t *testing.T, dir string) {
			eachTable(t, dir, func(f string) { overwrite(t, f, []byte(strings.Repeat("\xff", 5000))) })
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			id, key := filled(t, dir)
			damage(t, dir)
			o := small(t)
			o.Logger = nil // Badger logs the damage, which is no news
			db := open(t, dir, o)
			defer closeDB(t, db)
			wantEmpty(t, db, id, key)
			if !strings.Contains(db.Opened().Wiped.Error(), dir) {
				t.Errorf("reason without the directory: %v", db.Opened().Wiped)
			}
			if _, err := os.Stat(filepath.Join(dir, "db.wiped")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("what was wiped is still there: %v", err)
			}
		})
	}
}

func eachTable(t *testing.T, dir string, f func(string)) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "db", "*.sst"))
	if err != nil || len(names) == 0 {
		t.Fatalf("tables: %v, %v", names, err)
	}
	for _, n := range names {
		f(n)
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestOpen_NotTheDatabasesFault checks that nothing is wiped for an error that a
// wipe would not mend.
func TestOpen_NotTheDatabasesFault(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	overwrite(t, file, nil)
	_, err := store.Open(filepath.Join(file, "dir"), small(t))
	if !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("Open below a file = %v", err)
	}
}

func TestWrite_NoSpace(t *testing.T) {
	free := int64(1) << 40
	o := small(t)
	o.FreeSpace = func(string) (int64, error) { return free, nil }
	dir := t.TempDir()
	db := open(t, dir, o)
	defer closeDB(t, db)
	id, key := addRow(t, db, 1)
	free = 1 << 20
	var b store.Batch
	b.Put(key, []byte("w"))
	b.Checkpoint(id, 2)
	err := db.Write(&b)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Write on a full disk = %v", err)
	}
	if v, _, err := db.Get(key); string(v) != "v" || err != nil {
		t.Errorf("after a refused Write: %q, %v", v, err)
	}
	free = 1 << 40
	if err := db.Write(&b); err != nil {
		t.Errorf("Write with space again: %v", err)
	}
	if off, _ := db.Checkpoint(id); off != 2 {
		t.Errorf("checkpoint = %d", off)
	}
}

// TestWrite_Fails makes Badger fail in the middle: it can't create its next log.
// That leaves it without a memtable, which must not be felt as a panic.
func TestWrite_Fails(t *testing.T) {
	o := small(t)
	o.Logger = nil
	dir := t.TempDir()
	db := open(t, dir, o)
	c := newChangelog(t, db)
	overwrite(t, filepath.Join(dir, "db", "00002.mem"), make([]byte, 100))
	var err error
	at := 0
	for ; err == nil && at < 100_000; at += 3000 {
		var b store.Batch
		for i := at; i < at+3000; i++ {
			b.Put(c.key(i), changelogValue(i))
		}
		b.Checkpoint(c.id, int64(at+3000))
		err = db.Write(&b)
	}
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Fatalf("Write = %v", err)
	}
	_, _, getErr := db.Get(c.key(0))
	for name, err := range map[string]error{
		"Get":   getErr,
		"Scan":  db.Scan(nil, nil, func(_, _ []byte) bool { return true }),
		"Clear": db.Clear(c.id),
	} {
		if !errors.Is(err, store.ErrFailed) {
			t.Errorf("%s of a failed database = %v", name, err)
		}
	}
	closeDB(t, db)
	db = open(t, dir, o)
	defer closeDB(t, db)
	off, ok := db.Checkpoint(c.id)
	if !ok || int(off) >= at || off%3000 != 0 {
		t.Errorf("checkpoint = %d, %t; the Write up to %d failed", off, ok, at)
	}
	if n := c.stale(db, int(off)); n != 0 {
		t.Errorf("%d keys are older than the checkpoint", n)
	}
	c.apply(db, int(off), at)
	if n := c.stale(db, at); n != 0 {
		t.Errorf("%d keys are stale after the replay", n)
	}
}

// TestOpen_EmptyLog is a kill between the creation of a memtable's log and its
// first byte.
func TestOpen_EmptyLog(t *testing.T) {
	o := small(t)
	dir := t.TempDir()
	db := open(t, dir, o)
	c := newChangelog(t, db)
	c.apply(db, 0, 100)
	closeDB(t, db)
	overwrite(t, filepath.Join(dir, "db", "00077.mem"), nil)
	db = open(t, dir, o)
	if o := db.Opened(); o.Wiped != nil {
		t.Errorf("the database was wiped: %v", o.Wiped)
	}
	if off, _ := db.Checkpoint(newChangelog(t, db).id); off != 100 {
		t.Errorf("checkpoint = %d", off)
	}
	closeDB(t, db)
}
