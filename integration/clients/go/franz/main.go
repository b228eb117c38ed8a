// Command franz does what users of twmb/franz-go do. The broker's address is its
// argument. (The library's own tests can run against a broker, too.)
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

var (
	addr  string
	admin *kadm.Client
	ctx   = context.Background()
)

func main() {
	addr = os.Args[1]
	admin = kadm.NewClient(client())
	Main("franz-go", []Check{
		{"cluster", cluster}, {"topics", topics}, {"configs", configs}, {"log dirs", logDirs},
		{"codec none", codec(kgo.NoCompression())}, {"codec gzip", codec(kgo.GzipCompression())}, {"codec snappy", codec(kgo.SnappyCompression())},
		{"codec lz4", codec(kgo.Lz4Compression())}, {"codec zstd", codec(kgo.ZstdCompression())},
		{"acks", acks}, {"headers and nulls", headers}, {"timestamps", timestamps}, {"large records", large}, {"order", order}, {"auto create", autoCreate}, {"topic made anew", recreated},
		{"offsets", offsets}, {"consume by time", byTime}, {"pause", pause}, {"out of range", outOfRange}, {"pattern", pattern}, {"delete records", deleteRecords},
		{"group", group}, {"rebalance, cooperative", rebalance()}, {"rebalance, eager", rebalance(kgo.Balancers(kgo.RangeBalancer()))},
		{"rebalance, consumer protocol", rebalance(kgo.WithContext(context.WithValue(ctx, "opt_in_kafka_next_gen_balancer_beta", true)))}, {"static member", static},
		{"describe and delete groups", groups}, {"offsets of groups", groupOffsets},
		{"transactions", transactions}, {"transactions from group to topic", session}, {"fencing", fencing}, {"describe transactions and producers", describeTxn},
		{"users", users}, {"quotas", quotas}, {"ACLs without an authorizer", acls},
	})
}

func client(opts ...kgo.Opt) *kgo.Client {
	return Must1(kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.MetadataMinAge(100 * time.Millisecond), kgo.MetadataMaxAge(time.Second), kgo.FetchMaxWait(200 * time.Millisecond)}, opts...)...))
}

func topic(partitions int32, configs ...string) string {
	name := Fresh("t")
	c := map[string]*string{}
	for i := 0; i < len(configs); i += 2 {
		c[configs[i]] = &configs[i+1]
	}
	Must1(admin.CreateTopic(ctx, partitions, 1, c, name))
	Until("the topic is known", func() bool {
		t, err := admin.ListTopics(ctx, name)
		return err == nil && t[name].Err == nil && len(t[name].Partitions) == int(partitions)
	})
	return name
}

func write(topic string, values ...string) {
	k := client(kgo.DefaultProduceTopic(topic))
	defer k.Close()
	for _, v := range values {
		k.Produce(ctx, kgo.StringRecord(v), func(_ *kgo.Record, err error) {
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		})
	}
	Must(k.Flush(ctx))
}

// read reads n records and makes sure that there are no more.
func read(k *kgo.Client, n int) []*kgo.Record {
	poll := func(d time.Duration) []*kgo.Record {
		c, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		f := k.PollFetches(c)
		for _, e := range f.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) {
				Must(e.Err)
			}
		}
		return f.Records()
	}
	var got []*kgo.Record
	for end := time.Now().Add(40 * time.Second); len(got) < n && time.Now().Before(end); {
		got = append(got, poll(time.Second)...)
	}
	got = append(got, poll(300*time.Millisecond)...)
	Equal(len(got), n, "records read")
	return got
}

