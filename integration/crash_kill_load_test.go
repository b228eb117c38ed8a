package integration

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sentRecord is a record of a producer, in the order of sending.
type sentRecord struct {
	value  string
	offset int64 // as acknowledged; -1 is unknown
}

// ending is what the client of a transaction was told.
type ending int

const (
	unknownEnding ending = iota
	committedEnding
	abortedEnding
)

// produce is an idempotent producer that never stops to send what it has begun.
func (l *load) produce(name string) {
	c := l.client(kgo.MaxBufferedRecords(50), kgo.ProducerLinger(time.Millisecond))
	defer c.Close()
	for i := 0; l.running.Err() == nil; i++ {
		topic, p := []string{topicLog, topicLog, topicWork}[i%3], int32(i%7%loadPartitions)
		s := &sentRecord{fmt.Sprintf("%s-%d", name, i), -1}
		from := fmt.Sprintf("%s %s %d", topic, name, p)
		l.mu.Lock()
		l.sent[from] = append(l.sent[from], s)
		l.mu.Unlock()
		c.Produce(l.ctx, &kgo.Record{Topic: topic, Partition: p, Value: []byte(s.value)}, func(r *kgo.Record, err error) {
			if err != nil {
				l.failed(err)
				return
			}
			l.mu.Lock()
			s.offset = r.Offset
			l.mu.Unlock()
			l.acked(sentKind)
		})
	}
	l.failed(c.Flush(l.ctx))
}

// transact writes transactions to all partitions, and aborts every third. After
// a failure it begins anew, as a process does that was restarted.
func (l *load) transact(name string) {
	for i := 0; l.running.Err() == nil; {
		c := l.client(kgo.TransactionalID(name), kgo.DefaultProduceTopic(topicTxn), kgo.TransactionTimeout(30*time.Second))
		for err := error(nil); err == nil && l.running.Err() == nil; i++ {
			err = l.transaction(c, fmt.Sprintf("%s-%d", name, i), kgo.TransactionEndTry(i%3 > 0))
			l.failed(err)
		}
		c.Close()
	}
}

func (l *load) transaction(c *kgo.Client, id string, how kgo.TransactionEndTry) error {
	if err := c.BeginTransaction(); err != nil {
		return err
	}
	l.mu.Lock()
	l.txns[id] = unknownEnding
	l.mu.Unlock()
	var records []*kgo.Record
	for p := range int32(loadPartitions) {
		records = append(records, &kgo.Record{Partition: p, Value: fmt.Appendf(nil, "%s/%d", id, p)})
	}
	sent := c.ProduceSync(l.ctx, records...).FirstErr()
	if sent != nil {
		how = kgo.TryAbort
	}
	if err := c.EndTransaction(l.ctx, how); err != nil {
		return errors.Join(sent, err)
	}
	l.mu.Lock()
	l.txns[id] = abortedEnding
	if how {
		l.txns[id] = committedEnding
	}
	l.mu.Unlock()
	l.acked(txnKind)
	return sent
}

// consume is a member of a group that commits what it has read.
func (l *load) consume() {
	c := l.client(kgo.ConsumerGroup("readers"), kgo.ConsumeTopics(topicLog), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	for l.running.Err() == nil {
		fs := c.PollRecords(l.running, 100)
		at := map[int32]kgo.EpochOffset{}
		fs.EachRecord(func(r *kgo.Record) { at[r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1} })
		if len(at) == 0 {
			continue
		}
		c.CommitOffsetsSync(l.ctx, map[string]map[int32]kgo.EpochOffset{topicLog: at}, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			if err != nil {
				l.failed(err)
				return
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			for _, p := range resp.Topics[0].Partitions {
				if p.ErrorCode == 0 {
					l.offsets[p.Partition] = max(l.offsets[p.Partition], at[p.Partition].Offset)
					l.acked(commitKind)
				}
			}
		})
	}
}

// offsetsAreThere compares the group's offsets with those that were told to be
// committed.
func (l *load) offsetsAreThere() {
	l.mu.Lock()
	before := maps.Clone(l.offsets)
	l.mu.Unlock()
	c := l.client()
	defer c.Close()
	got, err := kadm.NewClient(c).FetchOffsets(l.ctx, "readers")
	if err != nil {
		l.t.Fatalf("fetch offsets: %v", err)
	}
	for p, at := range before {
		if o, ok := got.Lookup(topicLog, p); !ok || o.At < at {
			l.t.Errorf("partition %d was committed at %d; after a restart it is %+v", p, at, o)
		}
	}
}

// share is a member of a share group. What it was told to be accepted may not
// come again.
func (l *load) share() {
	refused := map[int32]bool{} // partitions of which something may not be accepted
	c := l.client(kgo.ShareGroup("share"), kgo.ConsumeTopics(topicWork), kgo.ShareMaxRecords(50), kgo.ShareAckCallback(func(_ *kgo.Client, results kgo.ShareAckResults) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, r := range results {
			if r.Err != nil {
				refused[r.Partition] = true
			}
		}
	}))
	defer c.Close()
	for l.running.Err() == nil {
		fs := c.PollFetches(l.running)
		l.mu.Lock()
		clear(refused)
		l.mu.Unlock()
		pending := map[string]int32{}
		fs.EachRecord(func(r *kgo.Record) {
			l.mu.Lock()
			if l.done[string(r.Value)] {
				l.wrong = append(l.wrong, fmt.Sprintf("%s was accepted, and is delivered again", r.Value))
			}
			l.mu.Unlock()
			pending[string(r.Value)] = r.Partition
			r.Ack(kgo.AckAccept)
		})
		if len(pending) == 0 {
			continue
		}
		if err := c.FlushAcks(l.ctx); err != nil {
			l.failed(err)
			continue
		}
		l.mu.Lock()
		for value, p := range pending {
			l.done[value] = l.done[value] || !refused[p]
		}
		l.mu.Unlock()
		l.acked(shareKind)
	}
}

