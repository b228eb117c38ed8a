// Package storetest checks that a store.DB keeps its promises. It is used by the
// tests of each implementation.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/leatstream/leat/internal/store"
)

// Opener opens the database in dir. An implementation that keeps nothing there
// returns a new one each time.
type Opener func(tb testing.TB, dir string) store.DB

// Run checks everything a DB has to do without a restart.
func Run(t *testing.T, open Opener) {
	cases := []struct {
		name string
		f    func(*testing.T, store.DB)
	}{
		{"Prefix", testPrefix},
		{"GetPutDelete", testGetPutDelete},
		{"LastWriteWins", testLastWriteWins},
		{"ValuesStay", testValuesStay},
		{"Sizes", testSizes},
		{"Refused", testRefused},
		{"Scan", testScan},
		{"ScanNested", testScanNested},
		{"ScanAndWrite", testScanAndWrite},
		{"Checkpoint", testCheckpoint},
		{"Clear", testClear},
		{"ManyKeys", testManyKeys},
		{"Concurrent", testConcurrent},
		{"Loader", testLoader},
		{"Closed", testClosed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db := open(t, t.TempDir())
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			c.f(t, db)
		})
	}
	t.Run("Model", func(t *testing.T) { testModel(t, open, false) })
}

// RunDurable checks what a DB has to do over restarts.
func RunDurable(t *testing.T, open Opener) {
	t.Run("Reopen", func(t *testing.T) { testReopen(t, open) })
	t.Run("ReopenLoaded", func(t *testing.T) { testReopenLoaded(t, open) })
	t.Run("ModelReopen", func(t *testing.T) { testModel(t, open, true) })
}

func testPrefix(t *testing.T, db store.DB) {
	seen := map[store.ID]string{}
	for _, name := range []string{"counts", "totals", "", "counts-by-hour"} {
		id := prefix(t, db, name)
		if other, ok := seen[id]; ok {
			t.Errorf("stores %q and %q have the same id %d", name, other, id)
		}
		seen[id] = name
		if again := prefix(t, db, name); again != id {
			t.Errorf("Prefix(%q) = %d, then %d", name, id, again)
		}
	}
}

func testGetPutDelete(t *testing.T, db store.DB) {
	a, b := prefix(t, db, "a"), prefix(t, db, "b")
	k, other := a.Key(nil, []byte("k")), b.Key(nil, []byte("k"))
	wantNone(t, db, k)
	put(t, db, k, "1")
	want(t, db, k, "1")
	wantNone(t, db, other)
	put(t, db, k, "2")
	want(t, db, k, "2")
	put(t, db, k, "")
	want(t, db, k, "")
	put(t, db, a.Key(nil), "the empty key")
	want(t, db, a.Key(nil), "the empty key")
	var batch store.Batch
	batch.Delete(k)
	batch.Delete(other) // never there
	write(t, db, &batch)
	wantNone(t, db, k)
}

func testLastWriteWins(t *testing.T, db store.DB) {
	id := prefix(t, db, "s")
	x, y := id.Key(nil, []byte("x")), id.Key(nil, []byte("y"))
	var b store.Batch
	b.Put(y, []byte("1"))
	b.Put(x, []byte("1"))
	b.Put(y, []byte("2"))
	b.Delete(x)
	if b.Len() != 4 || b.Bytes() != int64(4*len(x)+3) {
		t.Errorf("Len, Bytes = %d, %d", b.Len(), b.Bytes())
	}
	write(t, db, &b)
	wantNone(t, db, x)
	want(t, db, y, "2")
	b.Reset()
	b.Delete(y)
	b.Put(y, []byte("3"))
	write(t, db, &b)
	want(t, db, y, "3")
}

// testValuesStay checks that neither the batch nor the DB shares memory with
// what has been handed in or out.
func testValuesStay(t *testing.T, db store.DB) {
	id := prefix(t, db, "s")
	k, v := id.Key(nil, []byte("key")), []byte("one")
	var b store.Batch
	b.Put(k, v)
	copy(v, "XXX")
	k[2] = 'K'
	write(t, db, &b)
	k[2] = 'k'
	first, ok, err := db.Get(k)
	if !ok || err != nil || string(first) != "one" {
		t.Fatalf("Get = %q, %t, %v", first, ok, err)
	}
	b.Reset()
	b.Put(k, []byte("two"))
	write(t, db, &b)
	if string(first) != "one" {
		t.Errorf("the value got before a Write is now %q", first)
	}
	want(t, db, k, "two")
}

