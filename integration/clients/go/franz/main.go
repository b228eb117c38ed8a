// Command franz does what users of twmb/franz-go do. The broker's address is its
// argument. (The library's own tests can run against a broker, too.)
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
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