// create makes topics, and remembers those that were made.
func (l *load) create() {
	c := l.client()
	defer c.Close()
	adm := kadm.NewClient(c)
	next := time.NewTicker(30 * time.Millisecond)
	defer next.Stop()
	for i := 0; ; i++ {
		name := fmt.Sprint("made-", i)
		if r, err := adm.CreateTopic(l.ctx, 1, 1, nil, name); err == nil && r.Err == nil {
			l.mu.Lock()
			l.topics[name] = r.ID
			l.mu.Unlock()
			l.acked(topicKind)
		}
		select {
		case <-next.C:
		case <-l.running.Done():
			return
		}
	}
}

// read is the values of a topic by partition and offset, to its end.
func (l *load) read(topic string, level kgo.IsolationLevel) map[int32]map[int64]string {
	c := l.client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(level), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	defer c.Close()
	ends, err := kadm.NewClient(c).ListEndOffsets(l.ctx, topic)
	if err != nil {
		l.t.Fatal(err)
	}
	got, at := map[int32]map[int64]string{}, map[int32]int64{}
	for p := range int32(loadPartitions) {
		got[p] = map[int64]string{}
	}
	behind := func() (yes bool) {
		ends.Each(func(o kadm.ListedOffset) { yes = yes || at[o.Partition] < o.Offset })
		return yes
	}
	for behind() {
		fs := c.PollFetches(l.ctx)
		if l.ctx.Err() != nil {
			l.t.Fatalf("read %s up to %v of %v: %v", topic, at, ends, fs.Err())
		}
		fs.EachRecord(func(r *kgo.Record) {
			if at[r.Partition] = r.Offset + 1; !r.Attrs.IsControl() {
				got[r.Partition][r.Offset] = string(r.Value)
			}
		})
	}
	return got
}

// judge compares what is there at the end with what the clients were told.
func (l *load) judge() {
	l.offsetsAreThere()
	l.mu.Lock()
	defer l.mu.Unlock()
	acks := 0
	for _, topic := range []string{topicLog, topicWork} {
		for p, values := range l.read(topic, kgo.ReadUncommitted()) {
			acks += l.order(topic, p, values)
		}
	}
	ends, copies := l.transactions(), l.copies()
	c := l.client()
	defer c.Close()
	there, err := kadm.NewClient(c).ListTopics(l.ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	for name, id := range l.topics {
		if got, ok := there[name]; !ok || got.ID != id {
			l.wrong = append(l.wrong, fmt.Sprintf("topic %s was made with id %v and is %+v", name, id, got))
		}
	}
	if acks < 100 || ends < 10 || len(l.topics) < 3 || len(l.offsets) == 0 || len(l.done) == 0 || copies == 0 {
		l.t.Errorf("%d records, %d copies, %d transactions, %d topics, %d offsets and %d records of the share group: that is no test", acks, copies, ends, len(l.topics), len(l.offsets), len(l.done))
	}
	l.t.Logf("%d records, %d copies, %d transactions, %d topics, %d records of the share group; %d failures", acks, copies, ends, len(l.topics), len(l.done), l.failures)
	for _, text := range l.wrong[:min(20, len(l.wrong))] {
		l.t.Error(text)
	}
}

// order looks for records of a partition that are lost, there twice, or not in
// the order in which they were sent. It returns how many were acknowledged.
func (l *load) order(topic string, p int32, values map[int64]string) (acks int) {
	at := map[string]int64{}
	for _, offset := range slices.Sorted(maps.Keys(values)) {
		if first, twice := at[values[offset]]; twice {
			l.wrong = append(l.wrong, fmt.Sprintf("%s-%d has %s at %d and at %d", topic, p, values[offset], first, offset))
		}
		at[values[offset]] = offset
	}
	for from, list := range l.sent {
		if !strings.HasPrefix(from, topic+" ") || !strings.HasSuffix(from, fmt.Sprint(" ", p)) {
			continue
		}
		last := int64(-1)
		for _, s := range list {
			offset, there := at[s.value]
			if s.offset >= 0 {
				acks++
			}
			if s.offset >= 0 && (!there || offset != s.offset) {
				l.wrong = append(l.wrong, fmt.Sprintf("%s was acknowledged at %d of %s-%d; it is there: %t, at %d", s.value, s.offset, topic, p, there, offset))
			}
			if there && offset < last {
				l.wrong = append(l.wrong, fmt.Sprintf("%s at %d of %s-%d comes before what was sent earlier", s.value, offset, topic, p))
			}
			last = max(last, offset)
		}
	}
	return acks
}

// transactions looks for those that are there by halves, or against what was
// said of them. It returns how many ends were told.
func (l *load) transactions() (told int) {
	n := map[string]int{}
	for _, values := range l.read(topicTxn, kgo.ReadCommitted()) {
		once := map[string]bool{}
		for _, v := range values {
			id, _, _ := strings.Cut(v, "/")
			if once[v] {
				l.wrong = append(l.wrong, v+" is there twice")
			}
			once[v] = true
			n[id]++
		}
	}
	for id, end := range l.txns {
		if end != unknownEnding {
			told++
		}
		if got := n[id]; got != 0 && got != loadPartitions || end == committedEnding && got == 0 || end == abortedEnding && got != 0 {
			l.wrong = append(l.wrong, fmt.Sprintf("transaction %s ended as %d, and has %d of %d records", id, end, got, loadPartitions))
		}
	}
	return told
}
