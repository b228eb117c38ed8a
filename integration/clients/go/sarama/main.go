// Command sarama does what users of IBM/sarama do. The broker's address is its
// argument.
package main

import (
	"errors"
	"fmt"
	"os"
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
