package broker

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// internalTopics are those whose records tell the state of coordinators.
var internalTopics = []string{catalog.ConsumerOffsets, catalog.TransactionState, catalog.ShareGroupState}

// keptState is the settings of a broker whose internal topics have one partition.
var keptState = map[string]string{
	"offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1", "share.coordinator.state.topic.num.partitions": "1",
}

// stateSeeds has a broker store state of every kind, and returns the records by
// internal topic.
func stateSeeds(t *testing.T) map[string][]batch.Record {
	b := start(t, Config{Set: keptState})
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	configureGroup(t, b, "g", "share.auto.offset.reset=earliest", "share.assignment.interval.ms=0")
	p := client(t, b, kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, p, "t", numbers("v", 5)...)
	if err := endTxn(p, timeout(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	commitOffset(t, b, "offsets", "t", 3)
	for _, opts := range [][]kgo.Opt{{kgo.ConsumerGroup("classic")}, {kgo.ConsumerGroup("consumer"), kgo.ServerSideBalancer()}} {
		c := client(t, b, append(opts, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
		consume(t, c, 5)
		if err := c.CommitUncommittedOffsets(timeout(t)); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	s := sharer(t, b)
	consume(t, s, 5)
	s.Close()
	all := map[string][]batch.Record{}
	for _, topic := range internalTopics {
		log := b.catalog.Image().Topic(topic).Logs[0]
		r, err := log.Read(nil, 0, 1<<20, partition.AtLeastOne)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		for data := slices.Concat(r.Data...); len(data) > 0; {
			_, first, rest, err := batch.Cut(data)
			if err != nil {
				t.Fatal(err)
			}
			for rec := range batch.All(first) {
				all[topic] = append(all[topic], batch.Record{Key: slices.Clone(rec.Key), Value: slices.Clone(rec.Value)})
			}
			data = rest
		}
		if len(all[topic]) == 0 {
			t.Fatalf("there is no state in %s", topic)
		}
	}
	return all
}

// FuzzState starts brokers whose internal topics hold what another one has stored,
// with one record changed in any way. Whatever it tells then, the broker starts,
// tells of its groups and transactions, and does what a client wants of it.
func FuzzState(f *testing.F) {
	for which := range byte(len(internalTopics)) {
		for n := range byte(20) {
			f.Add(which, n, []byte{}, false)
			f.Add(which, n, []byte{1, 0, n, 0}, n%2 == 0)
			f.Add(which, n, []byte{3, 1, n, 0xff, 1, 2, 1, 7}, n%3 == 0)
			f.Add(which, n, []byte{3, 2, 2 * n, 0x7f}, false)
		}
	}
	var once sync.Once
	var seeds map[string][]batch.Record // made by a broker in the first test
	f.Fuzz(func(t *testing.T, which, n uint8, edits []byte, transactional bool) {
		once.Do(func() { seeds = stateSeeds(t) })
		topic := internalTopics[int(which)%len(internalTopics)]
		records := slices.Clone(seeds[topic])
		if len(records) == 0 {
			t.Skip("the broker that makes the seeds has failed before")
		}
		rec := &records[int(n)%len(records)]
		rec.Key, rec.Value = changed(rec.Key, rec.Value, edits)
		fs := vfs.NewMem()
		storeState(t, fs, topic, records, transactional)
		if _, err := check(fs, "/"); err != nil {
			t.Fatalf("check: %v", err)
		}
		b := start(t, Config{fs: fs, Set: keptState, MaintenanceInterval: -1})
		c := client(t, b)
		for _, r := range []kmsg.Request{kmsg.NewPtrListGroupsRequest(), kmsg.NewPtrListTransactionsRequest()} {
			if _, err := c.Broker(1).Request(timeout(t), r); err != nil {
				t.Fatalf("%T: %v", r, err)
			}
		}
		commitOffset(t, b, "another", "t", 1)
	})
}

// changed applies edits to a record, of four bytes each: to the key or the value,
// what, where, and with what.
func changed(key, value, edits []byte) (k, v []byte) {
	key, value = slices.Clone(key), slices.Clone(value)
	for ; len(edits) >= 4; edits = edits[4:] {
		field := &key
		if edits[0]%2 == 1 {
			field = &value
		}
		b := *field
		at := int(edits[2]) % (len(b) + 1)
		switch edits[1] % 5 {
		case 0:
			b = b[:at]
		case 1:
			if at < len(b) {
				b[at] ^= edits[3]
			}
		case 2:
			for i := at; i < min(at+4, len(b)); i++ {
				b[i] = edits[3]
			}
		case 3:
			b = slices.Insert(b, at, edits[3])
		case 4:
			if b = nil; edits[3]%2 == 0 {
				b = []byte{}
			}
		}
		*field = b
	}
	return key, value
}

// storeState makes the files of a broker with records in an internal topic.
func storeState(t *testing.T, fs vfs.FS, topic string, records []batch.Record, transactional bool) {
	b, err := Start(Config{fs: fs, Set: keptState, MaintenanceInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	made, errs := b.catalog.Create([]catalog.NewTopic{{Name: topic, Partitions: 1}})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	h := batch.New()
	if transactional {
		h.Attributes = batch.Transactional
		h.ProducerID, h.ProducerEpoch, h.BaseSequence = 7, 0, 0
	}
	for i := range records {
		records[i].OffsetDelta, records[i].Timestamp = int32(i), 1
	}
	data, err := batch.Append(nil, h, records)
	if err == nil {
		_, err = made[0].Logs[0].Append(data, partition.AppendArgs{Origin: partition.Coordinator})
	}
	if err != nil && !transactional {
		t.Fatalf("store %s: %v", strings.TrimPrefix(topic, "__"), err)
	}
}
