package broker

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionClient is a client with a fetch session, and what it believes.
type sessionClient struct {
	t     *testing.T
	conn  net.Conn
	id    int32
	epoch int32
	byID  map[string][16]byte // topics' ids; nil names topics
	names map[[16]byte]string
	want  map[partitionName]int64 // the next offset
	ends  map[partitionName]int64 // high watermarks
	said  map[partitionName]int64 // offsets as of the last request
	bytes int32                   // of an answer
}

type partitionName struct {
	topic     string
	partition int32
}

func (c *sessionClient) version() int16 {
	if c.byID != nil {
		return 17
	}
	return 11
}

// request says what has changed since the last one.
func (c *sessionClient) request() *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.SessionID, r.SessionEpoch, r.MaxBytes, r.MaxWaitMillis = c.id, c.epoch, c.bytes, 0
	for p, at := range c.want {
		if said, ok := c.said[p]; ok && said == at {
			continue
		}
		c.said[p] = at
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = p.partition, at, 1<<20
		r.Topics = append(r.Topics, kmsg.FetchRequestTopic{Topic: p.topic, TopicID: c.byID[p.topic], Partitions: []kmsg.FetchRequestTopicPartition{rp}})
	}
	for p := range c.said {
		if _, ok := c.want[p]; !ok {
			delete(c.said, p)
			r.ForgottenTopics = append(r.ForgottenTopics, kmsg.FetchRequestForgottenTopic{Topic: p.topic, TopicID: c.byID[p.topic], Partitions: []int32{p.partition}})
		}
	}
	return r
}

// fetch fetches once, and returns the partitions that had records.
func (c *sessionClient) fetch() (had []partitionName) {
	c.t.Helper()
	got, err := exchange(c.t, c.conn, c.request(), c.version())
	if err != nil {
		c.t.Fatal(err)
	}
	resp := got.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil || resp.SessionID == 0 || c.id != 0 && c.id != resp.SessionID {
		c.t.Fatalf("session %d, epoch %d: %v in session %d", c.id, c.epoch, err, resp.SessionID)
	}
	c.id = resp.SessionID
	c.epoch++
	for _, t := range resp.Topics {
		name := t.Topic
		if c.byID != nil {
			name = c.names[t.TopicID]
		}
		for _, p := range t.Partitions {
			at := partitionName{name, p.Partition}
			if _, ok := c.want[at]; !ok || p.ErrorCode != 0 {
				c.t.Fatalf("an answer about %v, which isn't in the session: %v", at, kerr.ErrorForCode(p.ErrorCode))
			}
			c.ends[at] = p.HighWatermark
			if n := len(p.RecordBatches); n > 0 {
				had = append(had, at)
				c.take(at, p.RecordBatches)
			}
		}
	}
	return had
}

// take takes the records of a partition, which go on where the last ended.
func (c *sessionClient) take(at partitionName, b []byte) {
	for len(b) > 0 {
		var batch kmsg.RecordBatch
		if err := batch.ReadFrom(b); err != nil {
			c.t.Fatal(err)
		}
		if batch.FirstOffset != c.want[at] {
			c.t.Fatalf("%v: offset %d, want %d", at, batch.FirstOffset, c.want[at])
		}
		c.want[at] += int64(batch.NumRecords)
		b = b[batch.Length+12:]
	}
}

