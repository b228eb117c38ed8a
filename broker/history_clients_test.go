package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
)

// What is asked of a log, and what is told.
type (
	appendIn struct{ value string }
	readIn   struct{ offset int64 }
	endIn    struct{}

	appendOut struct{ offset int64 }
	readOut   struct {
		values []string // from the offset on
		end    int64    // high watermark
	}
	endOut struct{ end int64 }
)

// What is asked of a committed offset; what is told of it is a number.
type (
	commitIn struct{ offset int64 }
	lookIn   struct{}
)

// sentRecord is a record of a producer, in the order of sending.
type sentRecord struct {
	value  string
	offset int64 // -1 until it is known
}

// write is an idempotent producer that has several records under way.
func (h *history) write(name string, rng *rand.Rand) {
	c := h.client(name, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(logTopic), kgo.MaxBufferedRecords(10))
	defer c.Close()
	for i := 0; !h.ended(); i++ {
		for j := range 1 + rng.IntN(3) {
			p := rng.Int32N(logPartitions)
			s := &sentRecord{value: fmt.Sprintf("%s-%d.%d", name, i, j), offset: -1}
			from := fmt.Sprint(name, " to ", p)
			h.mu.Lock()
			h.sent[from] = append(h.sent[from], s)
			h.mu.Unlock()
			call := h.clock.Add(1)
			c.Produce(context.Background(), &kgo.Record{Partition: p, Value: []byte(s.value)}, func(r *kgo.Record, err error) {
				if err != nil {
					h.lost(name, "produce "+s.value, err)
					h.op(h.logs, p, call, appendIn{s.value}, appendOut{-1}, err)
					return
				}
				h.mu.Lock()
				s.offset = r.Offset
				h.mu.Unlock()
				h.op(h.logs, p, call, appendIn{s.value}, appendOut{r.Offset}, nil)
			})
		}
		h.pause(rng, 4)
	}
	if err := c.Flush(context.Background()); err != nil {
		h.lost(name, "flush", err)
	}
}

// topicID asks the broker that runs.
func (h *history) topicID(name string) [16]byte { return h.now.b.Load().catalog.Image().Topic(name).ID }

// readLog reads at random places.
func (h *history) readLog(name string, rng *rand.Rand) {
	c := h.once(name)
	defer c.Close()
	last := int64(0)
	for ; !h.ended(); h.pause(rng, 3) {
		p, in := rng.Int32N(logPartitions), readIn{rng.Int64N(last + 2)}
		r := kmsg.NewPtrFetchRequest()
		r.MaxBytes, r.SessionEpoch = 1000, -1
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic, rt.TopicID = logTopic, h.topicID(logTopic)
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = p, in.offset, 300
		rt.Partitions = append(rt.Partitions, rp)
		r.Topics = append(r.Topics, rt)
		call := h.clock.Add(1)
		resp, err := c.Broker(1).Request(h.t.Context(), r)
		if err != nil {
			h.lost(name, "fetch", err)
			continue
		}
		got := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
			if got.ErrorCode != kerr.OffsetOutOfRange.Code { // it asks beyond the end, too
				h.lost(name, "fetch", err)
			}
			continue
		}
		out := readOut{end: got.HighWatermark}
		for data := got.RecordBatches; len(data) > 0; {
			head, b, rest, err := batch.Cut(data)
			if err != nil {
				break // the last one needn't be whole
			}
			data = rest
			for rec, err := range batch.All(b) {
				if err != nil {
					h.lost(name, "decode", err)
				}
				if head.BaseOffset+int64(rec.OffsetDelta) >= in.offset {
					out.values = append(out.values, string(rec.Value))
				}
			}
		}
		last = max(last, out.end)
		h.op(h.logs, p, call, in, out, nil)
	}
}

// endAt is what a client was told about the end of a log.
type endAt struct{ call, back, end int64 }

