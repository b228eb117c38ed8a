package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/settings"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/wire"
)

// shareFetched is what a ShareFetch request has found so far.
//
// It asks the coordinator of each share partition where that goes on, reads the log
// there, and asks for what it has read. Nothing is locked meanwhile: of two members
// that read the same, one gets it and the other comes back. Reading is done here and
// not by the coordinator, which would keep all its share partitions waiting for a
// disk.
type shareFetched struct {
	s     *Server
	req   *wire.Request
	group string
	// How much the member takes.
	member    string
	mode      share.Mode
	records   int
	batchSize int
	minBytes  int
	maxBytes  int
	committed bool

	parts []sharePart
	wake  wake
}

// sharePart is one share partition of a ShareFetch request.
type sharePart struct {
	share.TopicPartition
	topic    *catalog.Topic
	log      *partition.Log
	code     int16
	offset   int64
	ready    bool // something may be delivered
	acquired []share.Delivery
	data     []byte
	waiter   partition.Waiter
}

func (p *sharePart) key(group string) share.Key {
	return share.Key{Group: group, Topic: p.Topic, Partition: p.Partition}
}

// plan finds the logs of the partitions. Each request begins with another one,
// so that none starves.
func (f *shareFetched) plan(todo share.Fetching) {
	img := f.s.Catalog.Image()
	n := len(todo.Parts)
	for i := range n {
		tp := todo.Parts[(i+int(todo.Epoch))%n]
		p := sharePart{TopicPartition: tp, topic: img.TopicByID(tp.Topic)}
		p.log = p.topic.Log(tp.Partition)
		switch {
		case p.topic == nil:
			p.code = kerr.UnknownTopicID.Code
		case !f.s.mayTopic(f.req, toRead, p.topic.Name):
			p.code = topicDenied
		case p.log == nil:
			p.code = kerr.UnknownTopicOrPartition.Code
		}
		f.parts = append(f.parts, p)
	}
}

// find looks where each share partition goes on, and reports whether there is
// enough to answer with. An error of a partition is enough: its member has to learn
// of it.
func (f *shareFetched) find(ctx context.Context, w partition.Waker) (enough bool, err error) {
	total, failed := 0, false
	for i := range f.parts {
		p := &f.parts[i]
		if p.code == 0 {
			if p.code, err = f.next(ctx, p, w); err != nil {
				return false, err
			}
		}
		failed = failed || p.code != 0
		if p.code == 0 && p.ready {
			n := p.log.Available(p.offset)
			if f.committed {
				n = p.log.AvailableCommitted(p.offset)
			}
			p.ready = n > 0
			total += n
		}
	}
	return failed || total >= max(f.minBytes, 1), nil
}

// next asks where a share partition goes on, and decides where it begins if it
// is the first to ask. The error is ctx's.
func (f *shareFetched) next(ctx context.Context, p *sharePart, w partition.Waker) (code int16, err error) {
	k := p.key(f.group)
	for range 3 {
		ask, err := f.s.Shares.Next(k, w)
		at, code, err := awaitCoord(ctx, f.s, ask, err)
		if code != 0 || err != nil {
			return code, err
		}
		if !at.Known {
			if code, err := f.prepare(ctx, p); code != 0 || err != nil {
				return code, err
			}
			continue
		}
		if at.Begun {
			p.offset, p.ready = at.Offset, at.Ready
			return 0, nil
		}
		start, err := f.s.shareStart(f.group, p.log)
		if err != nil {
			return f.s.logCode(err, p.topic.Name, p.Partition), nil
		}
		begin, err := f.s.Shares.Begin(k, start)
		if stored, code, err := awaitCoord(ctx, f.s, begin, err); err != nil || code != 0 || stored != 0 {
			return cmp.Or(code, stored), err
		}
	}
	return kerr.CoordinatorNotAvailable.Code, nil
}

// prepare makes a share partition known that its group has, which is so unless the
// broker ended between the two. Who isn't told of a partition may not fetch from
// it. The error is ctx's.
func (f *shareFetched) prepare(ctx context.Context, p *sharePart) (int16, error) {
	shared, code, err := f.s.sharedBy(ctx, f.group)
	switch {
	case code != 0 || err != nil:
		return code, err
	case !shared.Has(p.Topic, p.Partition):
		return kerr.NotLeaderForPartition.Code, nil
	}
	ask, err := f.s.Shares.Prepare(p.key(f.group))
	stored, code, err := awaitCoord(ctx, f.s, ask, err)
	return cmp.Or(code, stored), err
}

