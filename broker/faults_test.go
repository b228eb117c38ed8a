package broker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestFaults_Refuse(t *testing.T) {
	var f Faults
	b := start(t, Config{Faults: &f})
	create(t, b, "t", "other")
	c := client(t, b, kgo.DisableIdempotentWrite(), kgo.RecordRetries(0))
	refused := f.Inject(Fault{
		APIs: []API{Produce}, Effect: Refuse, Code: kerr.InvalidRequiredAcks.Code,
		Match: func(r Request) bool { return slices.Contains(r.Topics, "t") },
	})
	if err := c.ProduceSync(timeout(t), &kgo.Record{Topic: "t"}).FirstErr(); !errors.Is(err, kerr.InvalidRequiredAcks) {
		t.Errorf("a topic with a fault: %v", err)
	}
	produce(t, c, "other", "v")
	if n := refused.Count(); n != 1 {
		t.Errorf("the fault has hit %d requests, not 1", n)
	}
	refused.Lift()
	refused.Lift()
	produce(t, c, "t", "first")
	r := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := consume(t, r, 1); !slices.Equal(got, []string{"first"}) {
		t.Errorf("got %v; what was refused mustn't be there", got)
	}
}

// create makes topics of one partition.
func create(t *testing.T, b *Broker, topics ...string) {
	t.Helper()
	for _, name := range topics {
		if err := b.CreateTopic(t.Context(), name, 1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFaults_RefuseEach asks for each API in some form, and wants the code in
// the answer of each.
func TestFaults_RefuseEach(t *testing.T) {
	var f Faults
	b := start(t, Config{Faults: &f})
	create(t, b, "t")
	f.Inject(Fault{
		Effect: Refuse, Code: kerr.PolicyViolation.Code,
		Match: func(r Request) bool { return r.API != ApiVersions },
	})
	for _, req := range someRequests() {
		c := client(t, b)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		resp, err := c.Broker(1).Request(ctx, req)
		cancel()
		if err != nil {
			t.Errorf("%T: %v", req, err)
			continue
		}
		if !hasCodeIn(resp.AppendTo(nil), kerr.PolicyViolation.Code) {
			t.Errorf("%T is answered without the code: %+v", req, resp)
		}
		c.Close()
	}
}

func someRequests() []kmsg.Request {
	name := "t"
	meta := kmsg.NewPtrMetadataRequest()
	meta.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group = "g"
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: name, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Partition: 0}}}}
	drop := kmsg.NewPtrDeleteGroupsRequest()
	drop.Groups = []string{"g"}
	join := kmsg.NewPtrJoinGroupRequest()
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
	topics := kmsg.NewPtrDeleteTopicsRequest()
	topics.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: &name}}
	add := kmsg.NewPtrAddPartitionsToTxnRequest()
	add.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: name, Partitions: []int32{0}}}
	acls := kmsg.NewPtrCreateACLsRequest()
	acls.Creations = []kmsg.CreateACLsRequestCreation{{ResourceType: kmsg.ACLResourceTypeTopic, ResourceName: name}}
	groups := kmsg.NewPtrListGroupsRequest()
	list := kmsg.NewPtrListOffsetsRequest()
	list.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: name, Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1}}}}
	return []kmsg.Request{meta, commit, drop, join, topics, add, acls, groups, list, kmsg.NewPtrInitProducerIDRequest(),
		kmsg.NewPtrHeartbeatRequest(), kmsg.NewPtrEndTxnRequest(), kmsg.NewPtrDescribeClusterRequest()}
}

// hasCodeIn looks for a code that is a rare pair of bytes.
func hasCodeIn(body []byte, code int16) bool {
	return strings.Contains(string(body), string([]byte{byte(code >> 8), byte(code)}))
}

// TestFaults_LoseAnswer is the failure that makes duplicates: a client that
// isn't idempotent sends the record again.
func TestFaults_LoseAnswer(t *testing.T) {
	for _, idempotent := range []bool{true, false} {
		var f Faults
		b := start(t, Config{Faults: &f})
		create(t, b, "t")
		lost := f.Inject(Fault{APIs: []API{Produce}, Effect: LoseAnswer, Times: 1})
		var opts []kgo.Opt
		want := []string{"v"}
		if !idempotent {
			opts, want = []kgo.Opt{kgo.DisableIdempotentWrite()}, []string{"v", "v"}
		}
		c := client(t, b, append(opts, kgo.AlwaysRetryEOF())...)
		produce(t, c, "t", "v")
		r := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if got := consume(t, r, len(want)); !slices.Equal(got, want) {
			t.Errorf("idempotent %v: %v", idempotent, got)
		}
		if lost.Count() != 1 {
			t.Errorf("%d answers were lost", lost.Count())
		}
	}
}

func TestFaults_SkipAndTimes(t *testing.T) {
	var f Faults
	i := f.Inject(Fault{APIs: []API{Heartbeat}, Skip: 2, Times: 3})
	hits := ""
	for range 8 {
		_, hit := f.take(Request{API: Heartbeat})
		hits += map[bool]string{true: "x", false: "."}[hit]
	}
	if hits != "..xxx..." || i.Count() != 3 {
		t.Errorf("%s, counted %d", hits, i.Count())
	}
	if _, hit := f.take(Request{API: Fetch}); hit {
		t.Error("another API was hit")
	}
}

// TestFaults_Time puts delays and silence into hours that take no time.
func TestFaults_Time(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Faults
		b, err := Start(Config{Faults: &f})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		create(t, b, "t")
		c, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial), kgo.RequestRetries(0),
			kgo.RequestTimeoutOverhead(time.Minute), kgo.RetryTimeout(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		took := func() (time.Duration, error) {
			began := time.Now()
			_, err := kmsg.NewPtrDescribeClusterRequest().RequestWith(context.Background(), c.Broker(1))
			return time.Since(began), err
		}
		if d, err := took(); err != nil || d != 0 {
			t.Errorf("without a fault: %v, %v", d, err)
		}
		late := f.Inject(Fault{APIs: []API{60}, Delay: 10 * time.Second})
		if d, err := took(); err != nil || d != 10*time.Second {
			t.Errorf("delayed by 10 s: %v, %v", d, err)
		}
		late.Lift()
		f.Inject(Fault{APIs: []API{60}, Effect: Silence, Times: 1})
		if d, err := took(); err == nil || d < time.Minute {
			t.Errorf("silence: %v, %v; want a client that gives up after a minute", d, err)
		}
		if _, err := took(); err != nil {
			t.Errorf("on a new connection: %v", err)
		}
		f.Inject(Fault{APIs: []API{60}, Effect: Disconnect, Times: 1, Delay: 5 * time.Second})
		if d, err := took(); err == nil || d != 5*time.Second {
			t.Errorf("disconnect after 5 s: %v, %v", d, err)
		}
	})
}

// TestFaults_Fetch looks at an answer that isn't sent as one piece.
func TestFaults_Fetch(t *testing.T) {
	var f Faults
	b := start(t, Config{Faults: &f})
	create(t, b, "t")
	produce(t, client(t, b), "t", numbers("v", 100)...)
	bad := f.Inject(Fault{APIs: []API{Fetch}, Effect: Refuse, Code: kerr.NotLeaderForPartition.Code, Times: 3})
	r := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := consume(t, r, 100); !slices.Equal(got, numbers("v", 100)) {
		t.Errorf("got %v", got)
	}
	if bad.Count() != 3 {
		t.Errorf("%d fetches were refused", bad.Count())
	}
}