func readAll(topic string, n int, opts ...kgo.Opt) []*kgo.Record {
	k := client(append(opts, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	defer k.Close()
	return read(k, n)
}

func cluster() error {
	m := Must1(admin.Metadata(ctx))
	Equal(len(m.Brokers), 1, "brokers")
	Holds(m.Cluster != "" && m.Controller == m.Brokers[0].NodeID, "cluster and controller")
	v := Must1(admin.ApiVersions(ctx)).Sorted()[0]
	Holds(v.VersionGuess() != "unknown", "a version that is known")
	return nil
}

func topics() error {
	name := topic(2)
	_, err := admin.CreateTopic(ctx, 1, 1, nil, name)
	Holds(errors.Is(err, kerr.TopicAlreadyExists), "creating it again fails")
	Must(Must1(admin.UpdatePartitions(ctx, 4, name)).Error())
	Until("four partitions", func() bool { return len(Must1(admin.ListTopics(ctx, name))[name].Partitions) == 4 })
	Must(Must1(admin.DeleteTopics(ctx, name)).Error())
	Holds(errors.Is(Must1(admin.DeleteTopics(ctx, name)).Error(), kerr.UnknownTopicOrPartition), "deleting it again fails")
	_, err = admin.CreateTopic(ctx, 1, 1, map[string]*string{"no.such": new(string)}, Fresh("t"))
	Holds(errors.Is(err, kerr.InvalidConfig), "an unknown config fails")
	return nil
}

func configs() error {
	name := topic(1, "cleanup.policy", "compact")
	get := func(key string) string {
		c := Must1(Must1(admin.DescribeTopicConfigs(ctx, name)).On(name, nil))
		for _, e := range c.Configs {
			if e.Key == key {
				return e.MaybeValue()
			}
		}
		return "missing"
	}
	v, a := "777", "delete"
	Must(Must1(admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &v}, {Op: kadm.AppendConfig, Name: "cleanup.policy", Value: &a}}, name))[0].Err)
	Equal(get("retention.ms")+" "+get("cleanup.policy"), "777 compact,delete", "configs")
	Must(Must1(admin.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: &v}}, name))[0].Err)
	Equal(get("retention.ms")+" "+get("cleanup.policy"), "777 delete", "configs after the old way")
	return nil
}

func logDirs() error {
	name := topic(2)
	write(name, "v")
	d := Must1(admin.DescribeAllLogDirs(ctx, kadm.TopicsSet{name: {0: {}, 1: {}}}))
	n := 0
	d.Each(func(x kadm.DescribedLogDir) { x.Topics.Each(func(kadm.DescribedLogDirPartition) { n++ }) })
	Equal(n, 2, "partitions")
	return nil
}

func codec(c kgo.CompressionCodec) func() error {
	return func() error {
		name := topic(1)
		k := client(kgo.ProducerBatchCompression(c), kgo.DefaultProduceTopic(name), kgo.ProducerLinger(10*time.Millisecond))
		defer k.Close()
		var in []*kgo.Record
		for i := range 200 {
			in = append(in, &kgo.Record{Key: fmt.Append(nil, i), Value: bytes.Repeat(fmt.Append(nil, i), i)})
		}
		Must(k.ProduceSync(ctx, in...).FirstErr())
		for i, r := range readAll(name, 200) {
			Equal(string(r.Key), fmt.Sprint(i), "key")
			Holds(bytes.Equal(r.Value, in[i].Value), "the value comes back")
			Equal(r.Offset, int64(i), "offset")
		}
		return nil
	}
}

func acks() error {
	name := topic(1)
	for _, a := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck(), kgo.AllISRAcks()} {
		k := client(kgo.RequiredAcks(a), kgo.DisableIdempotentWrite(), kgo.DefaultProduceTopic(name))
		Must(k.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr())
		k.Close()
	}
	readAll(name, 3)
	return nil
}

func headers() error {
	name := topic(1)
	k := client()
	defer k.Close()
	hs := []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: "b"}}
	Must(k.ProduceSync(ctx, &kgo.Record{Topic: name, Headers: hs, Value: []byte("v")}, &kgo.Record{Topic: name, Key: []byte("k")}).FirstErr())
	got := readAll(name, 2)
	Equal(got[0].Headers, hs, "headers")
	Holds(got[0].Key == nil && got[1].Value == nil, "nulls")
	return nil
}

func timestamps() error {
	at := time.UnixMilli(1_500_000_000_000)
	name, appended := topic(1), topic(1, "message.timestamp.type", "LogAppendTime")
	k := client()
	defer k.Close()
	Must(k.ProduceSync(ctx, &kgo.Record{Topic: name, Timestamp: at}, &kgo.Record{Topic: appended, Timestamp: at}).FirstErr())
	Equal(readAll(name, 1)[0].Timestamp.UnixMilli(), at.UnixMilli(), "create time")
	r := readAll(appended, 1)[0]
	Holds(r.Timestamp.After(at.Add(time.Hour)) && r.Attrs.TimestampType() == 1, "append time")
	return nil
}

func large() error {
	name := topic(1, "max.message.bytes", "3000000")
	k := client(kgo.ProducerBatchMaxBytes(8e6), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DefaultProduceTopic(name))
	defer k.Close()
	value := bytes.Repeat([]byte("abc"), 800_000)
	Must(k.ProduceSync(ctx, kgo.SliceRecord(value)).FirstErr())
	Holds(bytes.Equal(readAll(name, 1)[0].Value, value), "the value comes back")
	err := k.ProduceSync(ctx, kgo.SliceRecord(make([]byte, 3_500_000))).FirstErr()
	Holds(errors.Is(err, kerr.MessageTooLarge), fmt.Sprintf("a record that is too large: %v", err))
	return nil
}

