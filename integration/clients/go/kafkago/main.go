// Command kafkago does what users of segmentio/kafka-go do. The broker's address
// is its argument.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

var (
	addr   string
	client *kafka.Client
	ctx    = context.Background()
)

func main() {
	addr = os.Args[1]
	client = &kafka.Client{Addr: kafka.TCP(addr), Timeout: 30 * time.Second}
	Main("segmentio kafka-go", []Check{
		{"metadata", metadata}, {"topics", topics}, {"configs", configs}, {"api versions", versions},
		{"codec none", codec(0)}, {"codec gzip", codec(kafka.Gzip)}, {"codec snappy", codec(kafka.Snappy)},
		{"codec lz4", codec(kafka.Lz4)}, {"codec zstd", codec(kafka.Zstd)},
		{"acks", acks}, {"headers and nulls", headers}, {"timestamps", timestamps}, {"large records", large}, {"auto create", autoCreate},
		{"reader", reader}, {"reader by time", readerByTime}, {"conn", conn}, {"offsets", offsets}, {"missing topic", missing},
		{"group", group}, {"rebalance", rebalance}, {"group start offset", startOffset}, {"describe and delete groups", groups}, {"offsets of groups", groupOffsets},
		{"transaction", transaction}, {"users", users},
	})
}

func topic(partitions int, configs ...kafka.ConfigEntry) string {
	name := Fresh("t")
	r := Must1(client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: configs}}}))
	Must(r.Errors[name])
	Until("the topic is known", func() bool {
		m, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})
		return err == nil && m.Topics[0].Error == nil && len(m.Topics[0].Partitions) == partitions
	})
	return name
}

func writer(w *kafka.Writer) *kafka.Writer {
	w.Addr = kafka.TCP(addr)
	w.BatchTimeout = 5 * time.Millisecond
	if w.RequiredAcks == 0 {
		w.RequiredAcks = kafka.RequireAll
	}
	return w
}

func write(topic string, ms ...kafka.Message) {
	w := writer(&kafka.Writer{Topic: topic, Balancer: &kafka.Hash{}})
	defer w.Close()
	Must(w.WriteMessages(ctx, ms...))
}

func values(vs ...string) []kafka.Message {
	var ms []kafka.Message
	for _, v := range vs {
		ms = append(ms, kafka.Message{Value: []byte(v)})
	}
	return ms
}

// read reads n records and makes sure that there are no more at once.
func read(r *kafka.Reader, n int) []kafka.Message {
	var got []kafka.Message
	for len(got) < n {
		c, cancel := context.WithTimeout(ctx, 40*time.Second)
		m, err := r.FetchMessage(c)
		cancel()
		if err != nil {
			Must(fmt.Errorf("after %d of %d records: %w", len(got), n, err))
		}
		got = append(got, m)
	}
	c, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err := r.FetchMessage(c)
	Holds(errors.Is(err, context.DeadlineExceeded), "no more records")
	return got
}

func readerOf(topic string, c kafka.ReaderConfig) *kafka.Reader {
	c.Brokers, c.MaxWait, c.MaxBytes = []string{addr}, 200*time.Millisecond, 10e6
	if c.GroupID != "" {
		c.StartOffset, c.HeartbeatInterval, c.SessionTimeout, c.RebalanceTimeout = cmpOr(c.StartOffset, kafka.FirstOffset), 500*time.Millisecond, 6*time.Second, 10*time.Second
		c.JoinGroupBackoff = 500 * time.Millisecond
	}
	if c.GroupTopics == nil {
		c.Topic = topic
	}
	return kafka.NewReader(c)
}

func cmpOr(a, b int64) int64 {
	if a != 0 {
		return a
	}
	return b
}

func readAll(topic string, n int) []kafka.Message {
	r := readerOf(topic, kafka.ReaderConfig{})
	defer r.Close()
	return read(r, n)
}

func metadata() error {
	m := Must1(client.Metadata(ctx, &kafka.MetadataRequest{}))
	Equal(len(m.Brokers), 1, "brokers")
	Holds(m.ClusterID != "" && m.Controller.ID == m.Brokers[0].ID, "cluster and controller")
	return nil
}

func topics() error {
	name := topic(2)
	r := Must1(client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: 1, ReplicationFactor: 1}}}))
	Holds(errors.Is(r.Errors[name], kafka.TopicAlreadyExists), "creating it again fails")
	p := Must1(client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: name, Count: 4}}}))
	Must(p.Errors[name])
	Until("four partitions", func() bool {
		return len(Must1(client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})).Topics[0].Partitions) == 4
	})
	d := Must1(client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}}))
	Must(d.Errors[name])
	d = Must1(client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}}))
	Holds(errors.Is(d.Errors[name], kafka.UnknownTopicOrPartition), "deleting it again fails")
	return nil
}

