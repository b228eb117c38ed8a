package cache_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
	"pgregory.net/rapid"
)

// queued is an item of the model.
type queued struct {
	time, sub int64
	key       string
	arrival   int
	value     int64
	header    string
}

func (q queued) compare(o queued) int {
	return cmp.Or(cmp.Compare(q.time, o.time), cmp.Compare(q.sub, o.sub), strings.Compare(q.key, o.key), cmp.Compare(q.arrival, o.arrival))
}

// bufferTest is a buffer beside its model, a sorted slice.
type bufferTest struct {
	spec  cache.BufferSpec[string, int64]
	db    store.DB
	out   *changelog
	size  int64
	buf   *cache.Buffer[string, int64]
	tk    *task.Task
	model []queued
}

func newBufferTest(t *rapid.T, keyed bool) *bufferTest {
	b := &bufferTest{db: store.NewMem(), out: &changelog{}, size: rapid.SampledFrom([]int64{1, 2000, 1 << 20}).Draw(t, "cache")}
	b.spec = cache.BufferSpec[string, int64]{
		Store: &topology.Store{Name: "s", Kind: topology.Buffer}, Label: "Suppress(s)", Key: serde.String, Value: serde.Int64,
		Keyed: keyed, Counted: true,
	}
	b.tk = newTask(t, b.db, b.out, b.size, b.open)
	return b
}

func (b *bufferTest) open(tk *task.Task) { b.buf = cache.OpenBuffer(tk, b.spec) }

// reopen commits and opens the buffer again, on its database or on its changelog
// alone.
func (b *bufferTest) reopen(t *rapid.T, keep bool) {
	commit(t, b.tk, b.out)
	meta := b.tk.Metadata()
	if !keep {
		b.db = store.NewMem()
	}
	b.tk = newTask(t, b.db, b.out, b.size, b.open)
	b.tk.Recall(meta)
	if !keep {
		restore(t, b.tk, b.out)
	}
}

func (b *bufferTest) insert(q queued) {
	i, _ := slices.BinarySearchFunc(b.model, q, queued.compare)
	b.model = slices.Insert(b.model, i, q)
}

func (b *bufferTest) pop(t *rapid.T) {
	first, ok, err := b.buf.First()
	must(t, err)
	if ok != (len(b.model) > 0) {
		t.Fatalf("the buffer has a first item: %t; the model has %d", ok, len(b.model))
	}
	if !ok {
		return
	}
	got, err := b.buf.Pop()
	must(t, err)
	want := b.model[0]
	b.model = b.model[1:]
	if fmt.Sprint(first) != fmt.Sprint(got) {
		t.Fatalf("the first is %v, but %v was taken out", first, got)
	}
	header := ""
	if len(got.Headers) > 0 {
		header = string(got.Headers[0].Value)
	}
	if got.Time != want.time || got.Sub != want.sub || got.Key != want.key || got.Value != want.value || header != want.header {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func (b *bufferTest) common() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"pop":     b.pop,
		"commit":  func(t *rapid.T) { commit(t, b.tk, b.out) },
		"reopen":  func(t *rapid.T) { b.reopen(t, true) },
		"restore": func(t *rapid.T) { b.reopen(t, false) },
	}
}

var bufferKeys = rapid.SampledFrom([]string{"", "a", "a\x00", "a\x00\xff", "ab", "\xff", "b"})

func drawHeaders(t *rapid.T) (string, []record.Header) {
	if rapid.Bool().Draw(t, "no header") {
		return "", nil
	}
	h := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "header")
	return h, []record.Header{{Key: "h", Value: []byte(h)}, {Key: "null"}}
}

