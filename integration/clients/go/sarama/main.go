// Command sarama does what users of IBM/sarama do. The broker's address is its
// argument.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/IBM/sarama"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

var (
	addr  []string
	admin sarama.ClusterAdmin
)

func main() {
	addr = os.Args[1:2]
	admin = Must1(sarama.NewClusterAdmin(addr, config()))
	Main("sarama", []Check{
		{"cluster", cluster}, {"topics", topics}, {"topics refused", refused}, {"configs", configs}, {"log dirs", logDirs},
		{"codec none", codec(sarama.CompressionNone)}, {"codec gzip", codec(sarama.CompressionGZIP)}, {"codec snappy", codec(sarama.CompressionSnappy)},
		{"codec lz4", codec(sarama.CompressionLZ4)}, {"codec zstd", codec(sarama.CompressionZSTD)},
		{"older protocol versions", oldVersions}, {"acks", acks}, {"headers and nulls", headers}, {"timestamps", timestamps}, {"large records", large},
		{"idempotence", idempotence}, {"async producer", async}, {"offsets by time", offsets}, {"consume from an offset", fromOffset}, {"pause", pause}, {"out of range", outOfRange},
		{"delete records", deleteRecords}, {"group", group}, {"rebalance", rebalance(sarama.NewBalanceStrategyRange())}, {"rebalance, sticky", rebalance(sarama.NewBalanceStrategySticky())}, {"static member", static},
		{"describe and delete groups", groups}, {"offset manager", offsetManager}, {"transactions", transactions}, {"transactions with offsets", transactionOffsets}, {"users", users}, {"quotas", quotas},
	})
}

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.MaxWaitTime = 200 * time.Millisecond
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	c.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	c.Consumer.Group.Rebalance.Timeout = 10 * time.Second
	return c
}

func topic(partitions int32, configs ...string) string {
	name := Fresh("t")
	d := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: map[string]*string{}}
	for i := 0; i < len(configs); i += 2 {
		d.ConfigEntries[configs[i]] = &configs[i+1]
	}
	Must(admin.CreateTopic(name, d, false))
	Until("the topic is known", func() bool {
		t, err := admin.DescribeTopics([]string{name})
		return err == nil && t[0].Err == sarama.ErrNoError && len(t[0].Partitions) == int(partitions)
	})
	return name
}

func send(c *sarama.Config, ms ...*sarama.ProducerMessage) {
	p := Must1(sarama.NewSyncProducer(addr, c))
	defer p.Close()
	Must(p.SendMessages(ms))
}

func messages(topic string, values ...string) []*sarama.ProducerMessage {
	var ms []*sarama.ProducerMessage
	for _, v := range values {
		ms = append(ms, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(v)})
	}
	return ms
}

// read reads n records of a partition and makes sure that there are no more.
func read(c *sarama.Config, topic string, partition int32, from int64, n int) []*sarama.ConsumerMessage {
	k := Must1(sarama.NewConsumer(addr, c))
	defer k.Close()
	p := Must1(k.ConsumePartition(topic, partition, from))
	defer p.Close()
	return take(p.Messages(), n)
}

func take(from <-chan *sarama.ConsumerMessage, n int) []*sarama.ConsumerMessage {
	var got []*sarama.ConsumerMessage
	for len(got) < n {
		select {
		case m := <-from:
			got = append(got, m)
		case <-time.After(40 * time.Second):
			Must(fmt.Errorf("only %d of %d records", len(got), n))
		}
	}
	select {
	case <-from:
		Must(errors.New("more records than there should be"))
	case <-time.After(300 * time.Millisecond):
	}
	return got
}

func readAll(topic string, n int) []*sarama.ConsumerMessage {
	return read(config(), topic, 0, sarama.OffsetOldest, n)
}

func cluster() error {
	brokers, controller, err := admin.DescribeCluster()
	Must(err)
	Equal(len(brokers), 1, "brokers")
	Equal(brokers[0].ID(), controller, "controller")
	return nil
}

