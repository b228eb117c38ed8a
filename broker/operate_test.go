package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
)

// request sends a request to the broker, on its one connection.
func request[R kmsg.Response](t *testing.T, b *Broker, r kmsg.Request) R {
	t.Helper()
	resp, err := insider(t, b).Broker(1).Request(timeout(t), r)
	if err != nil {
		t.Fatal(err)
	}
	return resp.(R)
}

func TestCompressionType(t *testing.T) {
	b := start(t, Config{})
	if err := b.CreateTopic(t.Context(), "t", 1, TopicConfig{"compression.type", "zstd"}); err != nil {
		t.Fatal(err)
	}
	want := numbers("a record that can be compressed ", 50)
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		produce(t, client(t, b, kgo.ProducerBatchCompression(codec)), "t", want...)
	}
	r := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := consume(t, r, 150); !slices.Equal(got, slices.Concat(want, want, want)) {
		t.Errorf("%d records, want 150", len(got))
	}
	res, err := b.catalog.Image().Topic("t").Logs[0].Read(nil, 0, 1<<20, partition.AtLeastOne)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Release()
	for _, data := range res.Data {
		for len(data) > 0 {
			h, _, rest, err := batch.Cut(data)
			if err != nil || h.Attributes.Codec() != batch.Zstd {
				t.Fatalf("a batch is compressed with %s, %v", h.Attributes.Codec(), err)
			}
			data = rest
		}
	}
}

func TestDeleteTopicEnable(t *testing.T) {
	b := start(t, Config{Set: map[string]string{"delete.topic.enable": "false"}})
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	r := kmsg.NewPtrDeleteTopicsRequest()
	rt := kmsg.NewDeleteTopicsRequestTopic()
	rt.Topic = kmsg.StringPtr("t")
	r.Topics = append(r.Topics, rt)
	if got := request[*kmsg.DeleteTopicsResponse](t, b, r); got.Topics[0].ErrorCode != 73 {
		t.Errorf("%+v", got)
	}
}

// TestGroupConfigs sets a group's configs, with the bounds and the texts of
// Kafka 4.3, and finds them after a restart.
func TestGroupConfigs(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Config{Dir: dir})
	alter := func(group, name string, op kmsg.IncrementalAlterConfigOp, value *string) string {
		r := kmsg.NewPtrIncrementalAlterConfigsRequest()
		rr := kmsg.NewIncrementalAlterConfigsRequestResource()
		rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
		rr.Configs = append(rr.Configs, kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Op: op, Value: value})
		r.Resources = append(r.Resources, rr)
		out := request[*kmsg.IncrementalAlterConfigsResponse](t, b, r).Resources[0]
		if out.ErrorCode == 0 {
			return ""
		}
		return fmt.Sprintf("%d %s", out.ErrorCode, *out.ErrorMessage)
	}
	const set, del, add = kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete, kmsg.IncrementalAlterConfigOpAppend
	const session = "consumer.session.timeout.ms"
	for _, c := range []struct {
		group, name string
		op          kmsg.IncrementalAlterConfigOp
		value       *string
		want        string
	}{
		{"g", session, set, new("50000"), ""},
		{"g", session, set, new("1000"), "40 consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"},
		{"g", session, set, new("x"), "40 Invalid value x for configuration consumer.session.timeout.ms: Not a number of type INT"},
		{"g", session, set, nil, "42 Null value not supported for : consumer.session.timeout.ms"},
		{"g", session, add, new("1"), "40 Can't APPEND to key consumer.session.timeout.ms because its type is not LIST."},
		{"g", "nonsense", set, new("1"), "40 Unknown group config name: nonsense"},
		{"", session, set, new("50000"), "42 Default group resources are not allowed."},
		{"h", "share.isolation.level", set, new("read_committed"), ""},
		{"h", "share.isolation.level", del, nil, ""},
	} {
		if got := alter(c.group, c.name, c.op, c.value); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.group, c.name, got, c.want)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start(t, Config{Dir: dir})
	if got := b.catalog.GroupConfig("g").Consumer.SessionTimeout.Milliseconds(); got != 50000 {
		t.Errorf("session time-out after a restart: %d", got)
	}
	list := kmsg.NewPtrListConfigResourcesRequest()
	list.ResourceTypes = []int8{int8(kmsg.ConfigResourceTypeGroupConfig)}
	if got := request[*kmsg.ListConfigResourcesResponse](t, b, list).ConfigResources; len(got) != 1 || got[0].Name != "g" {
		t.Errorf("groups with configs: %+v", got)
	}
}