// A buffer is a sorted queue, whatever fits into memory, and wherever it is
// opened again.
func TestBuffer_IsAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBufferTest(t, false)
		arrivals := 0
		ops := b.common()
		ops["add"] = func(t *rapid.T) {
			arrivals++
			q := queued{time: rapid.Int64Range(-3, 9).Draw(t, "time"), key: bufferKeys.Draw(t, "key"), arrival: arrivals, value: int64(arrivals)}
			h, headers := drawHeaders(t)
			q.header = h
			must(t, b.buf.Add(q.time, q.key, q.value, headers))
			b.insert(q)
		}
		ops["put"] = func(t *rapid.T) {
			q := queued{time: rapid.Int64Range(0, 9).Draw(t, "time"), sub: rapid.Int64Range(0, 2).Draw(t, "sub"), key: bufferKeys.Draw(t, "key"), value: rapid.Int64().Draw(t, "value")}
			b.model = slices.DeleteFunc(b.model, func(o queued) bool { return o.compare(q) == 0 })
			must(t, b.buf.Put(q.time, q.sub, q.key, q.value, nil))
			b.insert(q)
		}
		ops["remove"] = func(t *rapid.T) {
			q := queued{time: rapid.Int64Range(0, 9).Draw(t, "time"), sub: rapid.Int64Range(0, 2).Draw(t, "sub"), key: bufferKeys.Draw(t, "key")}
			b.model = slices.DeleteFunc(b.model, func(o queued) bool { return o.compare(q) == 0 })
			must(t, b.buf.Remove(q.time, q.sub, q.key))
		}
		t.Repeat(ops)
		for len(b.model) > 0 {
			b.pop(t)
		}
		b.pop(t)
	})
}

// A keyed buffer has one item for each key, at the time at which the key came in.
func TestBuffer_Keyed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBufferTest(t, true)
		at := func(k string) int { return slices.IndexFunc(b.model, func(q queued) bool { return q.key == k }) }
		ops := b.common()
		ops["replace"] = func(t *rapid.T) {
			q := queued{time: rapid.Int64Range(0, 9).Draw(t, "time"), key: bufferKeys.Draw(t, "key"), value: rapid.Int64().Draw(t, "value")}
			h, headers := drawHeaders(t)
			q.header = h
			must(t, b.buf.Replace(q.time, q.key, q.value, headers))
			if i := at(q.key); i >= 0 {
				q.time = b.model[i].time
				b.model[i] = q
			} else {
				b.insert(q)
			}
		}
		ops["remove"] = func(t *rapid.T) {
			k := bufferKeys.Draw(t, "key")
			must(t, b.buf.Remove(0, 0, k))
			b.model = slices.DeleteFunc(b.model, func(q queued) bool { return q.key == k })
		}
		ops["find"] = func(t *rapid.T) {
			k := bufferKeys.Draw(t, "key")
			got, ok, err := b.buf.Find(k)
			must(t, err)
			i := at(k)
			if ok != (i >= 0) || ok && (got.Value != b.model[i].value || got.Time != b.model[i].time) {
				t.Fatalf("found %+v, %t; the model is %+v", got, ok, b.model)
			}
		}
		ops[""] = func(t *rapid.T) {
			_, _, err := b.buf.FirstTime() // what begins counts
			must(t, err)
			if b.buf.Len() != int64(len(b.model)) || (b.buf.Bytes() > 0) != (len(b.model) > 0) {
				t.Fatalf("%d items in %d bytes, want %d", b.buf.Len(), b.buf.Bytes(), len(b.model))
			}
		}
		t.Repeat(ops)
	})
}

// What doesn't fit into memory is on disk only.
func TestBuffer_Spills(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const budget, items = 50_000, 1500
		b := &bufferTest{db: store.NewMem(), out: &changelog{}, size: budget}
		b.spec = cache.BufferSpec[string, int64]{
			Store: &topology.Store{Name: "s", Kind: topology.Buffer}, Key: serde.String, Value: serde.Int64, Keyed: rapid.Bool().Draw(t, "keyed"),
		}
		b.tk = newTask(t, b.db, b.out, b.size, b.open)
		for i := range items {
			k := fmt.Sprintf("key-%d", i*7919%items)
			var err error
			if b.spec.Keyed {
				err = b.buf.Replace(int64(i%100), k, int64(i), nil)
			} else {
				err = b.buf.Add(int64(i%100), k, int64(i), nil)
			}
			must(t, err)
			if b.tk.CommitRequested() {
				commit(t, b.tk, b.out)
			}
		}
		commit(t, b.tk, b.out)
		if m := b.buf.Memory(); m > budget {
			t.Fatalf("%d bytes are in memory, the budget is %d", m, budget)
		}
		last := int64(-1)
		for range items {
			got, err := b.buf.Pop()
			must(t, err)
			if got.Time < last {
				t.Fatalf("%d came after %d", got.Time, last)
			}
			last = got.Time
			if b.tk.CommitRequested() {
				commit(t, b.tk, b.out)
			}
		}
		if _, ok, err := b.buf.FirstTime(); ok || err != nil {
			t.Fatalf("something is left: %t, %v", ok, err)
		}
	})
}
