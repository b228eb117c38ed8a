package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/topic"
)

// Reset says where to begin a partition of which nothing was committed, or of
// which what was committed is gone.
type Reset uint8

// The resets.
const (
	Earliest Reset = iota // at the first record there is
	Latest                // at the end: only what is written from now on
)

func (r Reset) kgo() kgo.Offset {
	if r == Latest {
		return kgo.NewOffset().AtEnd()
	}
	return kgo.NewOffset().AtStart()
}

// Assigned is a partition that the member was given.
type Assigned struct {
	record.TopicPartition
	Committed // its Offset is -1 if nothing was committed
	// Position is the first offset that will be fetched: what was committed,
	// or where Reset says. If that has been deleted by now it will be later.
	Position int64
}

// GroupConfig says how to be a member of a group. Group, Topics and Assign are
// required.
//
// OnAssigned, OnRevoked and OnLost are called one at a time, by a goroutine of the client's,
// and never while a Poll that brought records hasn't been followed by Release.
// They must not call Poll or Close. Commit may be called in Revoked.
type GroupConfig struct {
	Group  string
	Topics []string
	Assign AssignFunc
	// UserData is what the leader is told about this member; called at every
	// rebalance.
	UserData func() []byte
	Reset    Reset
	// Starts says where to begin topics for which Reset isn't right. Committed
	// counts as Earliest: whoever wants to know sees it in Assigned.
	Starts map[string]topic.Start

	// OnAssigned is told of partitions before the first record of them can be
	// polled, with what was committed. It should return soon, as the member
	// can't join the next rebalance before.
	OnAssigned func([]Assigned)
	// OnRevoked is told of partitions that are to be given up: they are given
	// to others after it has returned. It may take up to the rebalance timeout.
	OnRevoked func([]record.TopicPartition)
	// OnLost is told of partitions that others may have already. Nothing can
	// be committed for them.
	OnLost func([]record.TopicPartition)
	// OnLapsed is called as soon as it is known that all partitions are lost,
	// which OnLost can only say at the end of the rebalance. What others may
	// have done since must not be overwritten. It should return at once.
	// Optional.
	OnLapsed func()
	// OnWanted is called from a goroutine of its own when a rebalance waits
	// for Release. Optional.
	OnWanted func()

	// SessionTimeout is after how long without a heartbeat the member is taken
	// for dead; 0 means 45 s. HeartbeatInterval 0 means a tenth of that, at
	// most 3 s. RebalanceTimeout is how long it may take to finish and commit
	// when a rebalance begins; 0 means 60 s.
	SessionTimeout    time.Duration
	HeartbeatInterval time.Duration
	RebalanceTimeout  time.Duration
}

// Group is a member of a group. Poll, Release and Close are called by one
// goroutine; Commit, Pause, Resume and Recycle by any.
type Group struct {
	k     *kgo.Client
	cfg   GroupConfig
	iso   Isolation
	clock clock.Clock
	pool  pool
	ready chan struct{}      // closed when k is set
	abort context.CancelFunc // ends all requests of k

	mu        sync.Mutex
	has       map[record.TopicPartition]string    // announced by OnAssigned, not taken back: as which member
	committed map[record.TopicPartition]Committed // of those to be announced
	renounced bool                                // to be lost at the next rebalance
}

// Join makes a member; it joins the group in the background, and for as long
// as no broker is there it goes on trying. The first Poll may be called at once.
func Join(cfg Config, gc GroupConfig) (*Group, error) {
	if gc.Group == "" || len(gc.Topics) == 0 || gc.Assign == nil {
		return nil, errors.New("client: a group member needs a group, topics and an assign function")
	}
	g := &Group{
		cfg:       gc,
		iso:       cfg.Isolation,
		clock:     clock.Or(cfg.Clock),
		ready:     make(chan struct{}),
		has:       make(map[record.TopicPartition]string),
		committed: make(map[record.TopicPartition]Committed),
	}
	session := or(gc.SessionTimeout, 45*time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	g.abort = cancel
	var err error
	g.k, err = cfg.open(
		kgo.WithContext(ctx),
		kgo.ConsumerGroup(gc.Group),
		kgo.ConsumeTopics(gc.Topics...),
		kgo.Balancers(&balancer{userData: gc.UserData, assign: gc.Assign, lapsed: g.lapsed, onLapsed: gc.OnLapsed}),
		kgo.SessionTimeout(session),
		kgo.HeartbeatInterval(or(gc.HeartbeatInterval, min(session/10, 3*time.Second))),
		kgo.RebalanceTimeout(or(gc.RebalanceTimeout, 60*time.Second)),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(gc.Reset.kgo()),
		kgo.KeepControlRecords(),
		kgo.WithPools(&g.pool),
		kgo.FetchMaxPartitionBytes(or(cfg.FetchBytes, 1<<20)),
		kgo.OnOffsetsFetched(g.fetched),
		kgo.AdjustFetchOffsetsFn(g.begin),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, tps map[string][]int32) { g.gone(tps, gc.OnRevoked) }),
		kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) { g.lost() }),
		kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) {
			if gc.OnWanted != nil {
				gc.OnWanted()
			}
		}),
	)
	if err != nil {
		cancel()
		return nil, err
	}
	close(g.ready)
	return g, nil
}