func configs() error {
	name := topic(1, kafka.ConfigEntry{ConfigName: "cleanup.policy", ConfigValue: "compact"})
	get := func(key string) string {
		r := Must1(client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: name, ConfigNames: []string{key}}}}))
		Must(r.Resources[0].Error)
		return r.Resources[0].ConfigEntries[0].ConfigValue
	}
	Equal(get("cleanup.policy"), "compact", "cleanup.policy")
	r := Must1(client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: name,
		Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "retention.ms", Value: "777", ConfigOperation: kafka.ConfigOperationSet}},
	}}}))
	Must(r.Resources[0].Error)
	Equal(get("retention.ms"), "777", "retention.ms")
	a := Must1(client.AlterConfigs(ctx, &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: name, Configs: []kafka.AlterConfigRequestConfig{{Name: "retention.ms", Value: "888"}},
	}}}))
	for _, err := range a.Errors {
		Must(err)
	}
	Equal(get("retention.ms")+get("cleanup.policy"), "888delete", "after the old way")
	return nil
}

func versions() error {
	v := Must1(client.ApiVersions(ctx, &kafka.ApiVersionsRequest{}))
	Must(v.Error)
	Holds(len(v.ApiKeys) > 40, "many APIs")
	return nil
}

func codec(c kafka.Compression) func() error {
	return func() error {
		name := topic(1)
		w := writer(&kafka.Writer{Topic: name, Compression: c})
		var in []kafka.Message
		for i := range 200 {
			in = append(in, kafka.Message{Key: fmt.Append(nil, i), Value: bytes.Repeat(fmt.Append(nil, i), i)})
		}
		Must(w.WriteMessages(ctx, in...))
		Must(w.Close())
		for i, m := range readAll(name, 200) {
			Equal(string(m.Key)+string(m.Value), string(in[i].Key)+string(in[i].Value), "record")
			Equal(m.Offset, int64(i), "offset")
		}
		return nil
	}
}

func acks() error {
	name := topic(1)
	for _, a := range []kafka.RequiredAcks{kafka.RequireOne, kafka.RequireAll} {
		w := writer(&kafka.Writer{Topic: name, RequiredAcks: a})
		Must(w.WriteMessages(ctx, values(fmt.Sprint(a))...))
		Must(w.Close())
	}
	w := &kafka.Writer{Addr: kafka.TCP(addr), Topic: name, RequiredAcks: kafka.RequireNone, BatchTimeout: time.Millisecond}
	Must(w.WriteMessages(ctx, values("none")...))
	Must(w.Close())
	Equal(string(readAll(name, 3)[2].Value), "none", "value")
	return nil
}

func headers() error {
	name := topic(1)
	write(name, kafka.Message{Value: []byte("v"), Headers: []kafka.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}}}, kafka.Message{Key: []byte("k")})
	got := readAll(name, 2)
	Equal(got[0].Headers, []kafka.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}}, "headers")
	Holds(got[0].Key == nil && got[1].Value == nil, "nulls")
	return nil
}

func timestamps() error {
	at := time.UnixMilli(1_500_000_000_000)
	name := topic(1)
	write(name, kafka.Message{Value: []byte("v"), Time: at})
	Equal(readAll(name, 1)[0].Time.UnixMilli(), at.UnixMilli(), "create time")
	return nil
}

func large() error {
	name := topic(1, kafka.ConfigEntry{ConfigName: "max.message.bytes", ConfigValue: "3000000"})
	value := bytes.Repeat([]byte("abc"), 800_000)
	w := writer(&kafka.Writer{Topic: name, BatchBytes: 8e6, MaxAttempts: 1})
	defer w.Close()
	Must(w.WriteMessages(ctx, kafka.Message{Value: value}))
	Holds(bytes.Equal(readAll(name, 1)[0].Value, value), "the value comes back")
	err := w.WriteMessages(ctx, kafka.Message{Value: make([]byte, 3_500_000)})
	failed, ok := errors.AsType[kafka.WriteErrors](err)
	Holds(ok && len(failed) == 1 && errors.Is(failed[0], kafka.MessageSizeTooLarge), fmt.Sprintf("a record that is too large is refused: %v", err))
	return nil
}

