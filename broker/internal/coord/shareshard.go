package coord

import (
	"bytes"
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/share"
)

// snapshotEvery is the setting that says after how many updates the whole state of
// a share partition is stored.
const snapshotEvery = "share.coordinator.snapshot.update.records.per.snapshot"

// ErrUnknownShare is the error for a share partition that no group has.
var ErrUnknownShare = errors.New("no group has the share partition")

// shareShard owns the share partitions of one partition of the topic of share
// groups' state. Everything belongs to its loop.
type shareShard struct {
	journal
	loop
	opt     ShareOptions
	entries map[share.Key]*shareEntry
	wake    time.Time // when some member's time may end; zero is never
}

// shareEntry is a share partition as its shard has it.
type shareEntry struct {
	p          *share.Partition // nil as long as its start isn't decided
	epoch      int32            // of the last snapshot
	stateEpoch int32
	createdMS  int64
	updates    int   // since the last snapshot
	at         int64 // the offset of the last snapshot
	dirty      bool  // what is stored isn't what is true, for the disk failed
	watchers   map[partition.Waker]struct{}
}

func newShareShard(o ShareOptions, log *partition.Log) *shareShard {
	return &shareShard{journal: journal{log: log}, loop: newLoop(o.Clock), opt: o, entries: map[share.Key]*shareEntry{}}
}

// work runs the shard's steps until stop.
func (s *shareShard) work() { s.turn(func() {}, s.tick) }

// replay rebuilds the share partitions from the records of the partition. A
// record that can't be read is left out.
func (s *shareShard) replay() error {
	return s.journal.replay(func(h *batch.Header, rec batch.Record) {
		offset := h.BaseOffset + int64(rec.OffsetDelta)
		r, ok, err := share.Decode(share.Record{Key: rec.Key, Value: bytes.Clone(rec.Value)})
		if err != nil {
			s.opt.Log.Error("skipping a record of the topic of share groups' state", "offset", offset, "err", err)
		}
		if ok {
			s.apply(&r, offset)
		}
	}, nil)
}

func (s *shareShard) apply(r *share.Stored, offset int64) {
	e := s.entries[r.Key]
	switch {
	case r.Deleted:
		delete(s.entries, r.Key)
	case r.Snapshot:
		e = &shareEntry{epoch: r.Epoch, stateEpoch: r.StateEpoch, createdMS: r.CreatedMS, at: offset}
		if r.Start >= 0 {
			e.p = share.Load(r.Start, r.Batches)
		}
		s.entries[r.Key] = e
	case e != nil && e.p != nil && e.epoch == r.Epoch:
		e.updates++
		e.p.Replay(r.Change)
	}
}

// logOf is the log that a share partition is of; nil if its topic is gone.
func (s *shareShard) logOf(k share.Key) *partition.Log {
	return s.opt.Catalog.Image().TopicByID(k.Topic).Log(k.Partition)
}

// step does something to a share partition and stores what that changes, or
// takes it back. It reports whether it is done.
//
// The machine is changed first and copied before, since what it decides is stored
// as what has become of it. Nobody else sees it in between.
func (s *shareShard) step(k share.Key, e *shareEntry, do func() share.Change) bool {
	limits := s.opt.limits(k.Group)
	before := e.p.Clone()
	if c := do(); !c.Empty() || e.dirty {
		// A step that changes nothing only tries to make up for a failure.
		if err := s.store(k, e, c); err != nil && !c.Empty() {
			e.p = before
			s.complain(k, err)
			return false
		}
	}
	if at, ok := e.p.Next(limits); ok {
		if was, could := before.Next(limits); !could || at < was {
			e.tell()
		}
	}
	s.plan(e.p.NextDeadline())
	return true
}

func (s *shareShard) complain(k share.Key, err error) {
	s.opt.Log.Error("the state of a share partition could not be stored", slog.String("group", k.Group), slog.Int("partition", int(k.Partition)), slog.Any("err", err))
}

// tell wakes who waits for records.
func (e *shareEntry) tell() {
	for w := range e.watchers {
		w.Wake(0)
	}
}

