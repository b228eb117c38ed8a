package api

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/quota"
	"github.com/leatstream/leat/broker/internal/wire"
)

// Fetch, v4-18: read batches of some partitions, waiting for at least
// min_bytes of them if need be.
//
// A batch is returned whole if it holds the offset asked for. The first
// partition that has anything returns at least one batch, whatever the limits
// say. What a client has named in a session it needn't name again.
//
// v5: log start offset
// v7: sessions
// v9: current leader epoch of the client
// v11: rack
// v12: flexible; diverging epoch, for a client that saw records which a power
// cut has taken back
// v13: topic ids instead of names
// v14-18: fields for followers and tiered storage
func (s *Server) fetch(req *wire.Request, r *kmsg.FetchRequest) wire.Reply {
	f := &fetched{version: r.Version, committed: r.IsolationLevel == readCommitted}
	session, code := s.fetches.enter(r, s.Clock.Now())
	if f.code = code; code != 0 {
		return ready(f)
	}
	topics := r.Topics
	if session != nil {
		f.session, f.first, topics = session.id, session.first, session.topics
	}
	f.plan(s, req, r.Version, topics)
	return await(func(ctx context.Context) (wire.Response, error) {
		if session != nil {
			defer s.fetches.leave(session)
		}
		if err := f.wait(ctx, s, r); err != nil {
			return nil, err
		}
		if err := s.readers.within(ctx, func() { f.read(s, s.fetchBytes(req, r.MaxBytes)) }); err != nil {
			return nil, err
		}
		var granted bool
		if f.throttle, granted = s.grant(req, quota.FetchRate, float64(f.size())); !granted {
			// An answer without partitions, which clients know (KIP-219): what was
			// read is fetched again when its time has come.
			f.Release()
			f.topics = nil
			return f, nil
		}
		switch {
		case session != nil:
			session.answer(f)
		case r.SessionEpoch == 0 && r.Version >= 7:
			f.session = s.fetches.begin(ctx, r, f, s.Clock.Now())
		}
		return f, nil
	})
}

// fetched is what a Fetch request found; it encodes itself.
type fetched struct {
	version int16
	code    int16
	// Isolation: nothing of open transactions, and which were aborted.
	committed bool
	throttle  time.Duration
	topics    []fetchedTopic

	session int32             // its id; 0 is none
	first   place             // where to begin, so that all have their turn
	latest  *fetchedPartition // the last to have had records
}

// SetThrottle has the client wait for at least so long.
func (f *fetched) SetThrottle(ms int32) { f.throttle = max(f.throttle, millis(ms)) }

// Mute leaves a client unread that has fetched more than its quota.
func (f *fetched) Mute() time.Duration { return f.throttle }

type fetchedTopic struct {
	name       string
	id         catalog.ID
	partitions []fetchedPartition
}

type fetchedPartition struct {
	topic    string // for the operator
	index    int32
	log      *partition.Log
	offset   int64
	maxBytes int

	code          int16
	diverged      bool // and where, in terms of the log's own epochs
	divergedEpoch int32
	divergedEnd   int64
	result        partition.ReadResult
	waiter        partition.Waiter
}

// plan finds the logs of the request's partitions.
func (f *fetched) plan(s *Server, req *wire.Request, version int16, topics []kmsg.FetchRequestTopic) {
	img := s.Catalog.Image()
	f.topics = make([]fetchedTopic, len(topics))
	for i, rt := range topics {
		t, code := img.Topic(rt.Topic), kerr.UnknownTopicOrPartition.Code
		if version >= 13 {
			t, code = img.TopicByID(rt.TopicID), kerr.UnknownTopicID.Code
		}
		ft := &f.topics[i]
		ft.name, ft.id = rt.Topic, rt.TopicID
		denied := !s.mayTopicOr(req, toRead, t, rt.Topic)
		ft.partitions = make([]fetchedPartition, len(rt.Partitions))
		for j, rp := range rt.Partitions {
			p := &ft.partitions[j]
			p.index, p.offset, p.maxBytes = rp.Partition, rp.FetchOffset, int(rp.PartitionMaxBytes)
			if p.log = t.Log(rp.Partition); t != nil {
				p.topic = t.Name
			}
			switch {
			case denied:
				p.code = topicDenied
			case t == nil:
				p.code = code
			case p.log == nil:
				p.code = kerr.UnknownTopicOrPartition.Code
			default:
				p.checkEpochs(rp)
			}
		}
	}
}

// size is the number of bytes of records that were found.
func (f *fetched) size() (n int) {
	for i := range f.topics {
		for j := range f.topics[i].partitions {
			n += f.topics[i].partitions[j].result.Size
		}
	}
	return n
}

// checkEpochs compares the client's idea of the log's history with the log's.
func (p *fetchedPartition) checkEpochs(rp kmsg.FetchRequestTopicPartition) {
	if p.code = checkLeaderEpoch(p.log, rp.CurrentLeaderEpoch); p.code != 0 {
		return
	}
	if rp.LastFetchedEpoch < 0 {
		return
	}
	epoch, end := p.log.EpochEnd(rp.LastFetchedEpoch)
	if epoch >= 0 && (epoch < rp.LastFetchedEpoch || end < rp.FetchOffset) {
		p.diverged, p.divergedEpoch, p.divergedEnd = true, epoch, end
	}
}