func autoCreate() error {
	name := Fresh("t")
	w := writer(&kafka.Writer{Topic: name, AllowAutoTopicCreation: true})
	defer w.Close()
	Until("the topic is there", func() bool { return w.WriteMessages(ctx, values("v")...) == nil })
	Equal(string(readAll(name, 1)[0].Value), "v", "value")
	return nil
}

func reader() error {
	name := topic(1)
	write(name, values(Numbers(10)...)...)
	r := readerOf(name, kafka.ReaderConfig{})
	defer r.Close()
	Must(r.SetOffset(6))
	Equal(string(read(r, 4)[0].Value), "6", "value at 6")
	Must(r.SetOffset(kafka.FirstOffset))
	read(r, 10)
	Equal(Must1(r.ReadLag(ctx)), int64(0), "lag")
	return nil
}

func readerByTime() error {
	name := topic(1)
	base := time.UnixMilli(1_600_000_000_000)
	for i := range 10 {
		write(name, kafka.Message{Value: fmt.Append(nil, i), Time: base.Add(time.Duration(i) * time.Second)})
	}
	r := readerOf(name, kafka.ReaderConfig{})
	defer r.Close()
	Must(r.SetOffsetAt(ctx, base.Add(3500*time.Millisecond)))
	Equal(string(read(r, 6)[0].Value), "4", "first value")
	return nil
}

func conn() error {
	name := topic(1)
	c := Must1(kafka.DialLeader(ctx, "tcp", addr, name, 0))
	defer c.Close()
	Must1(c.WriteMessages(values("a", "b")...))
	first, last, err := c.ReadOffsets()
	Must(err)
	Equal([]int64{first, last}, []int64{0, 2}, "offsets")
	Must1(c.Seek(0, kafka.SeekStart))
	Must(c.SetReadDeadline(time.Now().Add(20 * time.Second)))
	b := c.ReadBatch(1, 1e6)
	var got []string
	for {
		m, err := b.ReadMessage()
		if errors.Is(err, io.EOF) || err != nil {
			break
		}
		got = append(got, string(m.Value))
	}
	b.Close()
	Equal(got, []string{"a", "b"}, "values")
	_, err = c.ApiVersions()
	Must(err)
	_, err = c.Controller()
	return err
}

func offsets() error {
	name := topic(1)
	for i := range 3 {
		write(name, kafka.Message{Value: []byte("v"), Time: time.UnixMilli(int64(1000 * (i + 1)))})
	}
	r := Must1(client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{name: {kafka.FirstOffsetOf(0), kafka.LastOffsetOf(0), kafka.TimeOffsetOf(0, time.UnixMilli(1500))}}}))
	p := r.Topics[name][0]
	Must(p.Error)
	Equal([]int64{p.FirstOffset, p.LastOffset}, []int64{0, 3}, "bounds")
	var at []int64
	for o := range p.Offsets {
		at = append(at, o)
	}
	Holds(slices.Contains(at, 1), "the offset by time is 1")
	return nil
}

func missing() error {
	_, err := client.Produce(ctx, &kafka.ProduceRequest{Topic: Fresh("missing"), Partition: 0, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("v"))})})
	Holds(err != nil && strings.Contains(err.Error(), "topic not found"), fmt.Sprintf("a missing topic is refused: %v", err))
	return nil
}

func group() error {
	name, id := topic(2), Fresh("g")
	write(name, values(Numbers(20)...)...)
	r := readerOf(name, kafka.ReaderConfig{GroupID: id})
	got := read(r, 20)
	Must(r.CommitMessages(ctx, got...))
	Must(r.Close())
	write(name, values("next")...)
	r = readerOf(name, kafka.ReaderConfig{GroupID: id})
	defer r.Close()
	Equal(string(read(r, 1)[0].Value), "next", "after the commit")
	return nil
}

func rebalance() error {
	name, id := topic(4), Fresh("g")
	has := func(n int) func() bool {
		return func() bool {
			d, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{id}})
			if err != nil || d.Groups[0].GroupState != "Stable" || len(d.Groups[0].Members) != n {
				return false
			}
			for _, m := range d.Groups[0].Members {
				if len(m.MemberAssignments.Topics) != 1 || len(m.MemberAssignments.Topics[0].Partitions) != 4/n {
					return false
				}
			}
			return true
		}
	}
	a := readerOf(name, kafka.ReaderConfig{GroupID: id})
	defer a.Close()
	b := readerOf(name, kafka.ReaderConfig{GroupID: id})
	Until("two members with two partitions each", has(2))
	Must(b.Close())
	Until("one member with all", has(1))
	w := writer(&kafka.Writer{Topic: name, Balancer: &kafka.RoundRobin{}})
	defer w.Close()
	Must(w.WriteMessages(ctx, values(Numbers(20)...)...))
	read(a, 20)
	return nil
}

