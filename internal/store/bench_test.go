package store_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/leatstream/leat/internal/store"
)

// The benchmarks measure what the DB adds to a store whose cache has already
// collected a commit: sorted or not, a thousand or ten thousand keys at a time.

func engines(b *testing.B, f func(*testing.B, store.DB)) {
	for name, open := range map[string]func() store.DB{
		"mem":  store.NewMem,
		"disk": func() store.DB { return open(b, b.TempDir(), store.Options{}) },
	} {
		b.Run(name, func(b *testing.B) {
			db := open()
			b.Cleanup(func() { closeDB(b, db) })
			b.ReportAllocs()
			f(b, db)
		})
	}
}

func benchID(b *testing.B, db store.DB) store.ID {
	b.Helper()
	id, err := db.Prefix("s")
	if err != nil {
		b.Fatal(err)
	}
	return id
}

func benchKey(dst []byte, id store.ID, i uint64) []byte {
	return binary.BigEndian.AppendUint64(id.Key(dst[:0]), i*0x9e3779b97f4a7c15)
}

// benchFill puts n rows of 100 bytes.
func benchFill(b *testing.B, db store.DB, id store.ID, n int) {
	b.Helper()
	l, err := store.NewLoader(db, 256<<20)
	if err != nil {
		b.Fatal(err)
	}
	var key []byte
	for i := range n {
		key = benchKey(key, id, uint64(i))
		if err := l.Put(key, make([]byte, 100)); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Finish(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkReadModifyWrite counts in one of 100k keys per record: a get, a put,
// and a commit every 10k records.
func BenchmarkReadModifyWrite(b *testing.B) {
	engines(b, func(b *testing.B, db store.DB) {
		id := benchID(b, db)
		zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.01, 1, 100_000-1)
		var batch store.Batch
		var key []byte
		value := make([]byte, 16)
		pending := map[uint64]uint64{}
		commit := func() {
			batch.Reset()
			for k, n := range pending {
				key = benchKey(key, id, k)
				binary.BigEndian.PutUint64(value, n)
				batch.Put(key, value)
			}
			batch.Checkpoint(id, 1)
			if err := db.Write(&batch); err != nil {
				b.Fatal(err)
			}
			clear(pending)
		}
		for i := 0; b.Loop(); i++ {
			k := zipf.Uint64()
			n, ok := pending[k]
			if !ok {
				key = benchKey(key, id, k)
				v, ok, err := db.Get(key)
				if err != nil {
					b.Fatal(err)
				}
				if ok {
					n = binary.BigEndian.Uint64(v)
				}
			}
			pending[k] = n + 1
			if i%10_000 == 9_999 {
				commit()
			}
		}
	})
}

func BenchmarkGet(b *testing.B) {
	engines(b, func(b *testing.B, db store.DB) {
		id := benchID(b, db)
		const n = 200_000
		benchFill(b, db, id, n)
		var key []byte
		for i := uint64(0); b.Loop(); i++ {
			key = benchKey(key, id, i*7919%n)
			if _, ok, err := db.Get(key); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}

// BenchmarkScan reads ten rows from a random place.
func BenchmarkScan(b *testing.B) {
	engines(b, func(b *testing.B, db store.DB) {
		id := benchID(b, db)
		benchFill(b, db, id, 200_000)
		_, hi := id.Bounds()
		var key []byte
		rows := 0
		each := func(_, _ []byte) bool { rows++; return rows%10 != 0 }
		for i := uint64(0); b.Loop(); i++ {
			key = benchKey(key, id, i*7919)
			if err := db.Scan(key, hi, each); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRestore loads distinct keys in random order; an operation is a
// record. A budget of 0 shows the way through Write.
func BenchmarkRestore(b *testing.B) {
	for _, budget := range []int64{256 << 20, 0} {
		b.Run(fmt.Sprintf("budget=%dMB", budget>>20), func(b *testing.B) {
			engines(b, func(b *testing.B, db store.DB) {
				id := benchID(b, db)
				l, err := store.NewLoader(db, budget)
				if err != nil {
					b.Fatal(err)
				}
				var key []byte
				value := make([]byte, 100)
				n := uint64(0)
				for b.Loop() {
					n++
					key = benchKey(key, id, n)
					if err := l.Put(key, value); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				b.StartTimer()
				if err := l.Finish(); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