func topics() error {
	name := topic(2)
	l := Must1(admin.ListTopics())
	Equal(l[name].NumPartitions, int32(2), "partitions in the list")
	err := admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
	Holds(errors.Is(err, sarama.ErrTopicAlreadyExists), "creating it again fails")
	Must(admin.CreatePartitions(name, 4, nil, false))
	Until("four partitions", func() bool { return len(Must1(admin.DescribeTopics([]string{name}))[0].Partitions) == 4 })
	Must(admin.DeleteTopic(name))
	Holds(errors.Is(admin.DeleteTopic(name), sarama.ErrUnknownTopicOrPartition), "deleting it again fails")
	return nil
}

func refused() error {
	v := "x"
	err := admin.CreateTopic(Fresh("t"), &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &v}}, false)
	Holds(errors.Is(err, sarama.ErrInvalidConfig), fmt.Sprintf("a bad config: %v", err))
	err = admin.CreateTopic("a b", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
	Holds(errors.Is(err, sarama.ErrInvalidTopic), fmt.Sprintf("a bad name: %v", err))
	name := Fresh("t")
	Must(admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, true))
	_, there := Must1(admin.ListTopics())[name]
	Holds(!there, "a topic was only validated")
	return nil
}

func configs() error {
	name := topic(1, "cleanup.policy", "compact")
	get := func(key string) string {
		e := Must1(admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: name, ConfigNames: []string{key}}))
		return e[0].Value
	}
	Equal(get("cleanup.policy"), "compact", "cleanup.policy")
	v := "777"
	Must(admin.IncrementalAlterConfig(sarama.TopicResource, name, map[string]sarama.IncrementalAlterConfigsEntry{"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &v}}, false))
	Equal(get("retention.ms"), "777", "retention.ms")
	Must(admin.AlterConfig(sarama.TopicResource, name, map[string]*string{"retention.ms": &v}, false))
	Equal(get("cleanup.policy"), "delete", "cleanup.policy after the old way")
	return nil
}

func logDirs() error {
	_, id, err := admin.DescribeCluster()
	Must(err)
	d := Must1(admin.DescribeLogDirs([]int32{id}))
	Holds(len(d[id]) == 1 && d[id][0].ErrorCode == sarama.ErrNoError, "one directory")
	return nil
}

func codec(k sarama.CompressionCodec) func() error {
	return func() error {
		name := topic(1)
		c := config()
		c.Producer.Compression = k
		var in []*sarama.ProducerMessage
		for i := range 200 {
			in = append(in, &sarama.ProducerMessage{Topic: name, Key: sarama.StringEncoder(fmt.Sprint(i)), Value: sarama.ByteEncoder(bytes.Repeat(fmt.Append(nil, i), i))})
		}
		send(c, in...)
		for i, m := range readAll(name, 200) {
			Equal(string(m.Key), fmt.Sprint(i), "key")
			Equal(m.Value, bytes.Repeat(fmt.Append(nil, i), i), "value")
			Equal(m.Offset, int64(i), "offset")
		}
		return nil
	}
}

func oldVersions() error {
	for _, v := range []sarama.KafkaVersion{sarama.V1_0_0_0, sarama.V2_1_0_0, sarama.V2_8_0_0, sarama.V4_0_0_0} {
		name := topic(1)
		c := config()
		c.Version = v
		send(c, messages(name, "v")...)
		Equal(string(read(c, name, 0, sarama.OffsetOldest, 1)[0].Value), "v", v.String())
	}
	return nil
}

func acks() error {
	name := topic(1)
	for _, a := range []sarama.RequiredAcks{sarama.NoResponse, sarama.WaitForLocal, sarama.WaitForAll} {
		c := config()
		c.Producer.RequiredAcks = a
		send(c, messages(name, fmt.Sprint(a))...)
	}
	readAll(name, 3)
	return nil
}

func headers() error {
	name := topic(1)
	send(config(), &sarama.ProducerMessage{Topic: name, Value: sarama.StringEncoder("v"), Headers: []sarama.RecordHeader{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a"), Value: []byte("2")}}},
		&sarama.ProducerMessage{Topic: name, Key: sarama.StringEncoder("k")})
	got := readAll(name, 2)
	Equal(len(got[0].Headers), 2, "headers")
	Equal(string(got[0].Headers[1].Value), "2", "second header")
	Holds(got[0].Key == nil && got[1].Value == nil, "nulls")
	return nil
}

func timestamps() error {
	at := time.UnixMilli(1_500_000_000_000)
	name, appended := topic(1), topic(1, "message.timestamp.type", "LogAppendTime")
	send(config(), &sarama.ProducerMessage{Topic: name, Timestamp: at}, &sarama.ProducerMessage{Topic: appended, Timestamp: at})
	Equal(readAll(name, 1)[0].Timestamp.UnixMilli(), at.UnixMilli(), "create time")
	Holds(readAll(appended, 1)[0].Timestamp.After(at.Add(24*time.Hour)), "append time")
	return nil
}

func large() error {
	name := topic(1, "max.message.bytes", "3000000")
	c := config()
	c.Producer.MaxMessageBytes = 8e6
	c.Producer.Retry.Max = 0
	value := bytes.Repeat([]byte("abc"), 800_000)
	send(c, &sarama.ProducerMessage{Topic: name, Value: sarama.ByteEncoder(value)})
	Holds(bytes.Equal(readAll(name, 1)[0].Value, value), "the value comes back")
	p := Must1(sarama.NewSyncProducer(addr, c))
	defer p.Close()
	_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: name, Value: sarama.ByteEncoder(make([]byte, 3_500_000))})
	Holds(errors.Is(err, sarama.ErrMessageSizeTooLarge), fmt.Sprintf("a record that is too large: %v", err))
	return nil
}

func idempotence() error {
	name := topic(2)
	c := config()
	c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1
	var in []*sarama.ProducerMessage
	for i := range 2000 {
		in = append(in, &sarama.ProducerMessage{Topic: name, Partition: int32(i % 2), Value: sarama.StringEncoder(fmt.Sprint(i))})
	}
	send(c, in...)
	for part := range int32(2) {
		for i, m := range read(config(), name, part, sarama.OffsetOldest, 1000) {
			Equal(string(m.Value), fmt.Sprint(2*i+int(part)), "value")
		}
	}
	return nil
}

func async() error {
	name := topic(1)
	p := Must1(sarama.NewAsyncProducer(addr, config()))
	for _, m := range messages(name, Numbers(100)...) {
		p.Input() <- m
	}
	for range 100 {
		select {
		case <-p.Successes():
		case err := <-p.Errors():
			return err
		}
	}
	Must(p.Close())
	readAll(name, 100)
	return nil
}

func offsets() error {
	name := topic(1)
	for i := range 3 {
		send(config(), &sarama.ProducerMessage{Topic: name, Timestamp: time.UnixMilli(int64(1000 * (i + 1)))})
	}
	k := Must1(sarama.NewClient(addr, config()))
	defer k.Close()
	var got []int64
	for _, at := range []int64{sarama.OffsetOldest, sarama.OffsetNewest, 1500, 99_999} {
		got = append(got, Must1(k.GetOffset(name, 0, at)))
	}
	Equal(got, []int64{0, 3, 1, -1}, "oldest, newest, by time, after the last")
	return nil
}

func fromOffset() error {
	name := topic(1)
	send(config(), messages(name, Numbers(10)...)...)
	got := read(config(), name, 0, 6, 4)
	Equal(string(got[0].Value), "6", "value")
	return nil
}

func pause() error {
	name := topic(1)
	k := Must1(sarama.NewConsumer(addr, config()))
	defer k.Close()
	p := Must1(k.ConsumePartition(name, 0, sarama.OffsetOldest))
	defer p.Close()
	send(config(), messages(name, "1")...)
	take(p.Messages(), 1)
	p.Pause()
	time.Sleep(500 * time.Millisecond)
	send(config(), messages(name, "2")...)
	select {
	case <-p.Messages():
		return errors.New("a paused partition was read")
	case <-time.After(time.Second):
	}
	p.Resume()
	take(p.Messages(), 1)
	return nil
}

func outOfRange() error {
	name := topic(1)
	k := Must1(sarama.NewConsumer(addr, config()))
	defer k.Close()
	_, err := k.ConsumePartition(name, 0, 99)
	Holds(errors.Is(err, sarama.ErrOffsetOutOfRange), fmt.Sprintf("an offset that isn't there: %v", err))
	return nil
}

func deleteRecords() error {
	name := topic(1)
	send(config(), messages(name, Numbers(10)...)...)
	Must(admin.DeleteRecords(name, map[int32]int64{0: 4}))
	Equal(string(readAll(name, 6)[0].Value), "4", "first value")
	return nil
}

// member is a member of a group.
type member struct {
	g      sarama.ConsumerGroup
	got    chan *sarama.ConsumerMessage
	mark   bool
	cancel context.CancelFunc
	ended  chan struct{}

	mu  sync.Mutex
	has int
}

func join(c *sarama.Config, id, topic string) *member {
	m := &member{g: Must1(sarama.NewConsumerGroup(addr, id, c)), got: make(chan *sarama.ConsumerMessage, 1000), mark: true, ended: make(chan struct{})}
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(m.ended)
		for ctx.Err() == nil {
			if err := m.g.Consume(ctx, []string{topic}, m); err != nil {
				return
			}
		}
	}()
	return m
}

func (m *member) leave() {
	m.cancel()
	<-m.ended
	m.g.Close()
}

func (m *member) assigned() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.has
}