func startOffset() error {
	name := topic(1)
	write(name, values("old")...)
	r := readerOf(name, kafka.ReaderConfig{GroupID: Fresh("g"), StartOffset: kafka.LastOffset})
	defer r.Close()
	var got string
	Until("a new record", func() bool {
		write(name, values("new")...)
		c, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		m, err := r.FetchMessage(c)
		got = string(m.Value)
		return err == nil
	})
	Equal(got, "new", "value")
	return nil
}

func groups() error {
	name, id := topic(1), Fresh("g")
	write(name, values("v")...)
	r := readerOf(name, kafka.ReaderConfig{GroupID: id})
	read(r, 1)
	l := Must1(client.ListGroups(ctx, &kafka.ListGroupsRequest{}))
	Must(l.Error)
	Holds(slices.ContainsFunc(l.Groups, func(g kafka.ListGroupsResponseGroup) bool { return g.GroupID == id }), "listed")
	d := Must1(client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{id}}))
	Holds(errors.Is(d.Errors[id], kafka.NonEmptyGroup), "a group with members can't be deleted")
	Must(r.Close())
	d = Must1(client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{id}}))
	Must(d.Errors[id])
	return nil
}

func groupOffsets() error {
	name, id := topic(1), Fresh("g")
	r := Must1(client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: id, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{name: {{Partition: 0, Offset: 5, Metadata: "note"}}}}))
	Must(r.Topics[name][0].Error)
	f := Must1(client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: id, Topics: map[string][]int{name: {0}}}))
	Equal(fmt.Sprintf("%d %s", f.Topics[name][0].CommittedOffset, f.Topics[name][0].Metadata), "5 note", "committed")
	x := Must1(client.OffsetDelete(ctx, &kafka.OffsetDeleteRequest{GroupID: id, Topics: map[string][]int{name: {0}}}))
	Must(x.Error)
	f = Must1(client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: id, Topics: map[string][]int{name: {0}}}))
	Equal(f.Topics[name][0].CommittedOffset, int64(-1), "after its deletion")
	return nil
}

func transaction() error {
	name, id := topic(1), Fresh("x")
	p := Must1(client.InitProducerID(ctx, &kafka.InitProducerIDRequest{TransactionalID: id, TransactionTimeoutMs: 60_000, ProducerID: -1, ProducerEpoch: -1}))
	Must(p.Error)
	a := Must1(client.AddPartitionsToTxn(ctx, &kafka.AddPartitionsToTxnRequest{TransactionalID: id, ProducerID: p.Producer.ProducerID, ProducerEpoch: p.Producer.ProducerEpoch, Topics: map[string][]kafka.AddPartitionToTxn{name: {{Partition: 0}}}}))
	Must(a.Topics[name][0].Error)
	o := Must1(client.AddOffsetsToTxn(ctx, &kafka.AddOffsetsToTxnRequest{TransactionalID: id, ProducerID: p.Producer.ProducerID, ProducerEpoch: p.Producer.ProducerEpoch, GroupID: Fresh("g")}))
	Must(o.Error)
	e := Must1(client.EndTxn(ctx, &kafka.EndTxnRequest{TransactionalID: id, ProducerID: p.Producer.ProducerID, ProducerEpoch: p.Producer.ProducerEpoch, Committed: true}))
	return e.Error
}

func users() error {
	name := Fresh("user")
	r := Must1(client.AlterUserScramCredentials(ctx, &kafka.AlterUserScramCredentialsRequest{Upsertions: []kafka.UserScramCredentialsUpsertion{{Name: name, Mechanism: kafka.ScramMechanismSha512, Iterations: 5000, Salt: []byte("salt"), SaltedPassword: make([]byte, 64)}}}))
	Must(r.Results[0].Error)
	var mechanisms []string
	Until("the user is there", func() bool {
		d, err := client.DescribeUserScramCredentials(ctx, &kafka.DescribeUserScramCredentialsRequest{Users: []kafka.UserScramCredentialsUser{{Name: name}}})
		if err != nil || len(d.Results) == 0 {
			return false
		}
		mechanisms = nil
		for _, c := range d.Results[0].CredentialInfos {
			mechanisms = append(mechanisms, fmt.Sprint(c.Mechanism, c.Iterations))
		}
		sort.Strings(mechanisms)
		return len(mechanisms) > 0
	})
	Equal(mechanisms, []string{"2 5000"}, "mechanisms")
	return nil
}