func order() error {
	name := topic(3)
	k := client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(name))
	defer k.Close()
	for i := range 30_000 {
		k.Produce(ctx, &kgo.Record{Partition: int32(i % 3), Value: fmt.Append(nil, i)}, nil)
	}
	Must(k.Flush(ctx))
	next := [3]int{0, 1, 2}
	for _, r := range readAll(name, 30_000) {
		Equal(string(r.Value), fmt.Sprint(next[r.Partition]), "value")
		next[r.Partition] += 3
	}
	return nil
}

func autoCreate() error {
	name := Fresh("t")
	k := client(kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic(name))
	defer k.Close()
	Must(k.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr())
	readAll(name, 1)
	return nil
}

func recreated() error {
	name := topic(1)
	write(name, "old")
	id := Must1(admin.ListTopics(ctx, name))[name].ID
	Must(Must1(admin.DeleteTopics(ctx, name)).Error())
	Until("made again", func() bool {
		_, err := admin.CreateTopic(ctx, 1, 1, nil, name)
		return err == nil
	})
	Until("known with another id", func() bool {
		t := Must1(admin.ListTopics(ctx, name))[name]
		return t.Err == nil && t.ID != id
	})
	write(name, "new")
	Equal(string(readAll(name, 1)[0].Value), "new", "value")
	return nil
}

func offsets() error {
	name := topic(1)
	k := client()
	defer k.Close()
	for i := range 3 {
		Must(k.ProduceSync(ctx, &kgo.Record{Topic: name, Timestamp: time.UnixMilli(int64(1000 * (i + 1)))}).FirstErr())
	}
	at := func(l kadm.ListedOffsets, err error) int64 {
		Must(err)
		o, _ := l.Lookup(name, 0)
		Must(o.Err)
		return o.Offset
	}
	Equal([]int64{at(admin.ListStartOffsets(ctx, name)), at(admin.ListEndOffsets(ctx, name)), at(admin.ListCommittedOffsets(ctx, name)), at(admin.ListOffsetsAfterMilli(ctx, 1500, name)), at(admin.ListMaxTimestampOffsets(ctx, name))},
		[]int64{0, 3, 3, 1, 2}, "start, end, committed, by time, highest time")
	return nil
}

func byTime() error {
	name := topic(1)
	k := client()
	defer k.Close()
	for i := range 10 {
		Must(k.ProduceSync(ctx, &kgo.Record{Topic: name, Timestamp: time.UnixMilli(int64(1000 * (i + 1)))}).FirstErr())
	}
	r := client(kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(4500)))
	defer r.Close()
	Equal(read(r, 6)[0].Offset, int64(4), "first offset")
	r2 := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().AtEnd().Relative(-3)}}))
	defer r2.Close()
	Equal(read(r2, 3)[0].Offset, int64(7), "the last three")
	return nil
}

func pause() error {
	name := topic(1)
	k := client(kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer k.Close()
	write(name, "1")
	read(k, 1)
	k.PauseFetchTopics(name)
	write(name, "2")
	read(k, 0)
	k.ResumeFetchTopics(name)
	read(k, 1)
	return nil
}

func outOfRange() error {
	name := topic(1)
	write(name, "v")
	k := client(kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().At(99)}}))
	defer k.Close()
	c, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err := k.PollFetches(c).Err()
	Holds(errors.Is(err, kerr.OffsetOutOfRange), fmt.Sprintf("an offset that isn't there: %v", err))
	return nil
}

func pattern() error {
	a, b := topic(1), topic(1)
	write(a, "v")
	write(b, "v")
	k := client(kgo.ConsumeRegex(), kgo.ConsumeTopics("^("+a+"|"+b+")$"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer k.Close()
	read(k, 2)
	return nil
}

func deleteRecords() error {
	name := topic(1)
	write(name, Numbers(10)...)
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: name, At: 4})
	Must(Must1(admin.DeleteRecords(ctx, o)).Error())
	Equal(string(readAll(name, 6)[0].Value), "4", "first value")
	return nil
}

