package storetest

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/internal/store"
)

// model is what a DB should hold: a map, and a sort for each scan.
type model struct {
	t       *rapid.T
	tb      testing.TB
	open    Opener
	dir     string
	db      store.DB
	ids     map[string]store.ID
	rows    map[string]string
	offsets map[store.ID]int64
	batch   store.Batch
}

// testModel does random things to a DB and a model. An opening costs more than
// the rest, so there are fewer runs than rapid would make, unless its flag says
// how many.
func testModel(t *testing.T, open Opener, reopen bool) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		check(t, f.Value.Set("8"))
		defer f.Value.Set(f.DefValue)
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{
			t: rt, tb: t, open: open, dir: t.TempDir(), ids: map[string]store.ID{},
			rows: map[string]string{}, offsets: map[store.ID]int64{},
		}
		m.db = open(t, m.dir)
		defer func() {
			if err := m.db.Close(); err != nil {
				rt.Errorf("Close: %v", err)
			}
		}()
		actions := map[string]func(*rapid.T){
			"write": m.write,
			"load":  m.load,
			"get":   m.get,
			"scan":  m.scan,
			"clear": m.clear,
			"":      m.check,
		}
		if reopen {
			actions["reopen"] = m.reopen
		}
		rt.Repeat(actions)
	})
}

func (m *model) store(t *rapid.T) store.ID {
	name := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "store")
	id, err := m.db.Prefix(name)
	if err != nil {
		t.Fatal(err)
	}
	if old, ok := m.ids[name]; ok && old != id {
		t.Fatalf("id of %s = %d, was %d", name, id, old)
	}
	m.ids[name] = id
	return id
}

func (m *model) key(t *rapid.T) []byte {
	id := m.store(t)
	k := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 'a', 0xff}), 0, 4).Draw(t, "key")
	return id.Key(nil, k)
}

func (m *model) write(t *rapid.T) {
	m.batch.Reset()
	for range rapid.IntRange(0, 20).Draw(t, "entries") {
		k := m.key(t)
		if rapid.Bool().Draw(t, "delete") {
			m.batch.Delete(k)
			delete(m.rows, string(k))
			continue
		}
		v := rapid.StringN(0, 10, -1).Draw(t, "value")
		m.batch.Put(k, []byte(v))
		m.rows[string(k)] = v
	}
	if rapid.Bool().Draw(t, "checkpoint") {
		id, offset := m.store(t), rapid.Int64Range(0, 1<<40).Draw(t, "offset")
		m.batch.Checkpoint(id, offset)
		m.offsets[id] = offset
	}
	if err := m.db.Write(&m.batch); err != nil {
		t.Fatal(err)
	}
}

// load restores a store with enough rows for a bulk load, where there's none
// yet.
func (m *model) load(t *rapid.T) {
	l, err := store.NewLoader(m.db, 32<<20)
	if err != nil {
		t.Fatal(err)
	}
	id := m.store(t)
	n := rapid.SampledFrom([]int{0, 1, 2, 3, 5, 10, 20, 40, 80, 25_000}).Draw(t, "rows")
	for i := range n {
		k, v := number(id, i), fmt.Sprint("loaded", i)
		if err := l.Put(k, []byte(v)); err != nil {
			t.Fatal(err)
		}
		m.rows[string(k)] = v
	}
	l.Checkpoint(id, int64(n))
	m.offsets[id] = int64(n)
	if err := l.Finish(); err != nil {
		t.Fatal(err)
	}
}

func (m *model) get(t *rapid.T) {
	k := m.key(t)
	v, ok, err := m.db.Get(k)
	if want, there := m.rows[string(k)]; err != nil || ok != there || string(v) != want {
		t.Fatalf("Get(%q) = %q, %t, %v; want %q, %t", k, v, ok, err, want, there)
	}
}

func (m *model) scan(t *rapid.T) {
	lo, hi := m.key(t), m.key(t)
	var want []string
	for _, k := range slices.Sorted(maps.Keys(m.rows)) {
		if k >= string(lo) && k < string(hi) {
			want = append(want, k+"="+m.rows[k])
		}
	}
	var up, down []string
	err := m.db.Scan(lo, hi, func(k, v []byte) bool {
		up = append(up, string(k)+"="+string(v))
		return true
	})
	if err != nil || !slices.Equal(up, want) {
		t.Fatalf("Scan(%q, %q) = %.200q, %v; want %.200q", lo, hi, up, err, want)
	}
	err = m.db.ScanReverse(lo, hi, func(k, v []byte) bool {
		down = append(down, string(k)+"="+string(v))
		return true
	})
	slices.Reverse(down)
	if err != nil || !slices.Equal(down, want) {
		t.Fatalf("ScanReverse(%q, %q) backwards = %.200q, %v; want %.200q", lo, hi, down, err, want)
	}
}

func (m *model) clear(t *rapid.T) {
	id := m.store(t)
	if err := m.db.Clear(id); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(m.rows, func(k, _ string) bool { return k[:store.PrefixLen] == string(id.Key(nil)) })
	delete(m.offsets, id)
}

func (m *model) reopen(t *rapid.T) {
	if err := m.db.Close(); err != nil {
		t.Fatal(err)
	}
	m.db = m.open(m.tb, m.dir)
	if o := m.db.Opened(); o != (store.Opened{}) {
		t.Fatalf("Opened = %+v", o)
	}
}

// check compares the checkpoints after each action.
func (m *model) check(t *rapid.T) {
	for _, id := range m.ids {
		got, ok := m.db.Checkpoint(id)
		if want, there := m.offsets[id]; got != want || ok != there {
			t.Fatalf("Checkpoint(%d) = %d, %t; want %d, %t", id, got, ok, want, there)
		}
	}
}