// listEnds asks for high watermarks and last stable offsets.
func (h *history) listEnds(name string, rng *rand.Rand) {
	c := h.once(name)
	defer c.Close()
	for ; !h.ended(); h.pause(rng, 3) {
		topic, n := logTopic, logPartitions
		if rng.IntN(2) == 0 {
			topic, n = txnTopic, txnPartitions
		}
		p := rng.Int32N(n)
		r := kmsg.NewPtrListOffsetsRequest()
		r.IsolationLevel = int8(rng.IntN(2))
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = topic
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p, -1
		rt.Partitions = append(rt.Partitions, rp)
		r.Topics = append(r.Topics, rt)
		call := h.clock.Add(1)
		resp, err := c.Broker(1).Request(h.t.Context(), r)
		if err == nil {
			err = kerr.ErrorForCode(resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].ErrorCode)
		}
		if err != nil {
			h.lost(name, "list offsets", err)
			continue
		}
		end := resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].Offset
		of := fmt.Sprintf("%s-%d isolation %d", topic, p, r.IsolationLevel)
		h.mu.Lock()
		h.ends[of] = append(h.ends[of], endAt{call, h.clock.Add(1), end})
		h.mu.Unlock()
		if topic == logTopic { // without transactions both are the same
			h.op(h.logs, p, call, endIn{}, endOut{end}, nil)
		}
	}
}

// commitOffsets commits offsets of a group without members, and looks what is
// committed. Each is a number of its own.
func (h *history) commitOffsets(name string, rng *rand.Rand) {
	c := h.once(name)
	defer c.Close()
	for ; !h.ended(); h.pause(rng, 4) {
		p := rng.Int32N(logPartitions)
		if rng.IntN(2) == 0 {
			in := commitIn{h.names.Add(1)}
			call := h.clock.Add(1)
			err := h.commit(c, p, in.offset)
			if err != nil {
				h.lost(name, "commit", err)
			}
			h.op(h.offsets, p, call, in, nil, err)
			continue
		}
		call := h.clock.Add(1)
		at, err := h.look(c, p)
		if err != nil {
			h.lost(name, "look", err)
			continue
		}
		h.op(h.offsets, p, call, lookIn{}, at, nil)
	}
}

func (h *history) commit(c *kgo.Client, p int32, offset int64) error {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Group, r.Generation = offsetGroup, -1
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic, rt.TopicID = logTopic, h.topicID(logTopic)
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset = p, offset
	rt.Partitions = append(rt.Partitions, rp)
	r.Topics = append(r.Topics, rt)
	resp, err := c.Broker(1).Request(h.t.Context(), r)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
}

func (h *history) look(c *kgo.Client, p int32) (int64, error) {
	r := kmsg.NewPtrOffsetFetchRequest()
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = offsetGroup
	rt := kmsg.NewOffsetFetchRequestGroupTopic()
	rt.Topic, rt.TopicID, rt.Partitions = logTopic, h.topicID(logTopic), []int32{p}
	rg.Topics = append(rg.Topics, rt)
	r.Groups = append(r.Groups, rg)
	resp, err := c.Broker(1).Request(h.t.Context(), r)
	if err != nil {
		return 0, err
	}
	g := resp.(*kmsg.OffsetFetchResponse).Groups[0]
	if g.ErrorCode != 0 {
		return 0, kerr.ErrorForCode(g.ErrorCode)
	}
	got := g.Topics[0].Partitions[0]
	return got.Offset, kerr.ErrorForCode(got.ErrorCode)
}

// epochAt is a producer's epoch that a client was given.
type epochAt struct {
	call, back int64
	id         int64
	epoch      int16
}

// claimEpochs becomes the producer of a transactional id again and again.
func (h *history) claimEpochs(name string, rng *rand.Rand) {
	c := h.once(name)
	defer c.Close()
	for ; !h.ended(); h.pause(rng, 10) {
		r := kmsg.NewPtrInitProducerIDRequest()
		r.TransactionalID, r.TransactionTimeoutMillis = new("epochs"), 60_000
		r.ProducerID, r.ProducerEpoch = -1, -1
		call := h.clock.Add(1)
		resp, err := c.Broker(1).Request(h.t.Context(), r)
		if err == nil {
			err = kerr.ErrorForCode(resp.(*kmsg.InitProducerIDResponse).ErrorCode)
		}
		if err != nil {
			h.lost(name, "init", err)
			continue
		}
		got := resp.(*kmsg.InitProducerIDResponse)
		h.mu.Lock()
		h.epochs = append(h.epochs, epochAt{call, h.clock.Add(1), got.ProducerID, got.ProducerEpoch})
		h.mu.Unlock()
	}
}

// outcome is what the client of a transaction was told.
type outcome int

const (
	maybe outcome = iota
	committedTxn
	abortedTxn
)