// checkLeaderEpoch returns the error code for a client that believes the
// leader to be of another epoch; -1 is no belief.
func checkLeaderEpoch(log *partition.Log, epoch int32) int16 {
	switch current := log.Epoch(); {
	case epoch < 0 || epoch == current:
		return 0
	case epoch < current:
		return kerr.FencedLeaderEpoch.Code
	default:
		return kerr.UnknownLeaderEpoch.Code
	}
}

// each calls do for every partition that can be read until it returns false.
func (f *fetched) each(do func(*fetchedPartition) bool) {
	_ = f.between(f.first, place{len(f.topics), 0}, do) && f.between(place{}, f.first, do)
}

// between is each from one place up to another.
func (f *fetched) between(lo, hi place, do func(*fetchedPartition) bool) bool {
	for i := lo.topic; i < len(f.topics) && i <= hi.topic; i++ {
		partitions := f.topics[i].partitions
		from, to := 0, len(partitions)
		if i == lo.topic {
			from = min(lo.partition, to)
		}
		if i == hi.topic {
			to = min(hi.partition, to)
		}
		for j := from; j < to; j++ {
			if p := &partitions[j]; p.code == 0 && !p.diverged && !do(p) {
				return false
			}
		}
	}
	return true
}

// available counts the bytes to answer with, up to minBytes of them; an error
// to answer with counts as enough.
func (f *fetched) available(minBytes int) int {
	if f.hasError() {
		return minBytes
	}
	total := 0
	f.each(func(p *fetchedPartition) bool {
		b := p.log.Bounds()
		switch {
		case p.offset < b.LogStart || p.offset > b.LogEnd:
			total = minBytes
		case f.committed && p.offset < b.LastStable:
			total += min(p.log.AvailableCommitted(p.offset), max(p.maxBytes, 1))
		case !f.committed && p.offset < b.HighWatermark:
			total += min(p.log.Available(p.offset), max(p.maxBytes, 1))
		}
		return total < minBytes
	})
	return min(total, minBytes)
}

func (f *fetched) hasError() bool {
	for i := range f.topics {
		for j := range f.topics[i].partitions {
			if p := &f.topics[i].partitions[j]; p.code != 0 || p.diverged {
				return true
			}
		}
	}
	return false
}

// wake tells a waiting fetch that its logs have grown.
type wake struct {
	missing atomic.Int64
	enough  chan struct{}
}

// Wake counts bytes that became readable; 0 is to look again.
func (w *wake) Wake(bytes int) {
	if left := w.missing.Add(-int64(bytes)); left <= 0 || bytes == 0 {
		select {
		case w.enough <- struct{}{}:
		default:
		}
	}
}

// wait waits until there is enough to answer, or the client's time is up.
func (f *fetched) wait(ctx context.Context, s *Server, r *kmsg.FetchRequest) error {
	minBytes := int(r.MinBytes)
	if minBytes <= 0 || r.MaxWaitMillis <= 0 || f.available(minBytes) == minBytes {
		return nil
	}
	w := &wake{enough: make(chan struct{}, 1)}
	f.each(func(p *fetchedPartition) bool {
		p.waiter.Waker = w
		p.log.Notify(&p.waiter)
		return true
	})
	defer f.each(func(p *fetchedPartition) bool {
		p.log.Cancel(&p.waiter)
		return true
	})
	timer := s.Clock.NewTimer(millis(r.MaxWaitMillis))
	defer timer.Stop()
	for {
		// Bytes that come between the two lines are counted twice. That only
		// costs another round; the other order could miss them.
		w.missing.Store(int64(minBytes))
		have := f.available(minBytes)
		if have == minBytes {
			return nil
		}
		if w.missing.Add(-int64(have)) <= 0 {
			continue
		}
		select {
		case <-w.enough:
		case <-timer.C():
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// maxFetchBytes bounds one response, whatever the client would take.
const maxFetchBytes = 64 << 20

// read reads the partitions up to the response's limit.
func (f *fetched) read(s *Server, maxBytes int) {
	left := min(maxBytes, maxFetchBytes, int(s.Catalog.Settings().Int("fetch.max.bytes")))
	minimum := partition.AtLeastOne
	f.each(func(p *fetchedPartition) bool {
		read := p.log.Read
		if f.committed {
			read = p.log.ReadCommitted
		}
		res, err := read(nil, p.offset, max(0, min(left, p.maxBytes)), minimum)
		if err != nil {
			p.code = s.logCode(err, p.topic, p.index)
			return true
		}
		p.result = res
		p.log.Sent(res.Size)
		left -= res.Size
		if res.Size > 0 {
			minimum = partition.NoMinimum
			f.latest = p
		}
		return true
	})
}

// Release gives the bytes read back to their logs.
func (f *fetched) Release() {
	for i := range f.topics {
		for j := range f.topics[i].partitions {
			f.topics[i].partitions[j].result.Release()
		}
	}
}