// sessions starts a broker with two topics, and what a test needs to write there.
func sessions(t *testing.T) (*Broker, func(partitionName, int), map[string][16]byte) {
	b := start(t, Config{})
	ids := map[string][16]byte{}
	for _, topic := range []string{"a", "b"} {
		if err := b.CreateTopic(t.Context(), topic, 3); err != nil {
			t.Fatal(err)
		}
		ids[topic] = b.catalog.Image().Topic(topic).ID
	}
	k, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return b, func(to partitionName, n int) {
		for range n { // each a batch of its own
			if err := k.ProduceSync(t.Context(), &kgo.Record{Topic: to.topic, Partition: to.partition, Value: []byte("v")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}, ids
}

func connected(t *testing.T, b *Broker) net.Conn {
	conn, err := b.Dial(t.Context(), "", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// newSession is a client that has nothing yet.
func newSession(t *testing.T, conn net.Conn, ids map[string][16]byte) *sessionClient {
	c := &sessionClient{t: t, conn: conn, byID: ids, names: map[[16]byte]string{}, bytes: 1 << 20,
		want: map[partitionName]int64{}, ends: map[partitionName]int64{}, said: map[partitionName]int64{}}
	for name, id := range ids {
		c.names[id] = name
	}
	return c
}

// TestFetchSession_Changes has clients in whose sessions partitions come and go
// while records are written: they get all records in order, and always know where
// each partition ends, though they are only told of changes.
func TestFetchSession_Changes(t *testing.T) {
	b, produce, ids := sessions(t)
	for seed, ids := range []map[string][16]byte{nil, ids, nil, ids} {
		draw := rand.New(rand.NewPCG(uint64(seed), 0))
		c := newSession(t, connected(t, b), ids)
		partition := func() partitionName {
			return partitionName{[]string{"a", "b"}[draw.IntN(2)], int32(draw.IntN(3))}
		}
		c.want[partition()] = 0
		for range 100 {
			switch draw.IntN(6) {
			case 0:
				if p := partition(); c.said[p] == 0 {
					c.want[p] = 0
				}
			case 1:
				if p := partition(); len(c.want) > 1 {
					delete(c.want, p)
					delete(c.ends, p)
				}
			case 2:
				c.bytes = []int32{1, 200, 1 << 20}[draw.IntN(3)]
			case 3:
				produce(partition(), 1+draw.IntN(3))
			}
			c.fetch()
			for p := range c.want {
				if end := b.catalog.Image().Topic(p.topic).Log(p.partition).Bounds().HighWatermark; c.ends[p] != end {
					t.Fatalf("seed %d: the client believes %v to end at %d, not %d", seed, p, c.ends[p], end)
				}
			}
		}
		c.bytes = 1 << 20
		c.fetch()
		for p, at := range c.want {
			if at != c.ends[p] {
				t.Errorf("seed %d: the records of %v from %d to %d didn't come", seed, p, at, c.ends[p])
			}
		}
	}
}

// TestFetchSession_Turns has answers with room for one partition's records: each
// has its turn.
func TestFetchSession_Turns(t *testing.T) {
	b, produce, ids := sessions(t)
	c := newSession(t, connected(t, b), ids)
	c.bytes = 1
	for p := range int32(3) {
		for topic := range ids {
			produce(partitionName{topic, p}, 3)
			c.want[partitionName{topic, p}] = 0
		}
	}
	c.fetch() // begins the session
	seen := map[partitionName]int{}
	for range 2 * len(c.want) {
		for _, p := range c.fetch() {
			seen[p]++
		}
	}
	for p := range c.want {
		if n := seen[p]; n < 1 || n > 2 {
			t.Errorf("%v had %d turns of %d: %v", p, n, 2*len(c.want), seen)
		}
	}
}

func TestFetchSession_Refused(t *testing.T) {
	b, _, ids := sessions(t)
	conn, p := connected(t, b), partitionName{"a", 0}
	begin := func() *sessionClient {
		c := newSession(t, conn, ids)
		c.want[p] = 0
		c.fetch()
		return c
	}
	for name, test := range map[string]struct {
		change func(*sessionClient)
		want   *kerr.Error
	}{
		"none":         {func(c *sessionClient) { c.id ^= 1 << 20 }, kerr.FetchSessionIDNotFound},
		"epoch":        {func(c *sessionClient) { c.epoch++ }, kerr.InvalidFetchSessionEpoch},
		"names":        {func(c *sessionClient) { c.byID = nil }, kerr.FetchSessionTopicIDError},
		"ended":        {func(c *sessionClient) { c.epoch = -1; c.raw(); c.epoch = 1 }, kerr.FetchSessionIDNotFound},
		"begun anew":   {func(c *sessionClient) { c.epoch = 0; c.raw(); c.epoch = 1 }, kerr.FetchSessionIDNotFound},
		"disconnected": {func(c *sessionClient) { conn.Close(); conn = connected(t, b); c.conn = conn }, kerr.FetchSessionIDNotFound},
	} {
		c := begin()
		test.change(c)
		resp := c.raw()
		if name == "disconnected" {
			for resp.ErrorCode == 0 { // until the broker has noticed
				c.epoch++
				resp = c.raw()
			}
		}
		if err := kerr.ErrorForCode(resp.ErrorCode); err != test.want || resp.SessionID != 0 || len(resp.Topics) > 0 {
			t.Errorf("%s: %v, in session %d with %d topics; want %v", name, err, resp.SessionID, len(resp.Topics), test.want)
		}
	}
}

// raw fetches, and notes nothing.
func (c *sessionClient) raw() *kmsg.FetchResponse {
	c.t.Helper()
	got, err := exchange(c.t, c.conn, c.request(), c.version())
	if err != nil {
		c.t.Fatal(fmt.Errorf("fetch: %w", err))
	}
	return got.(*kmsg.FetchResponse)
}
