package journal

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/vfs"
)

const dir = "/data/journal"

// put commits one entry for each text.
func put(t testing.TB, j *Journal, texts ...string) {
	t.Helper()
	for i, text := range texts {
		j.Add(Key{Partition: int32(i)}, Place{Base: 7, Position: 11, End: 13}, []byte(text))
	}
	if err := j.Commit(); err != nil {
		t.Fatal(err)
	}
}

// texts are the entries of a partition, as text.
func texts(t testing.TB, r *Recovered, partition int32) (list []string) {
	t.Helper()
	for _, e := range r.Entries(Key{Partition: partition}) {
		b, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(b))
	}
	return list
}

func mustRecover(t testing.TB, fsys vfs.FS) *Recovered {
	t.Helper()
	r, err := Recover(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// What was committed is recovered, in the order of the commits, across files that
// are given back and used again.
func TestRecover(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type item struct {
			file  uint64
			place Place
			bytes string
		}
		fsys := vfs.NewMem()
		j := New(Options{FS: fsys, Dir: dir, FileBytes: 16 << 10})
		var want []item
		dropped := uint64(0)
		for range rapid.IntRange(0, 30).Draw(t, "commits") {
			var round []item
			for range rapid.IntRange(0, 4).Draw(t, "entries") {
				p := Place{Base: rapid.Int64Range(0, 1<<40).Draw(t, "base"), Position: rapid.Int64Range(0, 1<<30).Draw(t, "position"), End: rapid.Int64().Draw(t, "end")}
				b := rapid.SliceOfN(rapid.Byte(), 1, 5000).Draw(t, "bytes")
				j.Add(Key{Topic: [16]byte{1}, Partition: 2}, p, b)
				round = append(round, item{0, p, string(b)})
			}
			if err := j.Commit(); err != nil {
				t.Fatal(err)
			}
			for _, it := range round {
				it.file = j.File()
				want = append(want, it)
			}
			if j.File() > dropped+1 && rapid.Bool().Draw(t, "drop") {
				dropped++
				if err := j.Drop(dropped); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := j.Close(); err != nil { // those that were given back go
			t.Fatal(err)
		}
		r, err := Recover(fsys, dir)
		if err != nil || len(r.Damaged) > 0 {
			t.Fatalf("%v, damaged %v", err, r.Damaged)
		}
		defer r.Close()
		var got []Entry
		for k, list := range r.Logs {
			if k != (Key{Topic: [16]byte{1}, Partition: 2}) {
				t.Fatalf("entries of %v", k)
			}
			got = list
		}
		for _, w := range want {
			if w.file <= dropped {
				continue
			}
			if len(got) == 0 {
				t.Fatalf("no entry for %+v", w)
			}
			b, err := got[0].Bytes()
			if err != nil || got[0].Place != w.place || string(b) != w.bytes {
				t.Fatalf("%+v, %v; want %+v", got[0], err, w)
			}
			got = got[1:]
		}
		if len(got) > 0 || len(want) > 0 && r.Next() <= j.File() {
			t.Fatalf("%d entries too many, the next file would be %d", len(got), r.Next())
		}
	})
}

// An entry may be larger than a block.
func TestLargeEntry(t *testing.T) {
	fsys := vfs.NewMem()
	j := New(Options{FS: fsys, Dir: dir})
	large := bytes.Repeat([]byte("leat"), 3<<20)
	j.Add(Key{}, Place{Base: 1, Position: 100, End: 2}, large)
	if err := j.Commit(); err != nil {
		t.Fatal(err)
	}
	all := make([]byte, 0, len(large))
	for _, e := range mustRecover(t, fsys).Entries(Key{}) {
		if e.Position != 100+int64(len(all)) || e.End != 2 || e.Base != 1 {
			t.Fatalf("entry at %+v after %d bytes", e.Place, len(all))
		}
		b, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	if !bytes.Equal(all, large) {
		t.Errorf("%d bytes of %d", len(all), len(large))
	}
}

// flip changes a byte of a file.
func flip(t *testing.T, fsys vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fsys.OpenFile(vfs.Join(dir, name), vfs.Existing)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := []byte{0}
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// A bad block that was durable is damage, and the rest is still read; a bad one at
// the end was torn.
func TestDamage(t *testing.T) {
	for _, at := range []int64{0, 5, 20, 30, 60, 88} {
		fsys := vfs.NewMem()
		j := New(Options{FS: fsys, Dir: dir})
		put(t, j, "a", "b")
		put(t, j, "c")
		put(t, j, "d")
		name := fileName(j.File())
		flip(t, fsys, name, 4096+at)
		r := mustRecover(t, fsys)
		if got := fmt.Sprint(texts(t, r, 0), r.Damaged); got != fmt.Sprintf("[a d] [{%s/%s 4096}]", dir, name) {
			t.Errorf("byte %d of the second block: %s", at, got)
		}
		flip(t, fsys, name, 4096+at)
		flip(t, fsys, name, 2*4096+at)
		r = mustRecover(t, fsys)
		if got := fmt.Sprint(texts(t, r, 0), texts(t, r, 1), r.Damaged); got != "[a c] [b] []" {
			t.Errorf("byte %d of the last block: %s", at, got)
		}
	}
}

// Blocks of a file's earlier use are not taken for those of the present one.
func TestReuse(t *testing.T) {
	fsys := vfs.NewMem()
	j := New(Options{FS: fsys, Dir: dir, FileBytes: 8 << 10})
	for i := range 4 {
		put(t, j, fmt.Sprint(i))
		if i%2 == 1 {
			if err := j.Drop(j.File()); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(t, j, "last")
	r := mustRecover(t, fsys)
	if got := fmt.Sprint(texts(t, r, 0)); got != "[last]" || r.Files != 1 {
		t.Errorf("recovered %s from %d files", got, r.Files)
	}
	if err := r.Remove(); err != nil {
		t.Fatal(err)
	}
	if r := mustRecover(t, fsys); r.Files+r.Blocks != 0 {
		t.Errorf("%d files and %d blocks are left", r.Files, r.Blocks)
	}
}

// FuzzRecover takes arbitrary bytes for a file of the journal.
func FuzzRecover(f *testing.F) {
	fsys := vfs.NewMem()
	j := New(Options{FS: fsys, Dir: dir, FileBytes: 1})
	j.Add(Key{Topic: [16]byte{1}, Partition: 3}, Place{Base: 1, Position: 2, End: 3}, []byte("bytes"))
	j.Add(Key{}, Place{}, []byte("more"))
	if err := j.Commit(); err != nil {
		f.Fatal(err)
	}
	good, err := vfs.ReadFile(fsys, vfs.Join(dir, fileName(1)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys := vfs.NewMem()
		if err := fsys.MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := vfs.WriteFile(fsys, vfs.Join(dir, fileName(1)), b); err != nil {
			t.Fatal(err)
		}
		r := mustRecover(t, fsys)
		var sum int64
		for _, list := range r.Logs {
			for _, e := range list {
				b, err := e.Bytes()
				if err != nil {
					t.Fatal(err)
				}
				sum += int64(len(b))
			}
		}
		if sum != r.Bytes || sum > int64(len(b)) {
			t.Fatalf("%d bytes of entries, told %d, in a file of %d", sum, r.Bytes, len(b))
		}
	})
}