// fetched is called with what was committed for newly assigned partitions; and
// again for the same ones when a rebalance came in between.
func (g *Group) fetched(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.committed)
	for _, group := range resp.Groups {
		for _, t := range group.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					continue
				}
				c := Committed{Offset: p.Offset, LeaderEpoch: p.LeaderEpoch}
				if p.Metadata != nil {
					c.Metadata = *p.Metadata
				}
				g.committed[record.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = c
			}
		}
	}
	return nil
}

// begin is called after fetched, with where the library is going to begin. It
// settles that for partitions without a commit, and it is the first time that
// all is known about the new partitions, so it announces them.
func (g *Group) begin(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	<-g.ready // the library may get here before it has returned from open
	at, err := g.resolve(ctx, offsets)
	if err != nil {
		return nil, err // the library joins again
	}
	member := g.Member()
	var news []Assigned
	g.mu.Lock()
	for name, partitions := range offsets {
		for p, o := range partitions {
			tp := record.TopicPartition{Topic: name, Partition: p}
			position := o.EpochOffset().Offset
			if resolved, ok := at[tp]; ok {
				position = resolved
				partitions[p] = kgo.NewOffset().At(resolved)
			}
			if _, ok := g.has[tp]; ok {
				continue
			}
			g.has[tp] = member
			c, ok := g.committed[tp]
			if !ok {
				c = Committed{Offset: -1, LeaderEpoch: -1}
			}
			news = append(news, Assigned{tp, c, position})
		}
	}
	g.mu.Unlock()
	if len(news) > 0 && g.cfg.OnAssigned != nil {
		slices.SortFunc(news, func(a, b Assigned) int { return compare(a.TopicPartition, b.TopicPartition) })
		g.cfg.OnAssigned(news)
	}
	return offsets, nil
}

