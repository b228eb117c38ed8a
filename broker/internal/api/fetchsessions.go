package api

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"math"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
)

// What fetch sessions may take (KIP-227). Clients without one name all partitions
// in each request, and are told of all in each answer.
const (
	fetchSlots      = 1000    // sessions, Kafka's default
	fetchPartitions = 500_000 // of all sessions together
	fetchEviction   = 2 * time.Minute
)

// fetchSessions are the sets of partitions that clients fetch again and again,
// kept so that requests and answers need only say what is new. A session ends
// with the connection that it was begun on.
type fetchSessions struct {
	mu         sync.Mutex
	byID       map[int32]*fetchSession
	partitions int // of all
}

// fetchSession is one of them. Its fields belong to whoever has entered it, but
// those that fetchSessions.mu guards.
type fetchSession struct {
	id     int32
	byID   bool // whether topics are named by their ids
	topics []kmsg.FetchRequestTopic
	told   [][]told // by topic and partition, as topics
	at     map[fetchKey]place
	first  place // where the next read begins: behind what had records last

	// Guarded by fetchSessions.mu.
	epoch int32 // of the next request
	busy  bool  // whether a request is in work
	used  time.Time
	stop  func() bool // of the connection's end
}

// fetchKey names a partition in a session.
type fetchKey struct {
	topic     string
	id        catalog.ID
	partition int32
}

// told is what the client knows of a partition; -1 is nothing.
type told struct{ highWatermark, logStart int64 }

// news notes what an answer would tell of a partition, and reports whether the
// client doesn't know it.
func (t *told) news(p *fetchedPartition) bool {
	now := told{p.result.HighWatermark, p.result.LogStart}
	if p.code != 0 || p.diverged {
		now = told{-1, -1}
	}
	known := *t == now && p.result.Size == 0 && p.code == 0 && !p.diverged
	*t = now
	return !known
}

// enter begins a request. The session is that which the request goes on with; nil
// is a request that names all its partitions. The caller leaves it.
func (fs *fetchSessions) enter(r *kmsg.FetchRequest, now time.Time) (*fetchSession, int16) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if r.SessionEpoch <= 0 { // 0 begins a session, -1 does without
		fs.drop(r.SessionID)
		return nil, 0
	}
	f := fs.byID[r.SessionID]
	switch {
	case f == nil:
		return nil, kerr.FetchSessionIDNotFound.Code
	case f.busy || f.epoch != r.SessionEpoch:
		return nil, kerr.InvalidFetchSessionEpoch.Code
	case f.byID != (r.Version >= 13):
		return nil, kerr.FetchSessionTopicIDError.Code
	}
	before := len(f.at)
	f.update(r.Topics)
	f.forget(r.ForgottenTopics)
	fs.partitions += len(f.at) - before
	if fs.partitions > fetchPartitions {
		fs.drop(f.id)
		return nil, kerr.FetchSessionIDNotFound.Code // the client begins again
	}
	if f.epoch == math.MaxInt32 {
		f.epoch = 0
	}
	f.epoch++
	f.busy, f.used = true, now
	return f, 0
}

// leave ends a request.
func (fs *fetchSessions) leave(f *fetchSession) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.busy = false
}