func testSizes(t *testing.T, db store.DB) {
	id := prefix(t, db, "s")
	for _, n := range []int{0, 1, 1000, 80_000, 1 << 20, 3 << 20} {
		k := id.Key(nil, []byte(fmt.Sprint(n)))
		put(t, db, k, string(bytes.Repeat([]byte{'v'}, n)))
		want(t, db, k, string(bytes.Repeat([]byte{'v'}, n)))
	}
	long := id.Key(nil, bytes.Repeat([]byte{'k'}, store.MaxKey-store.PrefixLen))
	put(t, db, long, "v")
	want(t, db, long, "v")
	if db.Size() < 4<<20 {
		t.Errorf("Size = %d", db.Size())
	}
}

func testRefused(t *testing.T, db store.DB) {
	id := prefix(t, db, "s")
	k := id.Key(nil, []byte("k"))
	put(t, db, k, "v")
	bad := map[string]struct {
		fill func(*store.Batch)
		err  error
	}{
		"no prefix":       {func(b *store.Batch) { b.Put([]byte{1}, nil) }, store.ErrKey},
		"reserved prefix": {func(b *store.Batch) { b.Put([]byte{0, 0, 1}, nil) }, store.ErrKey},
		"checkpoint":      {func(b *store.Batch) { b.Delete([]byte{0xff, 0xff, 0, 1}) }, store.ErrKey},
		"long key":        {func(b *store.Batch) { b.Put(id.Key(nil, make([]byte, store.MaxKey)), nil) }, store.ErrKey},
		"large value":     {func(b *store.Batch) { b.Put(k, make([]byte, store.MaxValue+1)) }, store.ErrValueTooLarge},
		"no store":        {func(b *store.Batch) { b.Checkpoint(0, 7) }, store.ErrKey},
	}
	for name, c := range bad {
		var b store.Batch
		b.Put(k, []byte("not this"))
		c.fill(&b)
		if err := db.Write(&b); !errors.Is(err, c.err) {
			t.Errorf("%s: Write = %v, want %v", name, err, c.err)
		}
	}
	want(t, db, k, "v")
	put(t, db, k, "w")
	want(t, db, k, "w")
}

func testScan(t *testing.T, db store.DB) {
	a, b := prefix(t, db, "a"), prefix(t, db, "b")
	var batch store.Batch
	for _, s := range []string{"c", "a", "b", "bb", "", "\xff\xff"} {
		batch.Put(a.Key(nil, []byte(s)), []byte("a"+s))
		batch.Put(b.Key(nil, []byte(s)), []byte("b"+s))
	}
	write(t, db, &batch)
	lo, hi := a.Bounds()
	all := []string{"a", "aa", "ab", "abb", "ac", "a\xff\xff"}
	wantScan(t, db, lo, hi, all)
	wantScan(t, db, a.Key(nil, []byte("b")), a.Key(nil, []byte("c")), []string{"ab", "abb"})
	wantScan(t, db, a.Key(nil, []byte("b0")), a.Key(nil, []byte("bz")), []string{"abb"})
	wantScan(t, db, a.Key(nil, []byte("d")), a.Key(nil, []byte("e")), nil)
	wantScan(t, db, hi, lo, nil)
	lob, hib := b.Bounds()
	var allb []string
	for _, s := range all {
		allb = append(allb, "b"+s[1:])
	}
	wantScan(t, db, lob, hib, allb)
	wantScan(t, db, nil, nil, append(slices.Clone(all), allb...))
	wantScan(t, db, nil, hi, all)

	n := 0
	if err := db.Scan(lo, hi, func(_, _ []byte) bool { n++; return n < 3 }); err != nil || n != 3 {
		t.Errorf("stopped scan: %d rows, %v", n, err)
	}
}