// Setup notes what is assigned.
func (m *member) Setup(s sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.has = 0
	for _, p := range s.Claims() {
		m.has += len(p)
	}
	return nil
}

// Cleanup does nothing.
func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim gathers records.
func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for r := range c.Messages() {
		m.got <- r
		s.MarkMessage(r, "note")
	}
	return nil
}

func group() error {
	name, id := topic(2), Fresh("g")
	send(config(), messages(name, Numbers(20)...)...)
	m := join(config(), id, name)
	take(m.got, 20)
	m.leave()
	send(config(), messages(name, "next")...)
	m = join(config(), id, name)
	defer m.leave()
	Equal(string(take(m.got, 1)[0].Value), "next", "after the commit")
	return nil
}

func rebalance(s sarama.BalanceStrategy) func() error {
	return func() error {
		c := config()
		c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{s}
		name, id := topic(4), Fresh("g")
		a := join(c, id, name)
		defer a.leave()
		b := join(c, id, name)
		Until("two partitions each", func() bool { return a.assigned() == 2 && b.assigned() == 2 })
		b.leave()
		Until("all for the one left", func() bool { return a.assigned() == 4 })
		send(config(), messages(name, Numbers(20)...)...)
		take(a.got, 20)
		return nil
	}
}

func static() error {
	c := config()
	c.Consumer.Group.InstanceId = "one"
	name, id := topic(2), Fresh("g")
	for range 2 {
		m := join(c, id, name)
		Until("assigned", func() bool { return m.assigned() == 2 })
		d := Must1(admin.DescribeConsumerGroups([]string{id}))
		Equal(len(d[0].Members), 1, "members")
		m.leave()
	}
	return nil
}

