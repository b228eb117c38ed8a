package cache

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Members is a store of groups of members, all of them bytes, where a member has
// a short value: which rows refer to a key. A change asks the database nothing;
// what is not in it yet is merged in when a group is walked through.
type Members struct {
	base
	unsaved map[string]*group
	changes []*member // since the last flush, in order
	flushed []*member // not in the database yet
	scratch []byte
}

// group is the members of a group that the database doesn't have as they are.
type group struct {
	members map[string]*member
	sorted  []*member // valid if it has them all
}

type member struct {
	group *group
	in    string // the group
	name  string
	value []byte
	time  int64
	gone  bool
	dirty bool
}

// memberPrefix is what a stored key begins with: the group with its length
// before it, so that no group is another's prefix.
func memberPrefix(dst, group []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(group))), group...)
}

// OpenMembers opens the store in a task that is being made. label is that of the
// node that owns it.
func OpenMembers(t *task.Task, spec *topology.Store, label string) *Members {
	s := &Members{base: openBase(t, spec, label, Layout{}), unsaved: map[string]*group{}}
	t.OpenStore(spec, func(changelog int, db store.DB, id store.ID) (task.Store, error) {
		return s, s.attach(changelog, db, id)
	})
	return s
}

// Put adds a member to a group, or changes it.
func (s *Members) Put(in, name, value []byte, time int64) {
	m := s.change(in, name)
	m.value, m.time, m.gone = append(m.value[:0], value...), time, false
}

// Delete takes a member away, if it is there.
func (s *Members) Delete(in, name []byte, time int64) {
	m := s.change(in, name)
	m.value, m.time, m.gone = m.value[:0], time, true
}

func (s *Members) change(in, name []byte) *member {
	g := s.unsaved[string(in)]
	if g == nil {
		g = &group{members: map[string]*member{}}
		s.unsaved[string(in)] = g
	}
	m := g.members[string(name)]
	if m == nil {
		m = &member{group: g, in: string(in), name: string(name)}
		g.members[m.name] = m
		g.sorted = g.sorted[:0]
		s.pinned += entrySize(m, len(in)+2*len(name))
		if s.pinned > s.task.CacheBytes()/2 {
			s.task.RequestCommit()
		}
	}
	if !m.dirty {
		m.dirty = true
		s.changes = append(s.changes, m)
	}
	return m
}

// order is the members in the order of their names.
func (g *group) order() []*member {
	if len(g.sorted) != len(g.members) {
		g.sorted = g.sorted[:0]
		for _, m := range g.members {
			g.sorted = append(g.sorted, m)
		}
		slices.SortFunc(g.sorted, func(a, b *member) int { return cmp.Compare(a.name, b.name) })
	}
	return g.sorted
}

// Each calls yield with every member of a group, in the order of their names,
// until it returns false. The slices are valid during the call only, in which
// the store must not be changed.
func (s *Members) Each(in []byte, yield func(name, value []byte, time int64) bool) error {
	var recent []*member
	if g := s.unsaved[string(in)]; g != nil {
		recent = g.order()
	}
	lo := memberPrefix(s.id.Key(s.scratch[:0]), in)
	s.scratch = lo
	hi := successor(lo)
	more := true
	var failed error
	err := s.db.Scan(lo, hi, func(key, value []byte) bool {
		name := key[len(lo):]
		for len(recent) > 0 && recent[0].name < string(name) {
			if more = recent[0].yield(yield); !more {
				return false
			}
			recent = recent[1:]
		}
		if len(recent) > 0 && recent[0].name == string(name) {
			return true // what is more recent comes with the next one
		}
		if len(value) < 8 {
			failed = s.fail(task.FailedStore, fmt.Errorf("%w: member of %d bytes", ErrCorrupt, len(value)))
			return false
		}
		more = yield(name, value[8:], int64(binary.BigEndian.Uint64(value)))
		return more
	})
	if err != nil {
		return s.fail(task.FailedStore, err)
	}
	for _, m := range recent {
		if !more || failed != nil {
			break
		}
		more = m.yield(yield)
	}
	return failed
}

func (m *member) yield(f func(name, value []byte, time int64) bool) bool {
	return m.gone || f(view(m.name), m.value, m.time)
}

// Any reports whether a group has a member.
func (s *Members) Any(in []byte) (found bool, err error) {
	err = s.Each(in, func(_, _ []byte, _ int64) bool {
		found = true
		return false
	})
	return found, err
}

// successor is the lowest key that is higher than every one that begins with
// prefix. A store's prefix is never all 0xff.
func successor(prefix []byte) []byte {
	hi := bytes.Clone(prefix)
	for i := len(hi) - 1; i >= 0; i-- {
		hi[i]++
		if hi[i] != 0 {
			return hi[:i+1]
		}
	}
	return nil
}

// Flush implements task.Store.
func (s *Members) Flush() error {
	for i, m := range s.changes {
		arena := s.task.Arena()
		key := append(memberPrefix(s.id.Key(arena.Free()), view(m.in)), m.name...)
		w := write{key: arena.Take(key)}
		if !m.gone {
			w.value = arena.Take(append(binary.BigEndian.AppendUint64(arena.Free(), uint64(m.time)), m.value...))
		}
		if err := s.log(w, m.time); err != nil {
			s.changes = slices.Delete(s.changes, 0, i)
			return err
		}
		m.dirty = false
		s.flushed = append(s.flushed, m)
	}
	clear(s.changes)
	s.changes = s.changes[:0]
	s.pinned = 0
	return nil
}

// Persist implements task.Store.
func (s *Members) Persist(b *store.Batch) {
	s.base.Persist(b)
	for _, m := range s.flushed {
		if m.dirty || m.group.members[m.name] != m {
			continue
		}
		delete(m.group.members, m.name)
		m.group.sorted = m.group.sorted[:0]
		if len(m.group.members) == 0 && s.unsaved[m.in] == m.group {
			delete(s.unsaved, m.in)
		}
	}
	clear(s.flushed)
	s.flushed = s.flushed[:0]
}

// Restore implements task.Store.
func (s *Members) Restore(recs []record.Record) error {
	for i := range recs {
		if recs[i].Key != nil {
			s.restore(recs[i].Key, &recs[i])
		}
	}
	return nil
}