// TestClusterAPIs asks what is about clusters. The codes and texts are those
// that Kafka 4.3.1 gave, as one node, to the same requests.
func TestClusterAPIs(t *testing.T) {
	b := start(t, Config{})
	if err := b.CreateTopic(t.Context(), "t", 2); err != nil {
		t.Fatal(err)
	}
	elect := kmsg.NewPtrElectLeadersRequest()
	for _, topic := range []string{"t", "nope"} {
		et := kmsg.NewElectLeadersRequestTopic()
		et.Topic, et.Partitions = topic, []int32{0, 7}
		elect.Topics = append(elect.Topics, et)
	}
	elected := request[*kmsg.ElectLeadersResponse](t, b, elect)
	var got []string
	for _, et := range elected.Topics {
		for _, p := range et.Partitions {
			got = append(got, fmt.Sprintf("%s-%d: %d %s", et.Topic, p.Partition, p.ErrorCode, *p.ErrorMessage))
		}
	}
	if want := []string{
		"t-0: 84 Leader election not needed for topic partition.", "t-7: 3 No such partition as t-7",
		"nope-0: 3 No such topic as nope", "nope-7: 3 No such topic as nope",
	}; !slices.Equal(got, want) {
		t.Errorf("elections: %q", got)
	}
	if list := request[*kmsg.ListPartitionReassignmentsResponse](t, b, kmsg.NewPtrListPartitionReassignmentsRequest()); list.ErrorCode != 0 || len(list.Topics) != 0 {
		t.Errorf("reassignments: %+v", list)
	}
	quorum := kmsg.NewPtrDescribeQuorumRequest()
	qt := kmsg.NewDescribeQuorumRequestTopic()
	qt.Topic = "__cluster_metadata"
	qt.Partitions = []kmsg.DescribeQuorumRequestTopicPartition{{}}
	quorum.Topics = append(quorum.Topics, qt)
	if q := request[*kmsg.DescribeQuorumResponse](t, b, quorum); len(q.Nodes) != 1 || q.Topics[0].Partitions[0].LeaderID != 1 || len(q.Topics[0].Partitions[0].CurrentVoters) != 1 {
		t.Errorf("quorum: %+v", q)
	}
	unregister := kmsg.NewPtrUnregisterBrokerRequest()
	unregister.BrokerID = 9
	if u := request[*kmsg.UnregisterBrokerResponse](t, b, unregister); u.ErrorCode != 102 || *u.ErrorMessage != "Broker ID 9 is not currently registered" {
		t.Errorf("unregister: %+v", u)
	}
}

func TestAlterPartitionReassignments(t *testing.T) {
	b := start(t, Config{})
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		topic     string
		partition int32
		replicas  []int32
		want      string
	}{
		{"t", 0, []int32{1}, "0 "},
		{"t", 0, []int32{2}, "39 The manual partition assignment includes broker 2, but no such broker is registered."},
		{"t", 0, []int32{1, 1}, "39 The manual partition assignment includes the broker 1 more than once."},
		{"t", 0, []int32{}, "39 The manual partition assignment includes an empty replica list."},
		{"t", 0, nil, "85 "},
		{"t", 7, []int32{1}, "3 Unable to find partition t:7."},
		{"nope", 0, []int32{1}, "3 Unable to find a topic named nope."},
	} {
		r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		rt := kmsg.NewAlterPartitionAssignmentsRequestTopic()
		rt.Topic = c.topic
		rt.Partitions = []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: c.partition, Replicas: c.replicas}}
		r.Topics = append(r.Topics, rt)
		p := request[*kmsg.AlterPartitionAssignmentsResponse](t, b, r).Topics[0].Partitions[0]
		text := ""
		if p.ErrorMessage != nil {
			text = *p.ErrorMessage
		}
		if got := fmt.Sprintf("%d %s", p.ErrorCode, text); got != c.want {
			t.Errorf("%s-%d to %v: %q, want %q", c.topic, c.partition, c.replicas, got, c.want)
		}
	}
}

func TestUpdateFeatures(t *testing.T) {
	b := start(t, Config{})
	const prefix = "The update failed for all features since the following feature had an error: "
	for _, c := range []struct {
		feature  string
		level    int16
		kind     int8
		validate bool
		want     string
	}{
		{"group.version", 1, 1, false, ""},
		{"group.version", 0, 2, true, ""},
		{"group.version", 0, 2, false, "can't be switched off"},
		{"group.version", 0, 1, true, "Invalid update version 0 for feature group.version. Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade."},
		{"group.version", 2, 1, true, "Invalid update version 2 for feature group.version. Local controller 1 only supports versions 0-1"},
		{"metadata.version", 31, 1, true, "Invalid update version 31 for feature metadata.version. Local controller 1 only supports versions 7-30"},
		{"nonsense", 1, 1, true, "Invalid update version 1 for feature nonsense. Local controller 1 does not support this feature."},
		{"transaction.version", 2, 0, true, "The controller does not support the given upgrade type."},
	} {
		r := kmsg.NewPtrUpdateFeaturesRequest()
		r.ValidateOnly = c.validate
		r.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: c.feature, MaxVersionLevel: c.level, UpgradeType: c.kind}}
		got := request[*kmsg.UpdateFeaturesResponse](t, b, r)
		switch {
		case c.want == "" && got.ErrorCode != 0:
			t.Errorf("%+v: code %d, %s", c, got.ErrorCode, *got.ErrorMessage)
		case c.want != "" && (got.ErrorCode != 95 || got.ErrorMessage == nil || !strings.HasPrefix(*got.ErrorMessage, prefix) || !strings.Contains(*got.ErrorMessage, c.want)):
			t.Errorf("%+v: %+v", c, got)
		}
	}
}
