package coord

import (
	"bytes"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/internal/clock"
)

// mailbox is how many requests of a shard may wait for their turn.
const mailbox = 256

// shard owns the groups of one partition of the offsets topic. Everything but
// inbox and the channels belongs to its loop.
type shard struct {
	opt   Options
	log   *partition.Log
	inbox chan func()
	quit  chan struct{} // closed to stop the loop
	gone  chan struct{} // closed when it has stopped

	groups map[string]*group.Group
	calls  map[group.Call]*Future[kmsg.Response]
	last   group.Call
	end    int64 // the offset after the last appended record
	buf    []byte
	wake   time.Time // when some group may have a deadline; zero is never
	timer  clock.Timer
}

func newShard(o Options, log *partition.Log) *shard {
	return &shard{
		opt: o, log: log,
		inbox: make(chan func(), mailbox), quit: make(chan struct{}), gone: make(chan struct{}),
		groups: map[string]*group.Group{},
		calls:  map[group.Call]*Future[kmsg.Response]{},
	}
}

// loop runs the shard's steps until stop.
func (s *shard) loop() {
	defer close(s.gone)
	s.timer = s.opt.Clock.NewTimer(time.Hour)
	defer s.timer.Stop()
	s.rewind()
	for {
		select {
		case f := <-s.inbox:
			f()
		case <-s.timer.C():
			s.tick()
		case <-s.quit:
			return
		}
	}
}

func (s *shard) stop() {
	close(s.quit)
	<-s.gone
}

// run lets the loop run f, which answers out. The future fails if the loop
// stops before.
func run[T any](s *shard, f func(out *Future[T])) *Future[T] {
	out := &Future[T]{done: make(chan struct{}), gone: s.gone}
	select {
	case s.inbox <- func() { f(out) }:
	case <-s.gone:
	}
	return out
}

// replay rebuilds the groups from the records of the partition.
func (s *shard) replay() error {
	now := s.opt.Clock.Now()
	b := s.log.Bounds()
	for at := b.LogStart; at < b.HighWatermark; {
		r, err := s.log.Read(nil, at, 1<<20, partition.AtLeastOne)
		if err != nil {
			return fmt.Errorf("read at offset %d: %w", at, err)
		}
		if r.Size == 0 {
			break
		}
		at, err = s.replayBatches(now, r.Data, at)
		r.Release()
		if err != nil {
			return err
		}
	}
	s.end = b.LogEnd
	for id, g := range s.groups {
		if g.Idle() && len(g.Tombstones()) == 0 {
			delete(s.groups, id)
		}
	}
	return nil
}

func (s *shard) replayBatches(now time.Time, data [][]byte, at int64) (int64, error) {
	for _, rest := range data {
		for len(rest) > 0 {
			h, first, tail, err := batch.Cut(rest)
			if err != nil {
				return at, fmt.Errorf("batch at offset %d: %w", at, err)
			}
			rest, at = tail, h.NextOffset()
			if h.Attributes.Has(batch.Control) {
				continue
			}
			for rec, err := range batch.All(first) {
				if err != nil {
					return at, fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
				}
				s.replayRecord(now, h.BaseOffset+int64(rec.OffsetDelta), rec)
			}
		}
	}
	return at, nil
}

// replayRecord applies one record. One that can't be read is left out: it
// must not keep all other groups of the partition from starting.
func (s *shard) replayRecord(now time.Time, offset int64, rec batch.Record) {
	r := group.Record{Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value)}
	id, ok, err := group.GroupOf(r)
	if ok {
		err = s.group(id, now).Restore(now, r)
	}
	if err != nil {
		s.opt.Log.Error("skipping a record of the offsets topic", "offset", offset, "err", err)
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

// append stores records as one batch.
func (s *shard) append(now time.Time, records []group.Record) error {
	if len(records) == 0 {
		return nil
	}
	recs := make([]batch.Record, len(records))
	for i, r := range records {
		recs[i] = batch.Record{OffsetDelta: int32(i), Timestamp: now.UnixMilli(), Key: r.Key, Value: r.Value}
	}
	var err error
	if s.buf, err = batch.Append(s.buf[:0], batch.New(), recs); err != nil {
		return err
	}
	done, err := s.log.Append(s.buf, partition.AppendArgs{Origin: partition.Coordinator})
	if err != nil {
		return err
	}
	s.end = done.LastOffset + 1
	return nil
}

// carryOut does what a step of a group asks for.
func (s *shard) carryOut(now time.Time, g *group.Group, e group.Effects) {
	err := s.append(now, e.Records)
	if err != nil {
		s.opt.Log.Error("the state of a group could not be stored", "group", g.ID(), "err", err)
		g.Unassign(now)
	}
	for _, r := range e.Replies {
		if err != nil {
			group.Fail(r.Body, notStored)
		}
		if f := s.calls[r.Call]; f != nil {
			delete(s.calls, r.Call)
			f.resolve(s, r.Body)
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
			s.carryOut(now, g, g.Tick(now))
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
