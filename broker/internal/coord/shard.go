package coord

import (
	"bytes"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/partition"
)

// shard owns the groups of one partition of the offsets topic. Everything belongs
// to its loop.
type shard struct {
	journal
	loop
	opt Options

	groups map[string]*group.Group
	calls  map[group.Call]*Future[kmsg.Response]
	last   group.Call
	// The groups that have offsets in a producer's open transaction.
	open map[int64]map[string]bool
	wake time.Time       // when some group may have a deadline; zero is never
	idle map[string]bool // groups that had neither members nor offsets when Expire came last
}

func newShard(o Options, log *partition.Log) *shard {
	return &shard{
		journal: journal{log: log}, loop: newLoop(o.Clock), opt: o,
		groups: map[string]*group.Group{},
		calls:  map[group.Call]*Future[kmsg.Response]{},
		open:   map[int64]map[string]bool{},
	}
}

// work runs the shard's steps until stop.
func (s *shard) work() { s.turn(s.rewind, s.tick) }

// run lets the loop run f, which answers out. The future fails if the loop
// stops before.
func run[T any](s *shard, f func(out *Future[T])) *Future[T] {
	return send(s.inbox, s.gone, f)
}

// replay rebuilds the groups from the records of the partition.
func (s *shard) replay() error {
	now := s.opt.Clock.Now()
	err := s.journal.replay(
		func(h *batch.Header, rec batch.Record) { s.replayRecord(now, h, rec) },
		func(h *batch.Header, m batch.Marker) { s.ended(h.ProducerID, m.Outcome) })
	if err != nil {
		return err
	}
	for id, g := range s.groups {
		if m := g.Membership(); m != nil {
			m.Resume(s.envOf(g))
		}
		if g.Idle() && len(g.Tombstones()) == 0 {
			delete(s.groups, id)
		}
	}
	return nil
}

// replayRecord applies one record. One that can't be read is left out: it
// must not keep all other groups of the partition from starting.
func (s *shard) replayRecord(now time.Time, h *batch.Header, rec batch.Record) {
	r := group.Record{Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value)}
	at := group.Place{Offset: h.BaseOffset + int64(rec.OffsetDelta), Producer: group.NoTxn}
	if h.Attributes.Has(batch.Transactional) {
		at.Producer = h.ProducerID
	}
	id, t, ok, err := group.GroupOf(r)
	if ok {
		g := s.group(id, now)
		if k, _ := t.Kind(); k != group.Classic && k != g.Kind() && r.Value != nil {
			if m := newMembership(k, id); m != nil {
				g.Become(m, now)
			}
		}
		err = g.Restore(now, r, at)
		s.opened(at.Producer, id)
	}
	if err != nil {
		s.opt.Log.Error("skipping a record of the offsets topic", "offset", at.Offset, "err", err)
	}
}

// group returns the group, making it if need be.
func (s *shard) group(id string, now time.Time) *group.Group {
	g := s.groups[id]
	if g == nil {
		g = group.New(id, &s.opt.Group, now)
		s.groups[id] = g
	}
	return g
}

// append stores records.
func (s *shard) append(now time.Time, records []group.Record) error {
	_, err := store(&s.journal, now, batch.New(), 0, records)
	return err
}

// carryOut does what a step of a group asks for.
func (s *shard) carryOut(now time.Time, g *group.Group, e group.Effects) {
	err := s.append(now, e.Records)
	if err != nil {
		s.opt.Log.Error("the state of a group could not be stored", "group", g.ID(), "err", err)
		g.Unassign(now)
	} else {
		s.apply(now, g, e)
	}
	if err == nil && e.Rebalanced && s.opt.Rebalanced != nil {
		s.opt.Rebalanced(g.Kind())
	}
	for _, r := range e.Replies {
		if err != nil {
			group.Fail(r.Body, notStored)
		}
		if f := s.calls[r.Call]; f != nil {
			delete(s.calls, r.Call)
			f.resolve(&s.journal, r.Body)
		}
	}
	s.settle(g)
}

// settle forgets a group that has nothing to remember, and plans its next
// deadline.
func (s *shard) settle(g *group.Group) {
	if g.State() == group.Dead || g.Idle() && len(g.Tombstones()) == 0 {
		delete(s.groups, g.ID())
		return
	}
	if next := g.NextDeadline(); !next.IsZero() && (s.wake.IsZero() || next.Before(s.wake)) {
		s.wake = next
		s.timer.Reset(next.Sub(s.opt.Clock.Now()))
	}
}

// tick steps the groups whose deadline has come. Heartbeats move deadlines all
// the time without touching the timer, so most ticks find little to do.
func (s *shard) tick() {
	now := s.opt.Clock.Now()
	for _, g := range s.groups {
		if next := g.NextDeadline(); !next.IsZero() && !next.After(now) {
			s.carryOut(now, g, g.Tick(s.envOf(g)))
		}
	}
	s.rewind()
}

// rewind sets the timer to the earliest deadline of all groups.
func (s *shard) rewind() {
	s.wake = time.Time{}
	for _, g := range s.groups {
		if next := g.NextDeadline(); !next.IsZero() && (s.wake.IsZero() || next.Before(s.wake)) {
			s.wake = next
		}
	}
	if s.wake.IsZero() {
		s.timer.Stop()
		return
	}
	s.timer.Reset(s.wake.Sub(s.opt.Clock.Now()))
}