// store appends a change, or a snapshot if it is time for one.
func (s *shareShard) store(k share.Key, e *shareEntry, c share.Change) error {
	if e.dirty || e.updates >= int(s.opt.Catalog.Settings().Int(snapshotEvery)) {
		return s.snapshot(k, e)
	}
	r := share.Stored{Key: k, Epoch: e.epoch, Change: c, Done: int32(e.p.Done())}
	if log := s.logOf(k); log != nil {
		r.LeaderEpoch = log.Epoch()
	}
	if _, err := s.append(r.Encode()); err != nil {
		return err
	}
	e.updates++
	return nil
}

// snapshot stores all of a share partition.
func (s *shareShard) snapshot(k share.Key, e *shareEntry) error {
	r := share.Stored{
		Key: k, Snapshot: true, Epoch: e.epoch + 1, StateEpoch: e.stateEpoch,
		CreatedMS: e.createdMS, WrittenMS: s.clock.Now().UnixMilli(), Change: share.Change{Start: -1}, Done: -1,
	}
	if log := s.logOf(k); log != nil {
		r.LeaderEpoch = log.Epoch()
	}
	if e.p != nil {
		r.Start, r.Batches, r.Done = e.p.Start(), e.p.Snapshot(), int32(e.p.Done())
	}
	at, err := s.append(r.Encode())
	if err != nil {
		return err
	}
	e.epoch, e.at, e.updates, e.dirty = e.epoch+1, at, 0, false
	return nil
}

func (s *shareShard) append(records ...share.Record) (int64, error) {
	return store(&s.journal, s.clock.Now(), batch.New(), 0, records)
}

// next says where a share partition goes on, in the log as it is now.
func (s *shareShard) next(k share.Key, w partition.Waker) (at SharePlace) {
	e := s.entries[k]
	if e == nil {
		return at
	}
	at.Known = true
	if w != nil {
		if e.watchers == nil {
			e.watchers = map[partition.Waker]struct{}{}
		}
		e.watchers[w] = struct{}{}
	}
	if e.p == nil {
		return at
	}
	if log := s.logOf(k); log != nil {
		s.follow(k, e, log.Bounds())
	}
	at.Begun = true
	at.Offset, at.Ready = e.p.Next(s.opt.limits(k.Group))
	return at
}

// follow makes a share partition fit its log, whose start moves and which may
// have lost its end in a power cut. The offsets that were lost will be those of
// other records: these must not count as acknowledged.
func (s *shareShard) follow(k share.Key, e *shareEntry, b partition.Bounds) {
	if e.p.End() > b.LogEnd && e.p.Cut(b.LogEnd) {
		e.dirty = true
	}
	if e.dirty || e.p.Start() < b.LogStart {
		s.step(k, e, func() share.Change { return e.p.Advance(b.LogStart) })
	}
}

// prepare makes a share partition known, without a start: where a group begins is
// decided when it first reads, by the log and the group's config of that moment.
func (s *shareShard) prepare(k share.Key) int16 {
	if s.entries[k] != nil {
		return 0
	}
	return s.replace(k, &shareEntry{epoch: -1, createdMS: s.clock.Now().UnixMilli()})
}

// replace stores a new state of a share partition. The watchers stay.
func (s *shareShard) replace(k share.Key, e *shareEntry) int16 {
	if err := s.snapshot(k, e); err != nil {
		s.complain(k, err)
		return notStored
	}
	if old := s.entries[k]; old != nil {
		e.watchers = old.watchers
	}
	s.entries[k] = e
	e.tell()
	return 0
}

// begin gives a share partition its start. The first who asks decides.
func (s *shareShard) begin(k share.Key, start int64) int16 {
	e := s.entries[k]
	if e == nil {
		return kerr.UnknownTopicOrPartition.Code
	}
	if e.p != nil {
		return 0
	}
	begun := *e
	begun.p = share.New(start)
	return s.replace(k, &begun)
}

// reset begins anew at an offset. The epoch of the state tells tools that somebody
// did.
func (s *shareShard) reset(k share.Key, start int64) int16 {
	fresh := &shareEntry{epoch: -1, createdMS: s.clock.Now().UnixMilli(), p: share.New(start)}
	if e := s.entries[k]; e != nil {
		fresh.epoch, fresh.stateEpoch = e.epoch, e.stateEpoch+1
	}
	return s.replace(k, fresh)
}

