package storetest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/leatstream/leat/internal/store"
)

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func prefix(tb testing.TB, db store.DB, name string) store.ID {
	tb.Helper()
	id, err := db.Prefix(name)
	check(tb, err)
	return id
}

func write(tb testing.TB, db store.DB, b *store.Batch) {
	tb.Helper()
	check(tb, db.Write(b))
}

func put(tb testing.TB, db store.DB, key []byte, value string) {
	tb.Helper()
	var b store.Batch
	b.Put(key, []byte(value))
	write(tb, db, &b)
}

// number is the key of the i-th row of fillNumbers.
func number(id store.ID, i int) []byte {
	return binary.BigEndian.AppendUint32(id.Key(nil), uint32(i))
}

// fillNumbers puts n rows in one batch, not in order.
func fillNumbers(tb testing.TB, db store.DB, id store.ID, n int) {
	tb.Helper()
	var b store.Batch
	for i := n - 1; i >= 0; i-- {
		b.Put(number(id, i), fmt.Append(nil, i))
	}
	write(tb, db, &b)
}

func want(tb testing.TB, db store.DB, key []byte, value string) {
	tb.Helper()
	got, ok, err := db.Get(key)
	if !ok || err != nil || got == nil || string(got) != value {
		tb.Fatalf("Get(%.40q) = %.40q (nil: %t, %d bytes), %t, %v; want %.40q", key, got, got == nil, len(got), ok, err, value)
	}
}

func wantNone(tb testing.TB, db store.DB, key []byte) {
	tb.Helper()
	if got, ok, err := db.Get(key); ok || err != nil {
		tb.Fatalf("Get(%.40q) = %.40q, %t, %v; want none", key, got, ok, err)
	}
}

// wantScan checks the values of [lo, hi), in both directions.
func wantScan(tb testing.TB, db store.DB, lo, hi []byte, values []string) {
	tb.Helper()
	var up, down []string
	check(tb, db.Scan(lo, hi, func(_, v []byte) bool { up = append(up, string(v)); return true }))
	check(tb, db.ScanReverse(lo, hi, func(_, v []byte) bool { down = append(down, string(v)); return true }))
	slices.Reverse(down)
	if !slices.Equal(up, values) {
		tb.Errorf("Scan(%q, %q) = %q, want %q", lo, hi, up, values)
	}
	if !slices.Equal(down, values) {
		tb.Errorf("ScanReverse(%q, %q) backwards = %q, want %q", lo, hi, down, values)
	}
}

// wantCheckpoint checks the checkpoint of a store; -1 means none.
func wantCheckpoint(tb testing.TB, db store.DB, id store.ID, offset int64) {
	tb.Helper()
	got, ok := db.Checkpoint(id)
	if !ok {
		got = -1
	}
	if got != offset {
		tb.Errorf("Checkpoint(%d) = %d, want %d", id, got, offset)
	}
}