func testScanNested(t *testing.T, db store.DB) {
	id := prefix(t, db, "s")
	lo, hi := id.Bounds()
	fillNumbers(t, db, id, 20)
	pairs := 0
	err := db.Scan(lo, hi, func(key, _ []byte) bool {
		outer := bytes.Clone(key)
		err := db.ScanReverse(lo, hi, func(inner, _ []byte) bool {
			pairs++
			return true
		})
		if err != nil || !bytes.Equal(outer, key) {
			t.Errorf("inner scan: %v, key %q became %q", err, outer, key)
		}
		if _, ok, err := db.Get(key); !ok || err != nil {
			t.Errorf("Get in a scan: %t, %v", ok, err)
		}
		return true
	})
	if err != nil || pairs != 400 {
		t.Errorf("%d pairs, %v", pairs, err)
	}
}

func testScanAndWrite(t *testing.T, db store.DB) {
	id := prefix(t, db, "s")
	lo, hi := id.Bounds()
	fillNumbers(t, db, id, 200)
	seen := 0
	var b store.Batch
	err := db.Scan(lo, hi, func(key, _ []byte) bool {
		seen++
		b.Reset()
		b.Delete(key)
		write(t, db, &b)
		return true
	})
	if err != nil || seen != 200 {
		t.Errorf("%d rows, %v", seen, err)
	}
	wantScan(t, db, lo, hi, nil)
}

func testCheckpoint(t *testing.T, db store.DB) {
	a, b := prefix(t, db, "a"), prefix(t, db, "b")
	wantCheckpoint(t, db, a, -1)
	var batch store.Batch
	batch.Checkpoint(a, 7)
	batch.Put(a.Key(nil, []byte("k")), []byte("v"))
	batch.Checkpoint(b, 0)
	batch.Checkpoint(a, 9)
	write(t, db, &batch)
	wantCheckpoint(t, db, a, 9)
	wantCheckpoint(t, db, b, 0)
	batch.Reset()
	batch.Checkpoint(a, 10)
	write(t, db, &batch)
	wantCheckpoint(t, db, a, 10)
	wantScan(t, db, nil, nil, []string{"v"}) // checkpoints are no rows
}

func testClear(t *testing.T, db store.DB) {
	a, b := prefix(t, db, "a"), prefix(t, db, "b")
	fillNumbers(t, db, a, 12_000)
	fillNumbers(t, db, b, 3)
	var batch store.Batch
	batch.Checkpoint(a, 5)
	batch.Checkpoint(b, 6)
	write(t, db, &batch)
	if err := db.Clear(a); err != nil {
		t.Fatal(err)
	}
	lo, hi := a.Bounds()
	wantScan(t, db, lo, hi, nil)
	wantCheckpoint(t, db, a, -1)
	wantCheckpoint(t, db, b, 6)
	wantScan(t, db, nil, nil, []string{"0", "1", "2"})
	if again := prefix(t, db, "a"); again != a {
		t.Errorf("id of a cleared store = %d, was %d", again, a)
	}
}

// testManyKeys writes more than a block or a batch of Badger holds.
func testManyKeys(t *testing.T, db store.DB) {
	id := prefix(t, db, "s")
	const n = 30_000
	fillNumbers(t, db, id, n)
	lo, hi := id.Bounds()
	i := 0
	err := db.Scan(lo, hi, func(key, value []byte) bool {
		if !bytes.Equal(key, number(id, i)) || string(value) != fmt.Sprint(i) {
			t.Errorf("row %d is %q = %q", i, key, value)
			return false
		}
		i++
		return true
	})
	if err != nil || i != n {
		t.Errorf("%d rows, %v", i, err)
	}
	for i := 0; i < n; i += 97 {
		want(t, db, number(id, i), fmt.Sprint(i))
	}
}

// testConcurrent reads, scans and writes at the same time; the race detector is
// the judge.
func testConcurrent(t *testing.T, db store.DB) {
	id := prefix(t, db, "s")
	fillNumbers(t, db, id, 100)
	lo, hi := id.Bounds()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := range 200 {
				if _, ok, err := db.Get(number(id, i%100)); !ok || err != nil {
					t.Errorf("Get %d: %t, %v", i, ok, err)
				}
				n := 0
				if err := db.Scan(lo, hi, func(_, _ []byte) bool { n++; return true }); err != nil || n != 100 {
					t.Errorf("Scan: %d rows, %v", n, err)
				}
			}
		})
	}
	for range 50 {
		fillNumbers(t, db, id, 100)
	}
	wg.Wait()
}