func member(id, topic string, opts ...kgo.Opt) *kgo.Client {
	return client(append([]kgo.Opt{kgo.ConsumerGroup(id), kgo.ConsumeTopics(topic), kgo.SessionTimeout(6 * time.Second), kgo.RebalanceTimeout(10 * time.Second),
		kgo.HeartbeatInterval(300 * time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit()}, opts...)...)
}

func group() error {
	name, id := topic(2), Fresh("g")
	write(name, Numbers(20)...)
	k := member(id, name)
	read(k, 20)
	Must(k.CommitUncommittedOffsets(ctx))
	k.Close()
	write(name, "next")
	k = member(id, name)
	defer k.Close()
	Equal(string(read(k, 1)[0].Value), "next", "after the commit")
	return nil
}

// counter counts the partitions that a member has.
type counter struct {
	mu  sync.Mutex
	has map[int32]bool
}

func (c *counter) opts(topic string) []kgo.Opt {
	c.has = map[int32]bool{}
	change := func(is bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, ps map[string][]int32) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, p := range ps[topic] {
				delete(c.has, p)
				if is {
					c.has[p] = true
				}
			}
		}
	}
	return []kgo.Opt{kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false))}
}

func (c *counter) n() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.has)
}

func rebalance(opts ...kgo.Opt) func() error {
	return func() error {
		name, id := topic(4), Fresh("g")
		var ofA, ofB counter
		a := member(id, name, append(ofA.opts(name), opts...)...)
		defer a.Close()
		b := member(id, name, append(ofB.opts(name), opts...)...)
		Until("two partitions each", func() bool { return ofA.n() == 2 && ofB.n() == 2 })
		b.Close()
		Until("all for the one left", func() bool { return ofA.n() == 4 })
		write(name, Numbers(20)...)
		read(a, 20)
		return a.CommitUncommittedOffsets(ctx)
	}
}

func static() error {
	name, id := topic(2), Fresh("g")
	for range 2 {
		var of counter
		k := member(id, name, append(of.opts(name), kgo.InstanceID("one"))...)
		Until("assigned", func() bool { return of.n() == 2 })
		k.Close()
		Equal(len(Must1(admin.DescribeGroups(ctx, id))[id].Members), 1, "members after close")
	}
	_, err := admin.LeaveGroup(ctx, kadm.LeaveGroup(id).InstanceIDs("one"))
	Must(err)
	Equal(len(Must1(admin.DescribeGroups(ctx, id))[id].Members), 0, "members at last")
	return nil
}

func groups() error {
	name, id := topic(1), Fresh("g")
	write(name, "v")
	k := member(id, name)
	read(k, 1)
	Must(k.CommitUncommittedOffsets(ctx))
	d := Must1(admin.DescribeGroups(ctx, id))[id]
	Equal(d.State+" "+d.ProtocolType, "Stable consumer", "description")
	Holds(slices.Contains(Must1(admin.ListGroups(ctx, "Stable")).Groups(), id), "listed")
	Equal(Must1(admin.Lag(ctx, id))[id].Lag.Total(), int64(0), "lag")
	Holds(errors.Is(Must1(admin.DeleteGroups(ctx, id))[id].Err, kerr.NonEmptyGroup), "a group with members can't be deleted")
	k.Close()
	Must(Must1(admin.DeleteGroups(ctx, id))[id].Err)
	Holds(errors.Is(Must1(admin.DeleteGroups(ctx, id))[id].Err, kerr.GroupIDNotFound), "deleting it again fails")
	return nil
}

func groupOffsets() error {
	name, id := topic(1), Fresh("g")
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: name, At: 5, LeaderEpoch: -1, Metadata: "note"})
	Must(admin.CommitAllOffsets(ctx, id, o))
	got, _ := Must1(admin.FetchOffsets(ctx, id)).Lookup(name, 0)
	Equal(fmt.Sprintf("%d %s", got.At, got.Metadata), "5 note", "committed")
	Must(Must1(admin.DeleteOffsets(ctx, id, kadm.TopicsSet{name: {0: {}}})).Error())
	Equal(len(Must1(admin.FetchOffsets(ctx, id))), 0, "after their deletion")
	return nil
}

func transactions() error {
	name := topic(2)
	k := client(kgo.TransactionalID(Fresh("x")), kgo.DefaultProduceTopic(name))
	defer k.Close()
	for i := range 6 {
		Must(k.BeginTransaction())
		for range 10 {
			k.Produce(ctx, kgo.StringRecord(fmt.Sprint(i)), nil)
		}
		Must(k.Flush(ctx))
		Must(k.EndTransaction(ctx, kgo.TransactionEndTry(i%2 == 0)))
	}
	for _, r := range readAll(name, 30, kgo.FetchIsolationLevel(kgo.ReadCommitted())) {
		Holds((r.Value[0]-'0')%2 == 0, "no record of an aborted transaction")
	}
	readAll(name, 60)
	return nil
}

