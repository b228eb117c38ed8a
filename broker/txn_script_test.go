package broker

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/leatstream/leat/broker/internal/batch"
)

var update = flag.Bool("update", false, "write the answers of the broker at KAFKA_ADDR into testdata")

// asker sends requests of transactions one by one and notes the answers.
type asker struct {
	t        *testing.T
	c        *kgo.Client
	tx       string
	topic    string
	topicID  [16]byte
	me       kmsg.InitProducerIDResponse // the last that was given
	protocol string
	lines    []string
}

func (a *asker) note(what string, answer ...any) {
	a.lines = append(a.lines, fmt.Sprintf("%-42s %s", a.protocol+" "+what, strings.TrimSpace(fmt.Sprintln(answer...))))
}

func name(code int16) string {
	if code == 0 {
		return "OK"
	}
	return kerr.ErrorForCode(code).(*kerr.Error).Message
}

// ask sends a request until it is not answered with a code that says to come
// again.
func ask[R kmsg.Response](a *asker, r kmsg.Request, code func(R) int16) R {
	a.t.Helper()
	for ctx := timeout(a.t); ; {
		resp, err := a.c.Broker(1).Request(ctx, r)
		if err != nil {
			a.t.Fatalf("%s: %v", kmsg.NameForKey(r.Key()), err)
		}
		got := resp.(R)
		switch c := code(got); c {
		case kerr.ConcurrentTransactions.Code, kerr.CoordinatorNotAvailable.Code, kerr.NotCoordinator.Code, kerr.CoordinatorLoadInProgress.Code:
			<-time.After(20 * time.Millisecond)
		default:
			return got
		}
	}
}

// find asks for the coordinators, which makes their topics.
func (a *asker) find() {
	for kind, key := range map[int8]string{0: "g" + a.tx, 1: a.tx} {
		r := kmsg.NewPtrFindCoordinatorRequest()
		r.CoordinatorType, r.CoordinatorKey, r.CoordinatorKeys = kind, key, []string{key}
		ask(a, r, func(r *kmsg.FindCoordinatorResponse) int16 { return r.Coordinators[0].ErrorCode })
	}
}

func (a *asker) init(what string, ms int32, id int64, epoch int16) {
	r := kmsg.NewPtrInitProducerIDRequest()
	r.TransactionalID, r.TransactionTimeoutMillis, r.ProducerID, r.ProducerEpoch = &a.tx, ms, id, epoch
	resp := ask(a, r, func(r *kmsg.InitProducerIDResponse) int16 { return r.ErrorCode })
	if resp.ErrorCode == 0 {
		a.me = *resp
	}
	a.note(what, name(resp.ErrorCode), "epoch", resp.ProducerEpoch)
}

func (a *asker) end(what string, id int64, epoch int16, commit bool) {
	r := kmsg.NewPtrEndTxnRequest()
	r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Commit = a.tx, id, epoch, commit
	resp := ask(a, r, func(r *kmsg.EndTxnResponse) int16 { return r.ErrorCode })
	a.note(what, name(resp.ErrorCode), "epoch", resp.ProducerEpoch)
	if resp.ErrorCode == 0 && resp.ProducerEpoch >= 0 {
		a.me.ProducerEpoch = resp.ProducerEpoch
	}
}