// shareStart is where a group begins to read a partition that it hasn't read.
func (s *Server) shareStart(group string, log *partition.Log) (int64, error) {
	b := log.Bounds()
	reset, ok := settings.ParseOffsetReset(s.Catalog.GroupConfig(group).ShareOffsetReset)
	switch {
	case reset.Earliest:
		return b.LogStart, nil
	case !ok || !reset.By:
		return b.HighWatermark, nil
	}
	offset, _, found, err := log.OffsetForTime(s.Clock.Now().Add(-reset.Ago).UnixMilli())
	if err != nil || !found {
		return b.HighWatermark, err
	}
	return offset, nil
}

// wait waits until there is enough to answer, or the client's time is up.
func (f *shareFetched) wait(ctx context.Context, maxWaitMS int32) error {
	enough, err := f.find(ctx, nil)
	if err != nil || enough || maxWaitMS <= 0 || len(f.parts) == 0 {
		return err
	}
	f.wake.enough = make(chan struct{}, 1)
	for i := range f.parts {
		p := &f.parts[i]
		p.waiter.Waker = &f.wake
		p.log.Notify(&p.waiter)
	}
	defer func() {
		for i := range f.parts {
			p := &f.parts[i]
			p.log.Cancel(&p.waiter)
			f.s.Shares.Unwatch(p.key(f.group), &f.wake)
		}
	}()
	timer := f.s.Clock.NewTimer(millis(maxWaitMS))
	defer timer.Stop()
	for {
		// Whatever comes after this wakes the select below.
		if enough, err := f.find(ctx, &f.wake); err != nil || enough {
			return err
		}
		select {
		case <-f.wake.enough:
		case <-timer.C():
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// acquire reads what may be delivered and gives it to the member. The error is
// ctx's.
func (f *shareFetched) acquire(ctx context.Context) error {
	left, minimum := min(f.maxBytes, maxFetchBytes), partition.AtLeastOne
	for i := range f.parts {
		p := &f.parts[i]
		if p.code != 0 || !p.ready || f.records <= 0 {
			continue
		}
		read := p.log.Read
		if f.committed {
			read = p.log.ReadCommitted
		}
		res, err := read(nil, p.offset, max(left/(len(f.parts)-i), 0), minimum)
		if err != nil {
			p.code = f.s.logCode(err, p.topic.Name, p.Partition)
			continue
		}
		err = f.take(ctx, p, &res)
		res.Release()
		if err != nil {
			return err
		}
		if left -= len(p.data); len(p.data) > 0 {
			minimum = partition.NoMinimum
		}
	}
	return nil
}

// take acquires what was read of a partition.
func (f *shareFetched) take(ctx context.Context, p *sharePart, res *partition.ReadResult) error {
	walk, err := walkBatches(res)
	if err != nil {
		p.code = f.s.logCode(err, p.topic.Name, p.Partition)
		return nil
	}
	if len(walk.batches) == 0 {
		return nil
	}
	ask, err := f.s.Shares.Acquire(p.key(f.group), &share.Request{
		Member: f.member, Mode: f.mode, Records: f.records, BatchSize: f.batchSize,
		Offset: p.offset, Batches: walk.batches, Aborted: walk.aborted,
	})
	got, code, err := awaitCoord(ctx, f.s, ask, err)
	if err != nil || code != 0 {
		p.code = code
		return err
	}
	p.acquired = got
	for _, d := range got {
		f.records -= int(d.Last - d.First + 1)
	}
	// Batches that have nothing for the member are left out.
	for i, b := range walk.batches {
		if slices.ContainsFunc(got, func(d share.Delivery) bool { return d.First <= b.Last && b.First <= d.Last }) {
			p.data = append(p.data, walk.data[i]...)
		}
	}
	return nil
}

// batchWalk is the batches of a read.
type batchWalk struct {
	batches []share.Range
	data    [][]byte
	aborted []share.Range
}

// walkBatches cuts a read into batches, and tells which of them belong to aborted
// transactions.
func walkBatches(res *partition.ReadResult) (w batchWalk, err error) {
	ahead := slices.Clone(res.Aborted)
	slices.SortFunc(ahead, func(a, b partition.Aborted) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	open := map[int64]bool{} // producers of which an aborted transaction goes on
	for _, rest := range res.Data {
		for len(rest) > 0 {
			h, first, tail, err := batch.Cut(rest)
			if err != nil {
				return w, err
			}
			rest = tail
			r := share.Range{First: h.BaseOffset, Last: h.LastOffset()}
			w.batches, w.data = append(w.batches, r), append(w.data, first)
			for len(ahead) > 0 && ahead[0].FirstOffset <= r.Last {
				open[ahead[0].ProducerID] = true
				ahead = ahead[1:]
			}
			if !open[h.ProducerID] || !h.Attributes.Has(batch.Transactional) {
				continue
			}
			if !h.Attributes.Has(batch.Control) {
				w.aborted = append(w.aborted, r)
			} else if m, ok, err := batch.ParseMarker(first); err == nil && ok && m.Outcome == batch.Abort {
				delete(open, h.ProducerID)
			}
		}
	}
	return w, nil
}
