package broker

import (
	"errors"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestAdmin_Topics(t *testing.T) {
	b := start(t, Config{})
	adm, ctx := kadm.NewClient(client(t, b)), timeout(t)

	made, err := adm.CreateTopics(ctx, 2, -1, map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}, "a", "b", "bad name")
	if err != nil {
		t.Fatal(err)
	}
	if made["a"].Err != nil || made["a"].NumPartitions != 2 || made["b"].Err != nil {
		t.Errorf("created: %+v", made)
	}
	if !errors.Is(made["bad name"].Err, kerr.InvalidTopicException) {
		t.Errorf("a bad name: %v", made["bad name"].Err)
	}
	if r, _ := adm.CreateTopic(ctx, 1, 1, nil, "a"); !errors.Is(r.Err, kerr.TopicAlreadyExists) {
		t.Errorf("twice: %v", r.Err)
	}
	if r, _ := adm.CreateTopic(ctx, 1, 3, nil, "c"); !errors.Is(r.Err, kerr.InvalidReplicationFactor) {
		t.Errorf("three replicas: %v", r.Err)
	}
	if r, _ := adm.CreateTopic(ctx, 1, 1, map[string]*string{"retention.ms": kadm.StringPtr("soon")}, "c"); !errors.Is(r.Err, kerr.InvalidConfig) {
		t.Errorf("bad config: %v", r.Err)
	}
	if rs, err := adm.CreatePartitions(ctx, 3, "a"); err != nil || rs["a"].Err != nil {
		t.Errorf("grow: %+v, %v", rs, err)
	}
	topics, err := adm.ListTopics(ctx)
	if err != nil || len(topics["a"].Partitions) != 5 || len(topics["b"].Partitions) != 2 {
		t.Errorf("list: %v, %v", topics.Names(), err)
	}
	if rs, err := adm.DeleteTopics(ctx, "b"); err != nil || rs["b"].Err != nil {
		t.Errorf("delete: %+v, %v", rs, err)
	}
	topics, _ = kadm.NewClient(client(t, b)).ListTopics(ctx) // a client remembers topics
	if !slices.Equal(topics.Names(), []string{"a"}) {
		t.Errorf("after delete: %v", topics.Names())
	}
}

func TestAdmin_Configs(t *testing.T) {
	b := start(t, Config{})
	adm, ctx := kadm.NewClient(client(t, b)), timeout(t)
	if err := b.CreateTopic(ctx, "t", 1, TopicConfig{"retention.ms", "1000"}); err != nil {
		t.Fatal(err)
	}
	_, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{
		{Op: kadm.AppendConfig, Name: "cleanup.policy", Value: kadm.StringPtr("compact")},
		{Op: kadm.DeleteConfig, Name: "retention.ms"},
		{Op: kadm.SetConfig, Name: "max.message.bytes", Value: kadm.StringPtr("5000")},
	}, "t")
	if err != nil {
		t.Fatal(err)
	}
	rs, err := adm.DescribeTopicConfigs(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]kadm.Config{}
	for _, c := range rs[0].Configs {
		got[c.Key] = c
	}
	for name, want := range map[string]string{"cleanup.policy": "delete,compact", "retention.ms": "604800000", "max.message.bytes": "5000", "segment.bytes": "1073741824"} {
		if c := got[name]; c.MaybeValue() != want {
			t.Errorf("%s = %q, want %q", name, c.MaybeValue(), want)
		}
	}
	if s := got["max.message.bytes"].Source.String(); s != "DYNAMIC_TOPIC_CONFIG" {
		t.Errorf("source of a set config: %s", s)
	}
	log := b.catalog.Image().Topic("t").Logs[0]
	if c := log.Config(); !c.Compact || c.MaxMessageBytes != 5000 {
		t.Errorf("the log doesn't follow: %+v", c)
	}
	bs, err := adm.DescribeBrokerConfigs(ctx, 1)
	if err != nil || bs[0].Err != nil || len(bs[0].Configs) < 20 {
		t.Errorf("broker configs: %+v, %v", bs, err)
	}
}

func TestAdmin_GroupsAndOffsets(t *testing.T) {
	b := start(t, Config{})
	adm, ctx := kadm.NewClient(client(t, b)), timeout(t)
	if err := b.CreateTopic(ctx, "t", 2); err != nil {
		t.Fatal(err)
	}
	var os kadm.Offsets
	os.Add(kadm.Offset{Topic: "t", Partition: 0, At: 3, LeaderEpoch: -1})
	os.Add(kadm.Offset{Topic: "t", Partition: 1, At: 4, LeaderEpoch: -1})
	for _, g := range []string{"g", "h"} {
		if err := adm.CommitAllOffsets(ctx, g, os); err != nil {
			t.Fatal(err)
		}
	}
	gs, err := adm.ListGroups(ctx)
	if err != nil || !slices.Equal(gs.Groups(), []string{"g", "h"}) {
		t.Errorf("groups: %v, %v", gs.Groups(), err)
	}
	var one kadm.TopicsSet
	one.Add("t", 1)
	if rs, err := adm.DeleteOffsets(ctx, "g", one); err != nil || rs.Error() != nil {
		t.Errorf("delete offset: %v, %v", rs, err)
	}
	got, _ := adm.FetchOffsets(ctx, "g")
	if _, ok := got.Lookup("t", 1); ok {
		t.Error("a deleted offset is there")
	}
	if rs, err := adm.DeleteGroups(ctx, "h", "nope"); err != nil || rs["h"].Err != nil || !errors.Is(rs["nope"].Err, kerr.GroupIDNotFound) {
		t.Errorf("delete groups: %+v, %v", rs, err)
	}
	if _, err := adm.DeleteTopics(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if got, _ := adm.FetchOffsets(ctx, "g"); len(got) != 0 {
		t.Errorf("offsets of a deleted topic: %v", got)
	}
}

func TestAdmin_RecordsAndOffsets(t *testing.T) {
	b := start(t, Config{})
	c := client(t, b, kgo.DefaultProduceTopic("t"))
	adm, ctx := kadm.NewClient(c), timeout(t)
	if err := b.CreateTopic(ctx, "t", 1); err != nil {
		t.Fatal(err)
	}
	produce(t, c, "t", numbers("v", 10)...)
	var os kadm.Offsets
	os.AddOffset("t", 0, 4, -1)
	if rs, err := adm.DeleteRecords(ctx, os); err != nil || rs.Error() != nil {
		t.Errorf("delete records: %v, %v", rs, err)
	}
	begin, err := adm.ListStartOffsets(ctx, "t")
	if o, _ := begin.Lookup("t", 0); err != nil || o.Offset != 4 {
		t.Errorf("start: %+v, %v", o, err)
	}
	end, err := adm.ListEndOffsets(ctx, "t")
	if o, _ := end.Lookup("t", 0); err != nil || o.Offset != 10 {
		t.Errorf("end: %+v, %v", o, err)
	}
	dirs, err := adm.DescribeAllLogDirs(ctx, nil)
	if err != nil || len(dirs) != 1 || dirs[1].Size() == 0 {
		t.Errorf("log dirs: %+v, %v", dirs, err)
	}
	ps, err := adm.DescribeProducers(ctx, nil)
	if err != nil || len(ps) == 0 {
		t.Errorf("producers: %+v, %v", ps, err)
	}
}