// begin keeps a session for the request that was answered by f. The id is 0 if
// there is no room for it.
func (fs *fetchSessions) begin(ctx context.Context, r *kmsg.FetchRequest, f *fetched, now time.Time) (id int32) {
	s := &fetchSession{byID: r.Version >= 13, at: map[fetchKey]place{}, epoch: 1, used: now}
	s.update(r.Topics)
	if len(s.at) == 0 {
		return 0
	}
	for _, t := range f.topics {
		for j := range t.partitions {
			p := &t.partitions[j]
			if at, ok := s.at[s.key(t.name, t.id, p.index)]; ok {
				s.told[at.topic][at.partition].news(p)
			}
		}
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if !fs.room(len(s.at), now) {
		return 0
	}
	for s.id == 0 || fs.byID[s.id] != nil {
		s.id = newSessionID()
	}
	if fs.byID == nil {
		fs.byID = map[int32]*fetchSession{}
	}
	fs.byID[s.id] = s
	fs.partitions += len(s.at)
	s.stop = context.AfterFunc(ctx, func() {
		fs.mu.Lock()
		defer fs.mu.Unlock()
		fs.drop(s.id)
	})
	return s.id
}

// room makes room for one more session, if it can; fs.mu is held.
func (fs *fetchSessions) room(partitions int, now time.Time) bool {
	enough := func() bool { return len(fs.byID) < fetchSlots && fs.partitions+partitions <= fetchPartitions }
	if enough() {
		return true
	}
	for id, s := range fs.byID {
		if !s.busy && now.Sub(s.used) > fetchEviction {
			fs.drop(id)
		}
	}
	return enough()
}

// drop ends a session, if there is one of that id; fs.mu is held.
func (fs *fetchSessions) drop(id int32) {
	s := fs.byID[id]
	if s == nil {
		return
	}
	delete(fs.byID, id)
	fs.partitions -= len(s.at)
	s.stop()
}

// newSessionID makes an id that can't be guessed, above 0.
func newSessionID() int32 {
	var b [4]byte
	rand.Read(b[:]) // never fails
	return int32(binary.BigEndian.Uint32(b[:]) >> 1)
}

func (f *fetchSession) key(topic string, id catalog.ID, partition int32) fetchKey {
	if f.byID {
		return fetchKey{id: id, partition: partition}
	}
	return fetchKey{topic: topic, partition: partition}
}

// update adds partitions, or notes what is wanted of them now.
func (f *fetchSession) update(topics []kmsg.FetchRequestTopic) {
	for _, t := range topics {
		in := -1 // where the topic is, once it has been looked for
		for _, p := range t.Partitions {
			key := f.key(t.Topic, t.TopicID, p.Partition)
			if at, ok := f.at[key]; ok {
				f.topics[at.topic].Partitions[at.partition] = p
				continue
			}
			if in < 0 {
				in = f.topic(t)
			}
			f.at[key] = place{in, len(f.topics[in].Partitions)}
			f.topics[in].Partitions = append(f.topics[in].Partitions, p)
			f.told[in] = append(f.told[in], told{-1, -1})
		}
	}
}

// topic finds the place of a topic, or makes one.
func (f *fetchSession) topic(t kmsg.FetchRequestTopic) int {
	for i := range f.topics {
		if f.byID && f.topics[i].TopicID == t.TopicID || !f.byID && f.topics[i].Topic == t.Topic {
			return i
		}
	}
	f.topics = append(f.topics, kmsg.FetchRequestTopic{Topic: t.Topic, TopicID: t.TopicID})
	f.told = append(f.told, nil)
	return len(f.topics) - 1
}

// forget removes partitions.
func (f *fetchSession) forget(topics []kmsg.FetchRequestForgottenTopic) {
	for _, t := range topics {
		for _, p := range t.Partitions {
			key := f.key(t.Topic, t.TopicID, p)
			at, ok := f.at[key]
			if !ok {
				continue
			}
			// The last one takes its place.
			in := &f.topics[at.topic]
			last := len(in.Partitions) - 1
			in.Partitions[at.partition], f.told[at.topic][at.partition] = in.Partitions[last], f.told[at.topic][last]
			f.at[f.key(in.Topic, in.TopicID, in.Partitions[last].Partition)] = at
			in.Partitions, f.told[at.topic] = in.Partitions[:last], f.told[at.topic][:last]
			delete(f.at, key)
		}
	}
}

// answer leaves in f what the client doesn't know.
func (f *fetchSession) answer(r *fetched) {
	topics := r.topics[:0]
	for i := range r.topics {
		t := &r.topics[i]
		kept := t.partitions[:0]
		for j := range t.partitions {
			p := &t.partitions[j]
			if p == r.latest {
				f.first = place{i, j + 1}
			}
			if f.told[i][j].news(p) {
				kept = append(kept, *p)
			}
		}
		if len(kept) > 0 {
			t.partitions = kept
			topics = append(topics, *t)
		}
	}
	r.topics = topics
}