// resolve asks for the offsets at which to begin what wasn't committed.
func (g *Group) resolve(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[record.TopicPartition]int64, error) {
	var open []record.TopicPartition
	for name, partitions := range offsets {
		for p, o := range partitions {
			if o.EpochOffset().Offset < 0 {
				open = append(open, record.TopicPartition{Topic: name, Partition: p})
			}
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	a := Admin{k: g.k, iso: g.iso, clock: g.clock}
	at := make(map[record.TopicPartition]int64, len(open))
	for start, tps := range g.byStart(open) {
		var found map[record.TopicPartition]int64
		var err error
		switch start.From {
		case topic.Latest:
			found, err = a.Ends(ctx, tps)
		case topic.Back:
			found, err = a.Since(ctx, tps, g.clock.Now().Add(-start.Back).UnixMilli())
		default:
			found, err = a.Starts(ctx, tps)
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(at, found)
	}
	return at, nil
}

// byStart groups partitions by where they begin.
func (g *Group) byStart(tps []record.TopicPartition) map[topic.Start][]record.TopicPartition {
	out := make(map[topic.Start][]record.TopicPartition)
	for _, tp := range tps {
		start, ok := g.cfg.Starts[tp.Topic]
		if !ok && g.cfg.Reset == Latest {
			start.From = topic.Latest
		}
		out[start] = append(out[start], tp)
	}
	return out
}

// gone tells of partitions to be given up, of those that were announced. They
// are held until that is done, as they may be committed until then.
func (g *Group) gone(tps map[string][]int32, tell func([]record.TopicPartition)) {
	var had []record.TopicPartition
	g.mu.Lock()
	for _, tp := range flatten(tps) {
		if _, ok := g.has[tp]; ok {
			had = append(had, tp)
		}
	}
	g.mu.Unlock()
	if len(had) == 0 {
		return
	}
	if tell != nil {
		tell(had)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, tp := range had {
		delete(g.has, tp)
	}
}

// lost tells that nothing is held any more.
func (g *Group) lost() {
	g.mu.Lock()
	had := slices.SortedFunc(maps.Keys(g.has), compare)
	clear(g.has)
	g.renounced = false
	g.mu.Unlock()
	if len(had) > 0 && g.cfg.OnLost != nil {
		g.cfg.OnLost(had)
	}
}

// Poll waits for records, at most limit of them (0: no limit), and appends what
// it got to batches. No partition is given up between a Poll that brought
// something and the next Release. The error is that of ctx, ErrClosed, or of a
// partition that can't be read any further, a *PartitionError: then batches has
// what was read of others.
func (g *Group) Poll(ctx context.Context, limit int, batches []Batch) ([]Batch, error) {
	return poll(ctx, g.k, &g.pool, limit, batches)
}

// Release lets a rebalance take place, if one waits. Call it when what Poll
// brought is where the callbacks will find it.
func (g *Group) Release() { g.k.AllowRebalance() }

// Recycle takes back the slice of a batch. Nobody may use it any more.
func (g *Group) Recycle(recs []record.Record) { g.pool.put(recs) }

// Pause stops fetching partitions. What was fetched of them already is dropped,
// and fetched again after Resume.
func (g *Group) Pause(tps []record.TopicPartition) {
	if len(tps) > 0 {
		g.k.PauseFetchPartitions(nest(tps))
	}
}

// Resume undoes Pause.
func (g *Group) Resume(tps []record.TopicPartition) {
	if len(tps) > 0 {
		g.k.ResumeFetchPartitions(nest(tps))
	}
}

// Offset is what to commit of a partition.
type Offset struct {
	record.TopicPartition
	Next        int64 // the next offset to be read
	LeaderEpoch int32 // of the last record read, -1 if unknown
	Metadata    string
}

// Commit stores offsets for the group, all in one request, and waits for the
// answer; during a rebalance it waits for the end of that. Errors that may pass
// are retried for as long as ctx allows. The error is ErrFenced where the
// partitions belong to others by now, and then nothing was stored, else
// ErrRebalancing or a *PartitionError. Of several errors the first is returned,
// and what there was no error for is stored.
func (g *Group) Commit(ctx context.Context, offsets []Offset) error {
	if len(offsets) == 0 {
		return nil
	}
	next := make(map[string]map[int32]kgo.EpochOffset)
	meta := make(map[record.TopicPartition]string, len(offsets))
	for _, o := range offsets {
		if next[o.Topic] == nil {
			next[o.Topic] = make(map[int32]kgo.EpochOffset)
		}
		next[o.Topic][o.Partition] = kgo.EpochOffset{Epoch: o.LeaderEpoch, Offset: o.Next}
		meta[o.TopicPartition] = o.Metadata
	}
	var failure error
	g.k.CommitOffsetsSync(g.beforeCommit(ctx, meta), next, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err == nil {
			err = firstFailure(resp)
		}
		failure = err
	})
	if failure != nil {
		return fmt.Errorf("client: group %s: commit of %d partitions: %w", g.cfg.Group, len(offsets), commitError(failure))
	}
	return nil
}

func firstFailure(resp *kmsg.OffsetCommitResponse) error {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return &PartitionError{record.TopicPartition{Topic: t.Topic, Partition: p.Partition}, "commit", err}
			}
		}
	}
	return nil
}

// Close leaves the group at once, so that others can take over without waiting
// for the session to time out, and closes the connections. The partitions are
// given up by OnRevoked first. ctx limits the time for leaving.
func (g *Group) Close(ctx context.Context) error {
	g.k.AllowRebalance()
	err := g.k.LeaveGroupContext(ctx)
	g.abort() // or closing would try to leave once more
	g.k.CloseAllowingRebalance()
	g.k.AllowRebalance() // a goroutine of a leave that was given up may have come later
	if err != nil {
		return fmt.Errorf("client: leave group %s: %w", g.cfg.Group, closedError(err))
	}
	return nil
}

// Generation is the generation of the group that the member is in, -1 if none.
func (g *Group) Generation() int32 {
	_, generation := g.k.GroupMetadata()
	return generation
}
