package cache

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// BufferSpec is what a buffer is made of.
type BufferSpec[K, V any] struct {
	Store *topology.Store
	Label string // of the node that owns it, for errors
	Key   serde.Serde[K]
	Value serde.Serde[V]
	// Keyed says that there is at most one item for each key: it is put by
	// Replace and found by Find.
	Keyed bool
	// Counted makes Len and Bytes right from the start, at the price of a look
	// at all there is when the task begins.
	Counted bool
}

// Buffered is one item of a buffer. Items are in order of Time, then of Sub,
// then of the encoded key, then of arrival.
type Buffered[K, V any] struct {
	Time    int64
	Sub     int64
	Key     K
	Value   V
	Headers []record.Header
}

// Buffer is a queue in order of time that survives restarts: every item is in
// the changelog and in the task's database by the next commit, or never if it
// was taken out before. It holds the earliest items in memory and the rest, if
// they are too many, in the database alone.
//
// Values are encoded when they are put: one that is changed in place afterwards
// is as it was.
type Buffer[K, V any] struct {
	base
	key      serde.Serde[K]
	value    serde.Serde[V]
	keyed    bool
	counted  bool
	ready    bool
	arrivals *int64 // committed, so that a record that is processed again has the same place

	items map[string]*item // by cell; those that were taken out too, until the database knows
	keys  map[string]*item // by encoded key, if keyed
	heap  itemHeap         // of what is in memory, and not taken out
	dirty []*item
	held  []*item

	// Memory holds every item before this cell. complete says that it holds all.
	frontier string
	complete bool
	memory   int64 // bytes

	count, size int64
	cellBuf     []byte
	keyBuf      []byte
}

// item is a cell in memory.
type item struct {
	cell    string
	key     string // encoded, if the buffer is keyed
	payload []byte
	at      int   // in the heap, -1 if it was taken out
	stored  bool  // the changelog or the database may have it
	dirty   bool  // changed since the last flush
	held    bool  // flushed, but not in the database yet
	counts  int64 // what it counts in size
}

// itemOverhead is about what an item costs beside its bytes.
const itemOverhead = 160

// OpenBuffer opens the buffer in a task that is being made.
func OpenBuffer[K, V any](t *task.Task, spec BufferSpec[K, V]) *Buffer[K, V] {
	s := &Buffer[K, V]{
		base: openBase(t, spec.Store, spec.Label, Layout{}),
		key:  spec.Key, value: spec.Value, keyed: spec.Keyed, counted: spec.Counted,
		arrivals: t.Time(spec.Store.Name + "/arrivals"),
		items:    map[string]*item{},
	}
	if s.keyed {
		s.keys = map[string]*item{}
	}
	t.OpenStore(spec.Store, func(changelog int, db store.DB, id store.ID) (task.Store, error) {
		return s, s.attach(changelog, db, id)
	})
	return s
}

// Add puts an item behind those of the same time and key.
func (s *Buffer[K, V]) Add(time int64, k K, v V, headers []record.Header) error {
	*s.arrivals++
	_, err := s.put(time, 0, k, *s.arrivals+1, v, headers)
	return err
}

// Put puts an item, in the place of one of the same time, sub and key.
func (s *Buffer[K, V]) Put(time, sub int64, k K, v V, headers []record.Header) error {
	_, err := s.put(time, sub, k, 0, v, headers)
	return err
}

// Replace puts an item in the place of that of the same key, whose time stays.
func (s *Buffer[K, V]) Replace(time int64, k K, v V, headers []record.Header) error {
	it, err := s.find(k)
	if err != nil {
		return err
	}
	if it != nil {
		return s.set(it, v, headers)
	}
	it, err = s.put(time, 0, k, 0, v, headers)
	if err == nil {
		it.key = string(s.keyBuf)
		s.keys[it.key] = it
	}
	return err
}

// Find is the item of a key, in a keyed buffer.
func (s *Buffer[K, V]) Find(k K) (b Buffered[K, V], ok bool, err error) {
	it, err := s.find(k)
	if err != nil || it == nil {
		return b, false, err
	}
	b, err = s.decode(it)
	return b, err == nil, err
}