// acquire gives records to a member. They may be less than were read, or none: who
// reads at the same time may have been faster.
func (s *shareShard) acquire(k share.Key, r *share.Request) (got []share.Delivery) {
	e := s.entries[k]
	if e == nil || e.p == nil {
		return nil
	}
	done := s.step(k, e, func() (c share.Change) {
		got, c = e.p.Acquire(s.clock.Now(), s.opt.limits(k.Group), r)
		return c
	})
	if !done {
		return nil
	}
	return got
}

func (s *shareShard) acknowledge(k share.Key, member string, acks []share.Acknowledgement) (err error) {
	e := s.entries[k]
	if e == nil || e.p == nil {
		return ErrUnknownShare
	}
	done := s.step(k, e, func() (c share.Change) {
		c, err = e.p.Acknowledge(s.clock.Now(), s.opt.limits(k.Group), member, acks)
		return c
	})
	if !done {
		return kerr.CoordinatorNotAvailable
	}
	return err
}

func (s *shareShard) summary(k share.Key) ShareSummary {
	e := s.entries[k]
	if e == nil {
		return ShareSummary{Start: -1}
	}
	sum := ShareSummary{Known: true, Start: -1, StateEpoch: e.stateEpoch}
	log := s.logOf(k)
	if log != nil {
		sum.LeaderEpoch = log.Epoch()
	}
	if e.p != nil {
		if log != nil {
			s.follow(k, e, log.Bounds())
		}
		sum.Start, sum.Done = e.p.Start(), e.p.Done()
	}
	return sum
}

// remove forgets share partitions. Their tombstones are pruned with the records
// before them.
func (s *shareShard) remove(which func(share.Key) bool) int16 {
	var records []share.Record
	var keys []share.Key
	for k := range s.entries {
		if which(k) {
			for _, snapshot := range []bool{true, false} {
				r := share.Stored{Key: k, Snapshot: snapshot, Deleted: true}
				records = append(records, r.Encode())
			}
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return 0
	}
	if _, err := s.append(records...); err != nil {
		s.complain(keys[0], err)
		return notStored
	}
	for _, k := range keys {
		s.entries[k].tell()
		delete(s.entries, k)
	}
	return 0
}

// tick takes back what members have kept for too long. That the disk fails does
// not leave it with them: it is stored later.
func (s *shareShard) tick() {
	now := s.clock.Now()
	s.wake = time.Time{}
	for k, e := range s.entries {
		if e.p == nil {
			continue
		}
		if next := e.p.NextDeadline(); !next.IsZero() && !next.After(now) {
			limits := s.opt.limits(k.Group)
			if !s.step(k, e, func() share.Change { return e.p.Expire(now, limits) }) {
				e.p.Expire(now, limits)
				e.dirty = true
				e.tell()
			}
		}
		s.plan(e.p.NextDeadline())
	}
}

// plan sets the timer to a deadline, unless there is an earlier one; zero is
// none.
func (s *shareShard) plan(at time.Time) {
	if at.IsZero() || !s.wake.IsZero() && !at.Before(s.wake) {
		return
	}
	s.wake = at
	s.timer.Reset(at.Sub(s.clock.Now()))
}

// stale is by how many records the topic may be longer than it needs to be.
const stale = 10_000

// prune drops the records before the oldest snapshot that is in use. Share
// partitions in which little happens would hold that up: they are stored again.
func (s *shareShard) prune() {
	s.remove(func(k share.Key) bool { return s.logOf(k) == nil }) // their topics are gone
	oldest := s.end
	for k, e := range s.entries {
		if e.at < s.end-stale {
			if err := s.snapshot(k, e); err != nil {
				s.complain(k, err)
				return
			}
		}
		oldest = min(oldest, e.at)
	}
	b := s.log.Bounds()
	if oldest = min(oldest, b.HighWatermark); oldest <= b.LogStart {
		return
	}
	if _, err := s.log.DeleteRecords(oldest); err != nil {
		s.opt.Log.Warn("the topic of share groups' state could not be pruned", "topic", catalog.ShareGroupState, "err", err)
	}
}
