package coord

import (
	"errors"
	"log/slog"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/internal/clock"
)

// ShareOptions configures the coordinators of share partitions. All fields are
// required.
type ShareOptions struct {
	Catalog *catalog.Catalog
	Clock   clock.Clock
	Log     *slog.Logger
}

// limits are those of a group.
func (o *ShareOptions) limits(group string) share.Limits {
	g := o.Catalog.GroupConfig(group)
	return share.Limits{Records: g.ShareRecordLocks, Deliveries: int16(g.ShareDeliveryLimit), Lock: g.ShareRecordLock, Renewal: g.ShareRenewal}
}

// Shares runs the coordinators of all share partitions. It is safe for
// concurrent use.
type Shares struct {
	sharded[*shareShard]
}

// StartShares starts the coordinators and replays their share partitions.
// Without a topic of share groups' state there is nothing to start: the first
// request for one creates it.
func StartShares(o ShareOptions) (*Shares, error) {
	c := &Shares{sharded: sharded[*shareShard]{
		catalog: o.Catalog, topic: catalog.ShareGroupState, compression: "uncompressed",
		open: func(log *partition.Log) *shareShard { return newShareShard(o, log) },
	}}
	if err := c.resume(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// SharePlace is where a share partition goes on.
type SharePlace struct {
	// Known says that a group has the partition, and Begun that its start has
	// been decided.
	Known, Begun bool
	// Offset is where a read finds what may be delivered. Ready is false if
	// nothing may be now.
	Offset int64
	Ready  bool
}

// ShareSummary is what there is to know of a share partition from outside.
type ShareSummary struct {
	Known       bool
	Start       int64 // -1 as long as it isn't decided
	Done        int64 // offsets from there on that are done
	StateEpoch  int32
	LeaderEpoch int32
}

// shareCall lets the shard of a share partition do something.
func shareCall[T any](c *Shares, k share.Key, do func(s *shareShard, out *Future[T])) (*Future[T], error) {
	s, err := c.of(k.CoordinatorKey())
	if err != nil {
		return nil, err
	}
	return send(s.inbox, s.gone, func(out *Future[T]) { do(s, out) }), nil
}

// Next says where a share partition goes on. A waker that isn't nil is told,
// until Unwatch, each time that more may be delivered than before.
func (c *Shares) Next(k share.Key, w partition.Waker) (*Future[SharePlace], error) {
	return shareCall(c, k, func(s *shareShard, out *Future[SharePlace]) {
		out.resolveAt(&s.journal, 0, s.next(k, w))
	})
}

// Unwatch ends what Next began.
func (c *Shares) Unwatch(k share.Key, w partition.Waker) {
	_, _ = shareCall(c, k, func(s *shareShard, out *Future[bool]) {
		if e := s.entries[k]; e != nil {
			delete(e.watchers, w)
		}
		out.resolveAt(&s.journal, 0, true)
	})
}

// Prepare makes share partitions known, without deciding their start.
func (c *Shares) Prepare(k share.Key) (*Future[int16], error) {
	return shareCall(c, k, func(s *shareShard, out *Future[int16]) { out.resolve(&s.journal, s.prepare(k)) })
}

// Begin decides the start of a share partition that has none.
func (c *Shares) Begin(k share.Key, start int64) (*Future[int16], error) {
	return shareCall(c, k, func(s *shareShard, out *Future[int16]) { out.resolve(&s.journal, s.begin(k, start)) })
}

// Reset lets a share partition begin again at an offset, whatever became of its
// records.
func (c *Shares) Reset(k share.Key, start int64) (*Future[int16], error) {
	return shareCall(c, k, func(s *shareShard, out *Future[int16]) { out.resolve(&s.journal, s.reset(k, start)) })
}

// Acquire gives records to a member.
func (c *Shares) Acquire(k share.Key, r *share.Request) (*Future[[]share.Delivery], error) {
	return shareCall(c, k, func(s *shareShard, out *Future[[]share.Delivery]) {
		// What was delivered is nothing that is stored.
		out.resolveAt(&s.journal, 0, s.acquire(k, r))
	})
}

// Acknowledge takes what a member says of its records. The answer is an error of
// package share, or nil.
func (c *Shares) Acknowledge(k share.Key, member string, acks []share.Acknowledgement) (*Future[error], error) {
	return shareCall(c, k, func(s *shareShard, out *Future[error]) {
		out.resolve(&s.journal, s.acknowledge(k, member, acks))
	})
}

// Release takes from a member what it has of a share partition.
func (c *Shares) Release(k share.Key, member string) (*Future[bool], error) {
	return shareCall(c, k, func(s *shareShard, out *Future[bool]) {
		if e := s.entries[k]; e != nil && e.p != nil {
			s.step(k, e, func() share.Change { return e.p.ReleaseAll(member, s.opt.limits(k.Group)) })
		}
		out.resolveAt(&s.journal, 0, true)
	})
}

// Summary tells of a share partition.
func (c *Shares) Summary(k share.Key) (*Future[ShareSummary], error) {
	return shareCall(c, k, func(s *shareShard, out *Future[ShareSummary]) {
		out.resolve(&s.journal, s.summary(k))
	})
}

// Delete forgets the share partitions that which accepts, if there are any.
func (c *Shares) Delete(which func(share.Key) bool) []*Future[int16] {
	var list []*Future[int16]
	for _, s := range c.all() {
		list = append(list, send(s.inbox, s.gone, func(out *Future[int16]) {
			out.resolve(&s.journal, s.remove(which))
		}))
	}
	return list
}

// Prune drops from the topic what later records have made useless.
func (c *Shares) Prune() []*Future[struct{}] {
	var list []*Future[struct{}]
	for _, s := range c.all() {
		list = append(list, send(s.inbox, s.gone, func(out *Future[struct{}]) {
			s.prune()
			out.resolveAt(&s.journal, 0, struct{}{})
		}))
	}
	return list
}