// Remove takes out the item of that time, sub and key, if there is one; in a
// keyed buffer that of the key, whatever its time.
func (s *Buffer[K, V]) Remove(time, sub int64, k K) error {
	if s.keyed {
		it, err := s.find(k)
		if err == nil && it != nil {
			s.takeOut(it)
		}
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	if err := s.encodeCell(time, sub, k, 0); err != nil {
		return err
	}
	it := s.items[string(s.cellBuf)]
	if it == nil {
		if s.within(s.cellBuf) {
			return nil
		}
		it = s.admit(string(s.cellBuf), nil, true)
	}
	s.takeOut(it)
	return nil
}

// First is the first item, which stays; ok is false if there is none.
func (s *Buffer[K, V]) First() (b Buffered[K, V], ok bool, err error) {
	it, err := s.first()
	if err != nil || it == nil {
		return b, false, err
	}
	b, err = s.decode(it)
	return b, err == nil, err
}

// FirstTime is the time of the first item; ok is false if there is none.
func (s *Buffer[K, V]) FirstTime() (time int64, ok bool, err error) {
	it, err := s.first()
	if err != nil || it == nil {
		return 0, false, err
	}
	return cellTimeOf(it.cell), true, nil
}

// Pop takes the first item out. It is called after First or FirstTime have said
// that there is one.
func (s *Buffer[K, V]) Pop() (b Buffered[K, V], err error) {
	it, err := s.first()
	if err != nil || it == nil {
		return b, err
	}
	if b, err = s.decode(it); err == nil {
		s.takeOut(it)
	}
	return b, err
}

// Len is the number of items, in a counted buffer.
func (s *Buffer[K, V]) Len() int64 { return s.count }

// Bytes is the size of all items as encoded, in a counted buffer.
func (s *Buffer[K, V]) Bytes() int64 { return s.size }

// Memory is how much memory the items take that are in it, about, in bytes.
func (s *Buffer[K, V]) Memory() int64 { return s.memory }

// begin looks once at what there is when the task starts.
func (s *Buffer[K, V]) begin() error {
	if s.ready {
		return nil
	}
	s.ready = true
	lo, hi := s.bounds("")
	s.complete = true
	err := s.db.Scan(lo, hi, func(key, value []byte) bool {
		s.complete = false
		s.count++
		s.size += int64(len(key) + len(value))
		return s.counted
	})
	if err != nil {
		return s.fail(task.FailedStore, err)
	}
	return nil
}

func (s *Buffer[K, V]) put(time, sub int64, k K, seq int64, v V, headers []record.Header) (*item, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	if err := s.encodeCell(time, sub, k, seq); err != nil {
		return nil, err
	}
	it := s.items[string(s.cellBuf)]
	if it == nil {
		it = s.admit(string(s.cellBuf), nil, !s.within(s.cellBuf))
	}
	return it, s.set(it, v, headers)
}

// set gives an item its value, and brings it back if it was taken out.
func (s *Buffer[K, V]) set(it *item, v V, headers []record.Header) error {
	payload, err := s.value.Append(appendHeaders(it.payload[:0], headers), v)
	if err != nil {
		return s.fail(task.FailedEncode, fmt.Errorf("encode value: %w", err))
	}
	s.memory += int64(len(payload) - len(it.payload))
	it.payload = payload
	if it.at < 0 {
		s.heap.push(it)
	}
	s.tally(it)
	s.touch(it)
	return nil
}

// tally keeps count and size right.
func (s *Buffer[K, V]) tally(it *item) {
	now := int64(0)
	if it.at >= 0 {
		now = int64(store.PrefixLen + len(it.cell) + 8 + len(it.payload))
	}
	if it.counts == 0 && now > 0 {
		s.count++
	} else if it.counts > 0 && now == 0 {
		s.count--
	}
	s.size += now - it.counts
	it.counts = now
}

// touch notes a change for the next flush.
func (s *Buffer[K, V]) touch(it *item) {
	if it.dirty {
		return
	}
	it.dirty = true
	s.dirty = append(s.dirty, it)
	s.pinned += int64(len(it.cell)+len(it.payload)) + itemOverhead
	if s.pinned > s.task.CacheBytes()/2 {
		s.task.RequestCommit()
	}
}

func (s *Buffer[K, V]) takeOut(it *item) {
	if it.at >= 0 {
		s.heap.remove(it)
	}
	s.tally(it)
	if s.keyed && s.keys[it.key] == it {
		delete(s.keys, it.key)
	}
	if it.stored {
		s.touch(it)
		return
	}
	s.forget(it) // nobody has heard of it
}

// admit makes an item that is in memory and taken out.
func (s *Buffer[K, V]) admit(cell string, payload []byte, stored bool) *item {
	it := &item{cell: cell, payload: payload, at: -1, stored: stored}
	s.items[cell] = it
	s.memory += int64(len(cell)+len(payload)) + itemOverhead
	return it
}

func (s *Buffer[K, V]) forget(it *item) {
	delete(s.items, it.cell)
	if s.keyed && s.keys[it.key] == it {
		delete(s.keys, it.key)
	}
	s.memory -= int64(len(it.cell)+len(it.payload)) + itemOverhead
}

// first is the first item, nil if there is none.
func (s *Buffer[K, V]) first() (*item, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	for {
		if len(s.heap) > 0 && (s.complete || s.heap[0].cell < s.frontier) {
			return s.heap[0], nil
		}
		if s.complete {
			return nil, nil
		}
		if err := s.load(); err != nil {
			return nil, err
		}
	}
}

// within reports whether memory holds the cell if it exists.
func (s *Buffer[K, V]) within(cell []byte) bool {
	return s.complete || string(cell) < s.frontier
}

// find is the item of a key in a keyed buffer, nil if there is none. It leaves
// the encoded key in keyBuf.
func (s *Buffer[K, V]) find(k K) (*item, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	key, err := s.key.Append(s.keyBuf[:0], k)
	if err != nil {
		return nil, s.fail(task.FailedEncode, fmt.Errorf("encode key: %w", err))
	}
	s.keyBuf = key
	if it := s.keys[string(key)]; it != nil || s.complete {
		return it, nil
	}
	at, ok, err := s.db.Get(s.placeKey(key))
	if err != nil {
		return nil, s.fail(task.FailedStore, err)
	}
	if !ok || len(at) != 8 || s.items[string(appendCell(nil, int64(binary.BigEndian.Uint64(at)), 0, key, 0))] != nil {
		return nil, nil // none, or one that was taken out
	}
	cell := appendCell(nil, int64(binary.BigEndian.Uint64(at)), 0, key, 0)
	value, ok, err := s.db.Get(s.id.Key(nil, cell))
	if err != nil || !ok {
		return nil, s.orNil(err)
	}
	return s.loaded(string(cell), value)
}

func (s *Buffer[K, V]) orNil(err error) error {
	if err != nil {
		return s.fail(task.FailedStore, err)
	}
	return nil
}

// encodeCell leaves the cell in cellBuf, and the encoded key in keyBuf.
func (s *Buffer[K, V]) encodeCell(time, sub int64, k K, seq int64) error {
	key, err := s.key.Append(s.keyBuf[:0], k)
	if err != nil {
		return s.fail(task.FailedEncode, fmt.Errorf("encode key: %w", err))
	}
	s.keyBuf = key
	s.cellBuf = appendCell(s.cellBuf[:0], time, sub, key, seq)
	return nil
}

func (s *Buffer[K, V]) decode(it *item) (b Buffered[K, V], err error) {
	var key []byte
	if b.Time, b.Sub, key, err = splitCell(it.cell); err != nil {
		return b, s.fail(task.FailedStore, err)
	}
	if b.Key, err = s.key.Decode(key); err != nil {
		return b, s.fail(task.FailedStore, fmt.Errorf("decode key: %w", err))
	}
	headers, value, err := splitHeaders(slices.Clone(it.payload))
	if err != nil {
		return b, s.fail(task.FailedStore, err)
	}
	b.Headers = headers
	if b.Value, err = s.value.Decode(value); err != nil {
		return b, s.fail(task.FailedStore, fmt.Errorf("decode stored value (did its type change?): %w", err))
	}
	return b, nil
}
