package coord

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/txn"
)

// Inspector replays what an internal topic tells, to find what can't be read.
// It is for one partition, and not safe for concurrent use.
type Inspector struct {
	apply func(*batch.Header, batch.Record) error
	end   func(bad func(offset int64, err error)) // nil if nothing is left to say
}

// NewInspector returns an inspector for a partition of a topic; nil if the topic
// tells of no coordinator's state.
func NewInspector(topic string) *Inspector {
	switch topic {
	case catalog.ConsumerOffsets:
		in := &groupInspector{cfg: &group.Config{}, groups: map[string]*group.Group{}}
		return &Inspector{apply: in.apply}
	case catalog.TransactionState:
		m := txn.New(txn.Config{})
		return &Inspector{apply: func(_ *batch.Header, rec batch.Record) error {
			return m.Restore(txn.Record{Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value)})
		}}
	case catalog.ShareGroupState:
		in := &shareInspector{shares: map[share.Key]*inspectedShare{}}
		return &Inspector{in.apply, in.end}
	default:
		return nil
	}
}

// Batch replays a batch, and calls bad with each record that can't be read.
func (in *Inspector) Batch(b []byte, h *batch.Header, bad func(offset int64, err error)) {
	if h.Attributes.Has(batch.Control) {
		return
	}
	for rec, err := range batch.All(b) {
		if err == nil {
			err = in.apply(h, rec)
		}
		if err != nil {
			bad(h.BaseOffset+int64(rec.OffsetDelta), err)
		}
	}
}

// End calls bad with what only shows when all has been replayed.
func (in *Inspector) End(bad func(offset int64, err error)) {
	if in.end != nil {
		in.end(bad)
	}
}

// ErrNoSnapshot is the error for what was told of a share partition after a
// snapshot that isn't there.
var ErrNoSnapshot = errors.New("the snapshot before it is missing")

// shareInspector replays share partitions.
type shareInspector struct {
	shares map[share.Key]*inspectedShare
}

// inspectedShare is what was found of a share partition.
type inspectedShare struct {
	known bool             // there was a snapshot
	epoch int32            // of the last snapshot
	p     *share.Partition // nil if its start isn't decided
	// The first update without a snapshot; -1 is none. Updates outlive their
	// snapshots when the topic is pruned: another snapshot follows then.
	stray int64
}

func (in *shareInspector) apply(h *batch.Header, rec batch.Record) error {
	r, ok, err := share.Decode(share.Record{Key: rec.Key, Value: bytes.Clone(rec.Value)})
	if err != nil || !ok {
		return err
	}
	s := in.shares[r.Key]
	if s == nil {
		s = &inspectedShare{stray: -1}
		in.shares[r.Key] = s
	}
	switch {
	case r.Deleted:
		delete(in.shares, r.Key)
	case r.Snapshot:
		if *s = (inspectedShare{known: true, epoch: r.Epoch, stray: -1}); r.Start >= 0 {
			s.p = share.Load(r.Start, r.Batches)
		}
	case s.known && s.epoch == r.Epoch && s.p != nil:
		s.p.Replay(r.Change)
	case s.stray < 0:
		s.stray = h.BaseOffset + int64(rec.OffsetDelta)
	}
	return nil
}

func (in *shareInspector) end(bad func(offset int64, err error)) {
	strays := map[int64]share.Key{}
	for k, s := range in.shares {
		if s.stray >= 0 {
			strays[s.stray] = k
		}
	}
	for _, offset := range slices.Sorted(maps.Keys(strays)) {
		bad(offset, fmt.Errorf("%s: %w", strays[offset].CoordinatorKey(), ErrNoSnapshot))
	}
}

// groupInspector replays groups.
type groupInspector struct {
	cfg    *group.Config
	groups map[string]*group.Group
}

func (in *groupInspector) apply(h *batch.Header, rec batch.Record) error {
	r := group.Record{Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value)}
	at := group.Place{Offset: h.BaseOffset + int64(rec.OffsetDelta), Producer: group.NoTxn}
	if h.Attributes.Has(batch.Transactional) {
		at.Producer = h.ProducerID
	}
	id, t, ok, err := group.GroupOf(r)
	if !ok || err != nil {
		return err
	}
	now := time.UnixMilli(h.MaxTimestamp)
	g := in.groups[id]
	if g == nil {
		g = group.New(id, in.cfg, now)
		in.groups[id] = g
	}
	if k, _ := t.Kind(); k != group.Classic && k != g.Kind() && r.Value != nil {
		if m := newMembership(k, id); m != nil {
			g.Become(m, now)
		}
	}
	return g.Restore(now, r, at)
}