func groups() error {
	name, id := topic(1), Fresh("g")
	m := join(config(), id, name)
	Until("assigned", func() bool { return m.assigned() == 1 })
	d := Must1(admin.DescribeConsumerGroups([]string{id}))
	Equal(d[0].State, "Stable", "state")
	Equal(Must1(admin.ListConsumerGroups())[id], "consumer", "type in the list")
	Holds(errors.Is(admin.DeleteConsumerGroup(id), sarama.ErrNonEmptyGroup), "a group with members can't be deleted")
	m.leave()
	return admin.DeleteConsumerGroup(id)
}

func offsetManager() error {
	name, id := topic(1), Fresh("g")
	k := Must1(sarama.NewClient(addr, config()))
	defer k.Close()
	o := Must1(sarama.NewOffsetManagerFromClient(id, k))
	p := Must1(o.ManagePartition(name, 0))
	p.MarkOffset(5, "note")
	o.Commit()
	Must(p.Close())
	Must(o.Close())
	r := Must1(admin.ListConsumerGroupOffsets(id, map[string][]int32{name: {0}}))
	b := r.GetBlock(name, 0)
	Equal(fmt.Sprintf("%d %s", b.Offset, b.Metadata), "5 note", "committed")
	Must(admin.DeleteConsumerGroupOffset(id, name, 0))
	r = Must1(admin.ListConsumerGroupOffsets(id, map[string][]int32{name: {0}}))
	Equal(r.GetBlock(name, 0).Offset, int64(-1), "after its deletion")
	return nil
}