func (a *asker) add(what, topic string, partition int32, epoch int16) {
	r := kmsg.NewPtrAddPartitionsToTxnRequest()
	r.TransactionalID, r.ProducerID, r.ProducerEpoch = a.tx, a.me.ProducerID, epoch
	r.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: a.topic, Partitions: []int32{0}}}
	if topic != a.topic {
		r.Topics = append(r.Topics, kmsg.AddPartitionsToTxnRequestTopic{Topic: topic, Partitions: []int32{partition}})
	}
	resp := ask(a, r, func(r *kmsg.AddPartitionsToTxnResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
	var codes []any // those of our topic first
	for _, t := range resp.Topics {
		if code := name(t.Partitions[0].ErrorCode); t.Topic == a.topic {
			codes = slices.Insert(codes, 0, any(code))
		} else {
			codes = append(codes, code)
		}
	}
	a.note(what, codes...)
}

func (a *asker) addOffsets(what string) {
	r := kmsg.NewPtrAddOffsetsToTxnRequest()
	r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Group = a.tx, a.me.ProducerID, a.me.ProducerEpoch, "g"+a.tx
	resp := ask(a, r, func(r *kmsg.AddOffsetsToTxnResponse) int16 { return r.ErrorCode })
	a.note(what, name(resp.ErrorCode))
}

func (a *asker) produce(what string, id int64, epoch int16, seq int32, flags batch.Attributes) {
	a.t.Helper()
	h := batch.New()
	h.Attributes, h.ProducerID, h.ProducerEpoch, h.BaseSequence = flags, id, epoch, seq
	b, err := batch.Append(nil, h, []batch.Record{{Timestamp: time.Now().UnixMilli(), Key: []byte("k"), Value: []byte("v")}})
	if err != nil {
		a.t.Fatal(err)
	}
	r := kmsg.NewPtrProduceRequest()
	r.TransactionID, r.Acks, r.TimeoutMillis = &a.tx, -1, 5000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = a.topic, a.topicID
	t.Partitions = []kmsg.ProduceRequestTopicPartition{{Records: b}}
	r.Topics = append(r.Topics, t)
	resp := ask(a, r, func(r *kmsg.ProduceResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
	p := resp.Topics[0].Partitions[0]
	a.note(what, name(p.ErrorCode), "offset", p.BaseOffset, "start", p.LogStartOffset)
}

func (a *asker) commitOffset(what, group string, epoch int16, metadata int) {
	r := kmsg.NewPtrTxnOffsetCommitRequest()
	r.TransactionalID, r.Group, r.ProducerID, r.ProducerEpoch, r.Generation = a.tx, group, a.me.ProducerID, epoch, -1
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic = a.topic
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset, p.Metadata = 1, kmsg.StringPtr(strings.Repeat("m", metadata))
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	resp := ask(a, r, func(r *kmsg.TxnOffsetCommitResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode })
	a.note(what, name(resp.Topics[0].Partitions[0].ErrorCode))
}

func (a *asker) offsets(what string, stable bool) {
	r := kmsg.NewPtrOffsetFetchRequest()
	r.RequireStable = stable
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.MemberEpoch = "g"+a.tx, -1
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.TopicID, t.Partitions = a.topic, a.topicID, []int32{0}
	g.Topics = append(g.Topics, t)
	r.Groups = append(r.Groups, g)
	p := ask(a, r, func(r *kmsg.OffsetFetchResponse) int16 { return r.Groups[0].ErrorCode }).Groups[0].Topics[0].Partitions[0]
	a.note(what, name(p.ErrorCode), "offset", p.Offset)
}

func (a *asker) fetch(what string, offset int64) {
	r := kmsg.NewPtrFetchRequest()
	r.MaxWaitMillis, r.MinBytes, r.MaxBytes, r.IsolationLevel, r.SessionEpoch = 100, 1, 1<<20, 1, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = a.topic, a.topicID
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = offset, 1<<20, -1
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	f := ask(a, r, func(r *kmsg.FetchResponse) int16 { return r.ErrorCode }).Topics[0].Partitions[0]
	first := []int64{}
	for _, x := range f.AbortedTransactions {
		first = append(first, x.FirstOffset)
	}
	a.note(what, name(f.ErrorCode), "high watermark", f.HighWatermark, "stable", f.LastStableOffset, "bytes", len(f.RecordBatches), "aborted from", first)
}

func (a *asker) mark(what string, epoch int16, version int8) {
	r := kmsg.NewPtrWriteTxnMarkersRequest()
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch, m.TransactionVersion = a.me.ProducerID, epoch, version
	m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: a.topic, Partitions: []int32{0}}}
	r.Markers = append(r.Markers, m)
	resp := ask(a, r, func(*kmsg.WriteTxnMarkersResponse) int16 { return 0 })
	a.note(what, name(resp.Markers[0].Topics[0].Partitions[0].ErrorCode))
}

func (a *asker) describe(what string) {
	r := kmsg.NewPtrDescribeTransactionsRequest()
	r.TransactionalIDs = []string{a.tx}
	x := ask(a, r, func(r *kmsg.DescribeTransactionsResponse) int16 { return r.TransactionStates[0].ErrorCode }).TransactionStates[0]
	a.note(what, name(x.ErrorCode), x.State, "epoch", x.ProducerEpoch, "partitions", len(x.Topics), "began", x.StartTimestamp > 0)
}

func (a *asker) producers(what string) {
	r := kmsg.NewPtrDescribeProducersRequest()
	r.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: a.topic, Partitions: []int32{0}}}
	p := ask(a, r, func(*kmsg.DescribeProducersResponse) int16 { return 0 }).Topics[0].Partitions[0]
	for _, x := range p.ActiveProducers {
		a.note(what, "epoch", x.ProducerEpoch, "sequence", x.LastSequence, "coordinator", x.CoordinatorEpoch, "transaction from", x.CurrentTxnStartOffset)
	}
}