func session() error {
	source, target, id := topic(3), topic(1), Fresh("g")
	write(source, Numbers(500)...)
	for range 2 {
		s := Must1(kgo.NewGroupTransactSession(kgo.SeedBrokers(addr), kgo.TransactionalID(Fresh("x")), kgo.ConsumerGroup(id), kgo.ConsumeTopics(source),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DefaultProduceTopic(target), kgo.RequireStableFetchOffsets()))
		for round := 0; ; round++ {
			c, cancel := context.WithTimeout(ctx, 3*time.Second)
			f := s.PollRecords(c, 50)
			cancel()
			if len(f.Records()) == 0 {
				break
			}
			Must(s.Begin())
			f.EachRecord(func(r *kgo.Record) { s.Produce(ctx, kgo.SliceRecord(r.Value), nil) })
			Must1(s.End(ctx, kgo.TransactionEndTry(round%3 != 1)))
		}
		s.Close()
	}
	seen := map[string]bool{}
	for _, r := range readAll(target, 500, kgo.FetchIsolationLevel(kgo.ReadCommitted())) {
		seen[string(r.Value)] = true
	}
	Equal(len(seen), 500, "different values")
	return nil
}

func fencing() error {
	name, id := topic(1), Fresh("x")
	a, b := client(kgo.TransactionalID(id), kgo.DefaultProduceTopic(name)), client(kgo.TransactionalID(id), kgo.DefaultProduceTopic(name))
	defer a.Close()
	defer b.Close()
	Must(a.BeginTransaction())
	Must(a.ProduceSync(ctx, kgo.StringRecord("old")).FirstErr())
	Must(b.BeginTransaction())
	Must(b.ProduceSync(ctx, kgo.StringRecord("new")).FirstErr())
	Must(b.EndTransaction(ctx, kgo.TryCommit))
	Holds(a.EndTransaction(ctx, kgo.TryCommit) != nil, "the first can't commit")
	Equal(string(readAll(name, 1, kgo.FetchIsolationLevel(kgo.ReadCommitted()))[0].Value), "new", "committed")
	return nil
}

func describeTxn() error {
	name, id := topic(1), Fresh("x")
	k := client(kgo.TransactionalID(id), kgo.DefaultProduceTopic(name))
	defer k.Close()
	Must(k.BeginTransaction())
	Must(k.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr())
	Equal(Must1(admin.DescribeTransactions(ctx, id))[id].State, "Ongoing", "state")
	l := Must1(admin.ListTransactions(ctx, nil, []string{"Ongoing"}))
	Equal(l[id].State, "Ongoing", "state in the list")
	p := Must1(admin.DescribeProducers(ctx, kadm.TopicsSet{name: {0: {}}}))
	Equal(len(p.SortedProducers()), 1, "producers")
	return k.EndTransaction(ctx, kgo.TryCommit)
}

func users() error {
	name := Fresh("user")
	r := Must1(admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: name, Mechanism: kadm.ScramSha512, Iterations: 5000, Password: "secret"}}))
	Must(r[name].Err)
	Until("the user is there", func() bool {
		d, err := admin.DescribeUserSCRAMs(ctx, name)
		return err == nil && d[name].Err == nil && len(d[name].CredInfos) == 1 && d[name].CredInfos[0].Iterations == 5000
	})
	return nil
}

func quotas() error {
	id := Fresh("client")
	Must(Must1(admin.AlterClientQuotas(ctx, []kadm.AlterClientQuotaEntry{{Entity: kadm.ClientQuotaEntity{{Type: "client-id", Name: &id}}, Ops: []kadm.AlterClientQuotaOp{{Key: "consumer_byte_rate", Value: 1e9}}}}))[0].Err)
	Until("the quota is there", func() bool {
		q, err := admin.DescribeClientQuotas(ctx, true, []kadm.DescribeClientQuotaComponent{{Type: "client-id", MatchName: &id}})
		return err == nil && len(q) == 1 && q[0].Values[0].Value == 1e9
	})
	return nil
}

func acls() error {
	r, err := admin.DescribeACLs(ctx, kadm.NewACLs().AnyResource().Allow().AllowHosts().Deny().DenyHosts().Operations().ResourcePatternType(kadm.ACLPatternAny))
	if err == nil {
		err = r[0].Err
	}
	Holds(errors.Is(err, kerr.SecurityDisabled), fmt.Sprintf("security is disabled: %v", err))
	return nil
}