func transactional() sarama.SyncProducer {
	c := config()
	c.Producer.Idempotent, c.Net.MaxOpenRequests, c.Producer.Transaction.ID = true, 1, Fresh("x")
	return Must1(sarama.NewSyncProducer(addr, c))
}

func transactions() error {
	name := topic(1)
	p := transactional()
	defer p.Close()
	for i := range 6 {
		Must(p.BeginTxn())
		Must(p.SendMessages(messages(name, fmt.Sprint(i))))
		if i%2 == 0 {
			Must(p.CommitTxn())
		} else {
			Must(p.AbortTxn())
		}
	}
	c := config()
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	var got []string
	for _, m := range read(c, name, 0, sarama.OffsetOldest, 3) {
		got = append(got, string(m.Value))
	}
	Equal(got, []string{"0", "2", "4"}, "committed")
	readAll(name, 6)
	return nil
}

func transactionOffsets() error {
	name, id := topic(1), Fresh("g")
	p := transactional()
	defer p.Close()
	for at, commit := range map[int64]bool{5: true} {
		Must(p.BeginTxn())
		Must(p.SendMessages(messages(name, "v")))
		Must(p.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{name: {{Partition: 0, Offset: at}}}, id))
		if commit {
			Must(p.CommitTxn())
		}
	}
	Must(p.BeginTxn())
	Must(p.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{name: {{Partition: 0, Offset: 9}}}, id))
	Must(p.AbortTxn())
	Until("the offset of the first", func() bool {
		return Must1(admin.ListConsumerGroupOffsets(id, map[string][]int32{name: {0}})).GetBlock(name, 0).Offset == 5
	})
	return nil
}

func users() error {
	name := Fresh("user")
	r := Must1(admin.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{{Name: name, Mechanism: sarama.SCRAM_MECHANISM_SHA_256, Iterations: 5000, Salt: []byte("salt"), Password: []byte("secret")}}))
	Equal(r[0].ErrorCode, sarama.ErrNoError, "error")
	Until("the user is there", func() bool {
		d := Must1(admin.DescribeUserScramCredentials([]string{name}))
		return len(d) == 1 && len(d[0].CredentialInfos) == 1 && d[0].CredentialInfos[0].Iterations == 5000
	})
	return nil
}

func quotas() error {
	id := Fresh("client")
	who := []sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityClientID, MatchType: sarama.QuotaMatchExact, Name: id}}
	Must(admin.AlterClientQuotas(who, sarama.ClientQuotasOp{Key: "producer_byte_rate", Value: 1e9}, false))
	Until("the quota is there", func() bool {
		d := Must1(admin.DescribeClientQuotas([]sarama.QuotaFilterComponent{{EntityType: sarama.QuotaEntityClientID, MatchType: sarama.QuotaMatchExact, Match: id}}, true))
		return len(d) == 1 && d[0].Values["producer_byte_rate"] == 1e9
	})
	return nil
}