// script is what is asked. Wherever it depends on the protocol, so do the
// answers.
func (a *asker) script() {
	const tx = batch.Transactional
	first := a.protocol == "v1"
	a.find()
	a.init("timeout of 2 h", 7_200_000, -1, -1)
	a.init("first", 60_000, -1, -1)
	id := func() (int64, int16) { return a.me.ProducerID, a.me.ProducerEpoch }
	a.end("commit nothing", a.me.ProducerID, a.me.ProducerEpoch, true)
	a.end("abort nothing", a.me.ProducerID, a.me.ProducerEpoch, false)
	a.init("go on", 60_000, a.me.ProducerID, a.me.ProducerEpoch)
	a.init("go on as another", 60_000, a.me.ProducerID+77, a.me.ProducerEpoch)
	a.init("begin anew", 60_000, -1, -1)
	me, epoch := id()
	if first {
		a.produce("produce before add", me, epoch, 0, tx)
		a.add("add unknown partition", "__consumer_offsets_no", 9, epoch)
		a.add("add internal topic", "__consumer_offsets", 0, epoch)
		a.add("add with old epoch", a.topic, 0, epoch-1)
		a.add("add", a.topic, 0, epoch)
		a.commitOffset("offset before add", "g"+a.tx, epoch, 3)
		a.addOffsets("add offsets")
	}
	if !first {
		a.produce("first batch with sequence 3", me, epoch, 3, tx)
	}
	a.produce("first batch", me, epoch, 0, tx)
	a.produce("first batch again", me, epoch, 0, tx)
	a.produce("next batch", me, epoch, 1, tx)
	a.produce("batch of another producer", me+77, epoch, 0, tx)
	a.produce("batch of the next epoch", me, epoch+1, 0, tx)
	a.produce("batch outside of the transaction", me, epoch, 2, 0)
	a.commitOffset("offset with old epoch", "g"+a.tx, epoch-1, 3)
	a.commitOffset("offset with large metadata", "g"+a.tx, epoch, 5000)
	a.commitOffset("offset of no group", "", epoch, 3)
	a.commitOffset("offset", "g"+a.tx, epoch, 3)
	a.offsets("committed offset", false)
	a.offsets("stable offset", true)
	a.fetch("fetch", 0)
	a.describe("describe")
	a.producers("producers")
	a.mark("marker of the second protocol, early", epoch, 2)
	if first {
		a.note("(the codec's marker has no version here)")
		a.produce("batch after the marker", me, epoch, 2, tx)
	}
	a.end("abort with old epoch", me, epoch-1, false)
	a.end("abort as another", me+77, epoch, false)
	a.end("abort", me, epoch, false)
	a.end("abort again", me, epoch, false)
	a.end("commit what was aborted", me, epoch, true)
	a.fetch("fetch after abort", 0)
	a.fetch("fetch from the middle", 1)
	a.offsets("stable offset after abort", true)
	a.produce("late batch", me, epoch, 2, tx)
	a.producers("producers after abort")
	a.init("begin once more", 60_000, -1, -1)
	me, epoch = id()
	if first {
		a.add("add", a.topic, 0, epoch)
		a.addOffsets("add offsets")
	}
	a.produce("batch to be fenced", me, epoch, 0, tx)
	a.init("fence", 60_000, -1, -1)
	a.produce("zombie's batch", me, epoch, 1, tx)
	a.end("zombie's commit", me, epoch, true)
	a.init("zombie goes on", 60_000, me, epoch)
	me, epoch = id()
	if first {
		a.add("add", a.topic, 0, epoch)
		a.addOffsets("add offsets")
	}
	a.produce("batch to be committed", me, epoch, 0, tx)
	a.commitOffset("offset to be committed", "g"+a.tx, epoch, 3)
	a.end("commit", me, epoch, true)
	a.end("commit again", me, epoch, true)
	a.end("abort what was committed", me, epoch, false)
	a.offsets("committed offset in the end", true)
	a.describe("describe in the end")
	a.fetch("fetch in the end", 0)
}

// A real Kafka 4.3.1 has answered the script's requests so. With KAFKA_ADDR set
// they go to the broker there, and with -update its answers are kept.
func TestTransactions_AsKafka(t *testing.T) {
	addr := os.Getenv("KAFKA_ADDR")
	opts := []kgo.Opt{kgo.SeedBrokers(addr)}
	if addr == "" {
		b := start(t, Config{})
		opts = []kgo.Opt{kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial)}
	}
	var got []string
	for _, protocol := range []string{"v2", "v1"} {
		if protocol == "v1" {
			opts = append(opts, kgo.MaxVersions(kversion.V3_4_0()))
		}
		c, err := kgo.NewClient(opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		topic := fmt.Sprint("script-", protocol, "-", time.Now().UnixNano())
		r, err := kadm.NewClient(c).CreateTopic(context.Background(), 1, 1, nil, topic)
		if err != nil {
			t.Fatal(err)
		}
		a := &asker{t: t, c: c, tx: "tx-" + topic, topic: topic, topicID: r.ID, protocol: protocol}
		a.script()
		got = append(got, a.lines...)
	}
	const file = "testdata/transactions-kafka-4.3.1.txt"
	all := strings.Join(got, "\n") + "\n"
	if *update && addr != "" {
		if err := os.WriteFile(file, []byte(all), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(golden)), "\n")
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("got\n\t%s\nwant\n\t%s", g, w)
		}
	}
}
