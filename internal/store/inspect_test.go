package store

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

// FuzzCheckFooter: no tail of a table makes checkFooter panic, and what it lets
// pass can be read without leaving the file.
func FuzzCheckFooter(f *testing.F) {
	good := []byte{0, 0, 0, 9, 0x10, 0xff, 0x01, 0, 0, 0, 3}
	f.Add(good, int64(100))
	f.Add(good, int64(10))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, int64(4))
	f.Add([]byte{}, int64(0))
	f.Fuzz(func(t *testing.T, tail []byte, size int64) {
		if checkFooter(tail, size) != nil {
			return
		}
		n := int64(binary.BigEndian.Uint32(tail[len(tail)-4:]))
		at := int64(len(tail)) - 4 - n - 4
		if at < 0 {
			t.Fatalf("length %d of the checksum leaves the tail", n)
		}
		index := int64(binary.BigEndian.Uint32(tail[at:]))
		if size-8-n-index < 0 {
			t.Fatalf("index of %d bytes in a table of %d", index, size)
		}
	})
}

func TestCheckFooter_Good(t *testing.T) {
	if err := checkFooter([]byte{0, 0, 0, 9, 0x10, 0xff, 0x01, 0, 0, 0, 3}, 100); err != nil {
		t.Error(err)
	}
}

func FuzzDecodeSession(f *testing.F) {
	f.Add(session{}.encode())
	f.Add(session{Boot: "b", Clean: true, Safe: []safeCheckpoint{{1, 2}}}.encode())
	f.Add([]byte("leat-state 1 00000000\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeSession(b)
		if err != nil {
			return
		}
		again, err := decodeSession(s.encode())
		if err != nil || string(again.encode()) != string(s.encode()) {
			t.Errorf("%+v became %+v, %v", s, again, err)
		}
	})
}

func TestSession_EachByteCounts(t *testing.T) {
	b := session{Boot: "b", Safe: []safeCheckpoint{{1, 23}}}.encode()
	for i := range b {
		b[i] ^= 1
		if s, err := decodeSession(b); err == nil {
			t.Errorf("byte %d damaged: %+v", i, s)
		}
		b[i] ^= 1
	}
}

func internalOpen(t *testing.T, dir string) *disk {
	t.Helper()
	db, err := Open(dir, Options{MemTableSize: minMemTable})
	if err != nil {
		t.Fatal(err)
	}
	return db.(*disk)
}

// TestOpen_GivesUpAfterCrashes: a database that ends the process while it is
// opened is wiped in the end.
func TestOpen_GivesUpAfterCrashes(t *testing.T) {
	dir := t.TempDir()
	d := internalOpen(t, dir)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range maxAttempts {
		d := internalOpen(t, dir)
		if d.opened.Wiped != nil {
			t.Errorf("wiped after %d crashes: %v", i, d.opened.Wiped)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		for range i + 1 {
			if err := d.attempt(); err != nil { // and dead
				t.Fatal(err)
			}
		}
	}
	d = internalOpen(t, dir)
	defer d.Close()
	if d.opened.Wiped == nil {
		t.Errorf("not wiped after %d crashes", maxAttempts)
	}
	if _, err := os.Stat(filepath.Join(dir, attemptFile)); err == nil {
		t.Error("the attempts are still counted")
	}
}

func TestOpen_InterruptedBulkLoad(t *testing.T) {
	dir := t.TempDir()
	d := internalOpen(t, dir)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	s := session{Boot: d.safe.session.Boot, Loading: true, Safe: []safeCheckpoint{{1, 2}}}
	if err := writeSession(dir, s); err != nil {
		t.Fatal(err)
	}
	d = internalOpen(t, dir)
	defer d.Close()
	if d.opened.Wiped == nil {
		t.Error("not wiped")
	}
}

// TestLevelZero_KeepsOrder writes and overwrites much more than fits in memory,
// and looks on as tables come and go: there may never be more in level 0 than
// are safe, neither while it runs, nor in what Close leaves behind.
func TestLevelZero_KeepsOrder(t *testing.T) {
	dir := t.TempDir()
	d := internalOpen(t, dir)
	id, err := d.Prefix("s")
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	const keys, rounds = 4000, 25
	value := make([]byte, 200)
	var b Batch
	for r := range rounds {
		b.Reset()
		for i := range keys {
			binary.BigEndian.PutUint64(value, uint64(r))
			k := binary.BigEndian.AppendUint32(id.Key(nil), uint32(i*7919%keys))
			if i%5 == r%5 {
				b.Delete(k)
			} else {
				b.Put(k, value)
			}
		}
		if err := d.Write(&b); err != nil {
			t.Fatal(err)
		}
		most = max(most, d.db.Levels()[0].NumTables)
	}
	if most > levelZeroStall || most == 0 {
		t.Errorf("%d tables in level 0", most)
	}
	check := func(d *disk) {
		t.Helper()
		for i := range keys {
			k := binary.BigEndian.AppendUint32(id.Key(nil), uint32(i*7919%keys))
			v, ok, err := d.Get(k)
			if err != nil || ok != (i%5 != (rounds-1)%5) || ok && binary.BigEndian.Uint64(v) != rounds-1 {
				t.Fatalf("key %d: %t, %v, %.8x", i, ok, err, v)
			}
		}
	}
	check(d)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = internalOpen(t, dir)
	defer d.Close()
	if d.opened.Wiped != nil {
		t.Fatal(d.opened.Wiped)
	}
	check(d)
	if o := badgerOptions(d.path, d.opts); o.NumLevelZeroTablesStall >= 4 {
		t.Errorf("%d tables are enough for Badger to merge level 0 into itself", o.NumLevelZeroTablesStall)
	}
}

// TestOpen_ThinsLevelZero makes a database as a killed process may leave it, with
// more tables in level 0 than are safe.
func TestOpen_ThinsLevelZero(t *testing.T) {
	dir := t.TempDir()
	d := internalOpen(t, dir)
	id, err := d.Prefix("s")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	const keys, rounds = 2000, 25
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(id.Key(nil), uint32(i)) }
	crowd, err := badger.OpenManaged(badgerOptions(d.path, d.opts).WithNumCompactors(0).WithNumLevelZeroTablesStall(100))
	if err != nil {
		t.Fatal(err)
	}
	for r := range rounds {
		l := loader{db: crowd}
		for i := range keys {
			value := binary.BigEndian.AppendUint64(make([]byte, 100), uint64(r))
			if err := l.set(key(i), value, i == r, d.opts.inline()); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.finish(); err != nil {
			t.Fatal(err)
		}
	}
	if err := crowd.Close(); err != nil {
		t.Fatal(err)
	}
	if crowded, reason := d.inspectFiles(); !crowded || reason != nil {
		t.Fatalf("inspect = %t, %v", crowded, reason)
	}

	d = internalOpen(t, dir)
	defer d.Close()
	if d.opened != (Opened{}) {
		t.Errorf("Opened = %+v", d.opened)
	}
	if n := d.db.Levels()[0].NumTables; n > levelZeroStall {
		t.Errorf("%d tables in level 0", n)
	}
	for i := range keys {
		v, ok, err := d.Get(key(i))
		if err != nil || ok != (i != rounds-1) || ok && binary.BigEndian.Uint64(v[100:]) != rounds-1 {
			t.Fatalf("key %d: %t, %v, %x", i, ok, err, v)
		}
	}
}
