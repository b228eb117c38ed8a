package coord

import (
	"bytes"
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
}

// NewInspector returns an inspector for a partition of a topic; nil if the topic
// tells of no coordinator's state.
func NewInspector(topic string) *Inspector {
	switch topic {
	case catalog.ConsumerOffsets:
		in := &groupInspector{cfg: &group.Config{}, groups: map[string]*group.Group{}}
		return &Inspector{in.apply}
	case catalog.TransactionState:
		m := txn.New(txn.Config{})
		return &Inspector{func(_ *batch.Header, rec batch.Record) error {
			return m.Restore(txn.Record{Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value)})
		}}
	case catalog.ShareGroupState:
		return &Inspector{func(_ *batch.Header, rec batch.Record) error {
			if rec.Value == nil {
				return nil
			}
			_, _, err := share.Decode(share.Record{Key: rec.Key, Value: rec.Value})
			return err
		}}
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