// transact writes transactions to several partitions, and commits or aborts
// them. After a failure it begins anew, as a process does that was restarted.
func (h *history) transact(name string, rng *rand.Rand) {
	for i := 0; !h.ended(); {
		c := h.client(name, kgo.TransactionalID(name), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(txnTopic))
		for err := error(nil); err == nil && !h.ended(); i++ {
			if err = h.transaction(c, fmt.Sprintf("%s-%d", name, i), rng); err != nil {
				h.lost(name, "transaction", err)
			}
			h.pause(rng, 4)
		}
		c.Close()
	}
}

func (h *history) transaction(c *kgo.Client, id string, rng *rand.Rand) error {
	if err := c.BeginTransaction(); err != nil {
		return err
	}
	h.mu.Lock()
	h.txns[id], h.parts[id] = maybe, int(txnPartitions)
	h.mu.Unlock()
	var records []*kgo.Record
	for _, p := range rng.Perm(int(txnPartitions)) {
		records = append(records, &kgo.Record{Partition: int32(p), Value: fmt.Appendf(nil, "%s/%d", id, p)})
	}
	ctx := context.Background()
	how := kgo.TransactionEndTry(rng.IntN(3) > 0)
	err := c.ProduceSync(ctx, records[:2]...).FirstErr()
	h.pause(rng, 3)
	if err == nil {
		err = c.ProduceSync(ctx, records[2:]...).FirstErr()
	}
	if err != nil {
		how = kgo.TryAbort
	}
	if end := endTxn(c, ctx, how); end != nil {
		return fmt.Errorf("end: %w", errors.Join(err, end))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.txns[id] = abortedTxn
	if how {
		h.txns[id] = committedTxn
	}
	return err
}

// sighting is what one consumer saw, by partition.
type sighting struct {
	name      string
	committed bool // whether it wanted committed records only
	records   map[int32][]seenRecord
}

type seenRecord struct {
	offset int64
	value  string
}

func (s seenRecord) txn() string {
	id, _, _ := strings.Cut(s.value, "/")
	return id
}

// follow reads the transactions as they come.
func (h *history) follow(name string, committed bool) {
	level := kgo.ReadUncommitted()
	if committed {
		level = kgo.ReadCommitted()
	}
	c := h.client(name, kgo.ConsumeTopics(txnTopic), kgo.FetchIsolationLevel(level), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	s := &sighting{name: name, committed: committed, records: map[int32][]seenRecord{}}
	for !h.ended() {
		fs := c.PollFetches(h.stop)
		fs.EachError(func(_ string, _ int32, err error) {
			// The client takes it for a loss, too, when transactions' markers are the
			// first in a leader epoch, since it goes by the epochs of records only. What
			// was really lost, or came twice, strays finds.
			h.lost(name, "poll", err)
		})
		fs.EachRecord(func(r *kgo.Record) {
			s.records[r.Partition] = append(s.records[r.Partition], seenRecord{r.Offset, string(r.Value)})
		})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, s)
}

// final reads a topic to its end, whose last transaction has to have ended. A
// control record has the value "".
func (h *history) final(topic string, committed bool) map[int32][]seenRecord {
	level := kgo.ReadUncommitted()
	if committed {
		level = kgo.ReadCommitted()
	}
	c := h.client("final", kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(level), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	defer c.Close()
	left, got := int64(0), map[int32][]seenRecord{}
	for p, log := range h.now.b.Load().catalog.Image().Topic(topic).Logs {
		b := log.Bounds()
		if b.LogStart != 0 || b.LastStable != b.LogEnd {
			h.t.Errorf("%s-%d is at rest with %+v", topic, p, b)
		}
		left += b.LastStable
	}
	for ctx := timeout(h.t); left > 0; {
		fs := c.PollFetches(ctx)
		if fs.Err() != nil {
			h.t.Fatalf("read %s to the end: %v", topic, fs.Err())
		}
		fs.EachRecord(func(r *kgo.Record) {
			s := seenRecord{r.Offset, string(r.Value)}
			before := int64(-1)
			if list := got[r.Partition]; len(list) > 0 {
				before = list[len(list)-1].offset
			}
			left -= r.Offset - before // of aborted ones there are only the markers
			if r.Attrs.IsControl() {
				s.value = ""
			}
			got[r.Partition] = append(got[r.Partition], s)
		})
	}
	return got
}