func testLoader(t *testing.T, db store.DB) {
	a, b := prefix(t, db, "a"), prefix(t, db, "b")
	for round, budget := range []int64{64 << 20, 0} {
		l, err := store.NewLoader(db, budget)
		if err != nil {
			t.Fatal(err)
		}
		const n = 40_000
		for i := n - 1; i >= 0; i-- {
			check(t, l.Put(number(a, i), []byte("old")))
			check(t, l.Put(number(b, i), fmt.Appendf(nil, "%d/%d", round, i)))
			if i%2 == 0 {
				check(t, l.Put(number(a, i), fmt.Appendf(nil, "%d/%d", round, i)))
			} else {
				check(t, l.Delete(number(a, i)))
			}
		}
		l.Checkpoint(a, int64(round))
		check(t, l.Finish())
		wantCheckpoint(t, db, a, int64(round))
		wantCheckpoint(t, db, b, -1)
		rows := 0
		err = db.Scan(nil, nil, func(_, _ []byte) bool { rows++; return true })
		if err != nil || rows != n+n/2 {
			t.Fatalf("%d rows, %v", rows, err)
		}
		for i := 0; i < n; i += 998 {
			want(t, db, number(a, i), fmt.Sprintf("%d/%d", round, i))
			want(t, db, number(b, i), fmt.Sprintf("%d/%d", round, i))
			wantNone(t, db, number(a, i+1))
		}
		if prefix(t, db, "b") != b {
			t.Fatal("the load has changed the ids")
		}
	}
}

func testClosed(t *testing.T, db store.DB) {
	id := prefix(t, db, "s")
	k := id.Key(nil, []byte("k"))
	put(t, db, k, "v")
	check(t, db.Close())
	check(t, db.Close())
	_, _, getErr := db.Get(k)
	_, prefixErr := db.Prefix("other")
	var b store.Batch
	b.Put(k, nil)
	for name, err := range map[string]error{
		"Get":    getErr,
		"Prefix": prefixErr,
		"Write":  db.Write(&b),
		"Scan":   db.Scan(nil, nil, func(_, _ []byte) bool { return true }),
		"Clear":  db.Clear(id),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s after Close = %v", name, err)
		}
	}
}

func testReopen(t *testing.T, open Opener) {
	dir := t.TempDir()
	db := open(t, dir)
	if o := db.Opened(); !o.Created || o.Wiped != nil || o.Safe {
		t.Errorf("Opened of a new database = %+v", o)
	}
	a, b := prefix(t, db, "a"), prefix(t, db, "b")
	fillNumbers(t, db, b, 1000)
	var batch store.Batch
	batch.Put(a.Key(nil, []byte("k")), []byte("v"))
	batch.Checkpoint(a, 42)
	write(t, db, &batch)
	check(t, db.Close())

	db = open(t, dir)
	defer db.Close()
	if o := db.Opened(); o != (store.Opened{}) {
		t.Errorf("Opened after a clean close = %+v", o)
	}
	c := prefix(t, db, "c") // asked for in another order
	if b2, a2 := prefix(t, db, "b"), prefix(t, db, "a"); a2 != a || b2 != b || c == a || c == b {
		t.Errorf("ids a, b, c = %d, %d, %d, were %d, %d", a2, b2, c, a, b)
	}
	want(t, db, a.Key(nil, []byte("k")), "v")
	want(t, db, number(b, 999), "999")
	wantCheckpoint(t, db, a, 42)
	wantCheckpoint(t, db, b, -1)
}

func testReopenLoaded(t *testing.T, open Opener) {
	dir := t.TempDir()
	db := open(t, dir)
	id := prefix(t, db, "s")
	l, err := store.NewLoader(db, 64<<20)
	check(t, err)
	for i := range 30_000 {
		check(t, l.Put(number(id, i), []byte("v")))
	}
	l.Checkpoint(id, 30_000)
	check(t, l.Finish())
	put(t, db, number(id, 5), "after")
	check(t, db.Close())
	db = open(t, dir)
	defer db.Close()
	if o := db.Opened(); o != (store.Opened{}) {
		t.Errorf("Opened = %+v", o)
	}
	if again := prefix(t, db, "s"); again != id {
		t.Errorf("id = %d, was %d", again, id)
	}
	wantCheckpoint(t, db, id, 30_000)
	want(t, db, number(id, 5), "after")
	want(t, db, number(id, 29_999), "v")
}
