package broker

import (
	"bytes"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/vfs"
)

// guarded starts a broker on which alice may do everything.
func guarded(t *testing.T, change func(*Config)) (b *Broker, alice, bob *kgo.Client) {
	t.Helper()
	cfg := secured(ScramSHA256)
	cfg.Authorizer = &Authorizer{SuperUsers: []string{"User:alice"}}
	cfg.DisableAutoCreate = true
	if change != nil {
		change(&cfg)
	}
	b = start(t, cfg)
	as := func(user string) *kgo.Client {
		return client(t, b, kgo.SASL(mechanism(ScramSHA256, user, user+"'s")), kgo.RetryTimeout(0), kgo.RequestRetries(1))
	}
	return b, as("alice"), as("bob")
}

// rule is a kind of resource, a name and an operation that bob is allowed.
type rule struct {
	kind kmsg.ACLResourceType
	name string
	op   kmsg.ACLOperation
}

func (r rule) creation() kmsg.CreateACLsRequestCreation {
	c := kmsg.NewCreateACLsRequestCreation()
	c.ResourceType, c.ResourceName, c.ResourcePatternType = r.kind, r.name, kmsg.ACLResourcePatternTypeLiteral
	c.Principal, c.Host, c.Operation, c.PermissionType = "User:bob", "*", r.op, kmsg.ACLPermissionTypeAllow
	return c
}

// grant allows bob things.
func grant(t *testing.T, admin *kgo.Client, rules ...rule) {
	t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	for _, r := range rules {
		req.Creations = append(req.Creations, r.creation())
	}
	resp, err := req.RequestWith(timeout(t), admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resp.Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			t.Fatal(err)
		}
	}
}

// revokeAll takes all of it back.
func revokeAll(t *testing.T, admin *kgo.Client) {
	t.Helper()
	req := kmsg.NewPtrDeleteACLsRequest()
	f := kmsg.NewDeleteACLsRequestFilter()
	f.ResourceType, f.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	f.Operation, f.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	req.Filters = append(req.Filters, f)
	resp, err := req.RequestWith(timeout(t), admin)
	if err != nil || resp.Results[0].ErrorCode != 0 {
		t.Fatalf("%+v, %v", resp, err)
	}
}

// denials collects all errors about rights that are anywhere in a response.
func denials(v reflect.Value) (codes []int16) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return denials(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			codes = append(codes, denials(v.Index(i))...)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			if v.Type().Field(i).Name != "ErrorCode" {
				codes = append(codes, denials(f)...)
				continue
			}
			err := kerr.ErrorForCode(int16(f.Int()))
			if err != nil && strings.HasSuffix(err.Error()[:strings.Index(err.Error()+":", ":")], "AUTHORIZATION_FAILED") {
				codes = append(codes, int16(f.Int()))
			}
		}
	}
	return codes
}

const (
	onTopic   = kmsg.ACLResourceTypeTopic
	onGroup   = kmsg.ACLResourceTypeGroup
	onTxn     = kmsg.ACLResourceTypeTransactionalId
	onCluster = kmsg.ACLResourceTypeCluster
)

// guardedAPI is a request about topic t, group g and transaction x, the code with
// which it is refused, and the rights it takes.
type guardedAPI struct {
	name   string
	req    func() kmsg.Request
	denied *kerr.Error
	rules  []rule
}

// apis has one for each API.
var apis = []guardedAPI{
	{"produce", func() kmsg.Request {
		r := kmsg.NewPtrProduceRequest()
		r.Acks = -1
		rt := kmsg.NewProduceRequestTopic()
		rt.Topic = "t"
		rt.Partitions = append(rt.Partitions, kmsg.NewProduceRequestTopicPartition())
		r.Topics = append(r.Topics, rt)
		r.Version = 12
		return r
	}, kerr.TopicAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationWrite}}},
	{"fetch", func() kmsg.Request {
		r := kmsg.NewPtrFetchRequest()
		r.MaxWaitMillis, r.SessionEpoch = 0, -1
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic = "t"
		rt.Partitions = append(rt.Partitions, kmsg.NewFetchRequestTopicPartition())
		r.Topics = append(r.Topics, rt)
		return r
	}, kerr.TopicAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationRead}}},
	{"list offsets", func() kmsg.Request {
		r := kmsg.NewPtrListOffsetsRequest()
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = "t"
		rt.Partitions = append(rt.Partitions, kmsg.NewListOffsetsRequestTopicPartition())
		r.Topics = append(r.Topics, rt)
		return r
	}, kerr.TopicAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationDescribe}}},
	{"metadata", func() kmsg.Request {
		r := kmsg.NewPtrMetadataRequest()
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = kmsg.StringPtr("t")
		r.Topics = append(r.Topics, rt)
		return r
	}, kerr.TopicAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationDescribe}}},
	{"describe partitions", func() kmsg.Request {
		r := kmsg.NewPtrDescribeTopicPartitionsRequest()
		rt := kmsg.NewDescribeTopicPartitionsRequestTopic()
		rt.Topic = "t"
		r.Topics, r.ResponsePartitionLimit = append(r.Topics, rt), 10
		return r
	}, kerr.TopicAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationDescribe}}},
	{"offset for leader epoch", func() kmsg.Request {
		r := kmsg.NewPtrOffsetForLeaderEpochRequest()
		rt := kmsg.NewOffsetForLeaderEpochRequestTopic()
		rt.Topic = "t"
		rt.Partitions = append(rt.Partitions, kmsg.NewOffsetForLeaderEpochRequestTopicPartition())
		r.Topics = append(r.Topics, rt)
		return r
	}, kerr.TopicAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationDescribe}}},
	{"offset commit, group", commitRequest, kerr.GroupAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationRead}, {onGroup, "g", kmsg.ACLOperationRead}}},
	{"offset fetch", func() kmsg.Request {
		r := kmsg.NewPtrOffsetFetchRequest()
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = "g"
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.Partitions = "t", []int32{0}
		g.Topics = append(g.Topics, gt)
		r.Groups = append(r.Groups, g)
		return r
	}, kerr.GroupAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationDescribe}, {onGroup, "g", kmsg.ACLOperationDescribe}}},
	{"find coordinator", func() kmsg.Request {
		r := kmsg.NewPtrFindCoordinatorRequest()
		r.CoordinatorKeys = []string{"g"}
		return r
	}, kerr.GroupAuthorizationFailed, []rule{{onGroup, "g", kmsg.ACLOperationDescribe}}},
	{"find transaction coordinator", func() kmsg.Request {
		r := kmsg.NewPtrFindCoordinatorRequest()
		r.CoordinatorType, r.CoordinatorKeys = 1, []string{"x"}
		return r
	}, kerr.TransactionalIDAuthorizationFailed, []rule{{onTxn, "x", kmsg.ACLOperationDescribe}}},
	{"join", func() kmsg.Request { r := kmsg.NewPtrJoinGroupRequest(); r.Group = "g"; return r }, kerr.GroupAuthorizationFailed, []rule{{onGroup, "g", kmsg.ACLOperationRead}}},
	{"heartbeat", func() kmsg.Request { r := kmsg.NewPtrHeartbeatRequest(); r.Group = "g"; return r }, kerr.GroupAuthorizationFailed, []rule{{onGroup, "g", kmsg.ACLOperationRead}}},
	{"leave", func() kmsg.Request { r := kmsg.NewPtrLeaveGroupRequest(); r.Group = "g"; return r }, kerr.GroupAuthorizationFailed, []rule{{onGroup, "g", kmsg.ACLOperationRead}}},
	{"sync", func() kmsg.Request { r := kmsg.NewPtrSyncGroupRequest(); r.Group = "g"; return r }, kerr.GroupAuthorizationFailed, []rule{{onGroup, "g", kmsg.ACLOperationRead}}},
	{"describe groups", func() kmsg.Request {
		r := kmsg.NewPtrDescribeGroupsRequest()
		r.Groups = []string{"g"}
		return r
	}, kerr.GroupAuthorizationFailed, []rule{{onGroup, "g", kmsg.ACLOperationDescribe}}},
	{"delete groups", func() kmsg.Request {
		r := kmsg.NewPtrDeleteGroupsRequest()
		r.Groups = []string{"g"}
		return r
	}, kerr.GroupAuthorizationFailed, []rule{{onGroup, "g", kmsg.ACLOperationDelete}}},
	{"delete offsets", func() kmsg.Request {
		r := kmsg.NewPtrOffsetDeleteRequest()
		r.Group = "g"
		rt := kmsg.NewOffsetDeleteRequestTopic()
		rt.Topic = "t"
		rt.Partitions = append(rt.Partitions, kmsg.NewOffsetDeleteRequestTopicPartition())
		r.Topics = append(r.Topics, rt)
		return r
	}, kerr.GroupAuthorizationFailed, []rule{{onGroup, "g", kmsg.ACLOperationDelete}}},
	{"create topics", createRequest, kerr.TopicAuthorizationFailed, []rule{{onTopic, "new", kmsg.ACLOperationCreate}}},
	{"create any topics", createRequest, kerr.TopicAuthorizationFailed, []rule{{onCluster, "kafka-cluster", kmsg.ACLOperationCreate}}},
	{"delete topics", func() kmsg.Request {
		r := kmsg.NewPtrDeleteTopicsRequest()
		rt := kmsg.NewDeleteTopicsRequestTopic()
		rt.Topic = kmsg.StringPtr("missing")
		r.Topics = append(r.Topics, rt)
		return r
	}, kerr.TopicAuthorizationFailed, []rule{{onTopic, "missing", kmsg.ACLOperationDelete}}},
	{"delete records", func() kmsg.Request {
		r := kmsg.NewPtrDeleteRecordsRequest()
		rt := kmsg.NewDeleteRecordsRequestTopic()
		rt.Topic = "t"
		rt.Partitions = append(rt.Partitions, kmsg.NewDeleteRecordsRequestTopicPartition())
		r.Topics = append(r.Topics, rt)
		return r
	}, kerr.TopicAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationDelete}}},
	{"producer id", func() kmsg.Request { return kmsg.NewPtrInitProducerIDRequest() }, kerr.ClusterAuthorizationFailed, []rule{{onCluster, "kafka-cluster", kmsg.ACLOperationIdempotentWrite}}},
	{"producer id for a topic", func() kmsg.Request { return kmsg.NewPtrInitProducerIDRequest() }, kerr.ClusterAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationWrite}}},
	{"producer id for a transaction", func() kmsg.Request {
		r := kmsg.NewPtrInitProducerIDRequest()
		r.TransactionalID, r.TransactionTimeoutMillis = kmsg.StringPtr("x"), 1000
		return r
	}, kerr.TransactionalIDAuthorizationFailed, []rule{{onTxn, "x", kmsg.ACLOperationWrite}}},
	{"end transaction", func() kmsg.Request { r := kmsg.NewPtrEndTxnRequest(); r.TransactionalID = "x"; return r }, kerr.TransactionalIDAuthorizationFailed, []rule{{onTxn, "x", kmsg.ACLOperationWrite}}},
	{"offsets in a transaction", func() kmsg.Request {
		r := kmsg.NewPtrAddOffsetsToTxnRequest()
		r.TransactionalID, r.Group = "x", "g"
		return r
	}, kerr.TransactionalIDAuthorizationFailed, []rule{{onTxn, "x", kmsg.ACLOperationWrite}, {onGroup, "g", kmsg.ACLOperationRead}}},
	{"describe configs", func() kmsg.Request { return configRequest(kmsg.ConfigResourceTypeTopic, "t") }, kerr.TopicAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationDescribeConfigs}}},
	{"describe broker configs", func() kmsg.Request { return configRequest(kmsg.ConfigResourceTypeBroker, "1") }, kerr.ClusterAuthorizationFailed, []rule{{onCluster, "kafka-cluster", kmsg.ACLOperationDescribeConfigs}}},
	{"alter configs", func() kmsg.Request {
		r := kmsg.NewPtrIncrementalAlterConfigsRequest()
		rr := kmsg.NewIncrementalAlterConfigsRequestResource()
		rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeTopic, "t"
		r.Resources = append(r.Resources, rr)
		return r
	}, kerr.TopicAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationAlterConfigs}}},
	{"log dirs", func() kmsg.Request { return kmsg.NewPtrDescribeLogDirsRequest() }, kerr.ClusterAuthorizationFailed, []rule{{onCluster, "kafka-cluster", kmsg.ACLOperationDescribe}}},
	{"create partitions", func() kmsg.Request {
		r := kmsg.NewPtrCreatePartitionsRequest()
		rt := kmsg.NewCreatePartitionsRequestTopic()
		rt.Topic, rt.Count = "t", 1
		r.Topics = append(r.Topics, rt)
		return r
	}, kerr.TopicAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationAlter}}},
	{"describe producers", func() kmsg.Request {
		r := kmsg.NewPtrDescribeProducersRequest()
		rt := kmsg.NewDescribeProducersRequestTopic()
		rt.Topic, rt.Partitions = "t", []int32{0}
		r.Topics = append(r.Topics, rt)
		return r
	}, kerr.TopicAuthorizationFailed, []rule{{onTopic, "t", kmsg.ACLOperationRead}}},
	{"describe acls", func() kmsg.Request {
		r := kmsg.NewPtrDescribeACLsRequest()
		r.ResourceType, r.ResourcePatternType, r.Operation, r.PermissionType = 1, 1, 1, 1
		return r
	}, kerr.ClusterAuthorizationFailed, []rule{{onCluster, "kafka-cluster", kmsg.ACLOperationDescribe}}},
	{"create acls", func() kmsg.Request {
		r := kmsg.NewPtrCreateACLsRequest()
		r.Creations = append(r.Creations, rule{onTopic, "u", kmsg.ACLOperationRead}.creation())
		return r
	}, kerr.ClusterAuthorizationFailed, []rule{{onCluster, "kafka-cluster", kmsg.ACLOperationAlter}}},
	{"describe quotas", func() kmsg.Request { return kmsg.NewPtrDescribeClientQuotasRequest() }, kerr.ClusterAuthorizationFailed, []rule{{onCluster, "kafka-cluster", kmsg.ACLOperationDescribeConfigs}}},
	{"alter quotas", func() kmsg.Request {
		r := kmsg.NewPtrAlterClientQuotasRequest()
		r.Entries = append(r.Entries, kmsg.NewAlterClientQuotasRequestEntry())
		return r
	}, kerr.ClusterAuthorizationFailed, []rule{{onCluster, "kafka-cluster", kmsg.ACLOperationAlterConfigs}}},
	{"describe users", func() kmsg.Request { return kmsg.NewPtrDescribeUserSCRAMCredentialsRequest() }, kerr.ClusterAuthorizationFailed, []rule{{onCluster, "kafka-cluster", kmsg.ACLOperationDescribe}}},
	{"list config resources", func() kmsg.Request { return kmsg.NewPtrListConfigResourcesRequest() }, kerr.ClusterAuthorizationFailed, []rule{{onCluster, "kafka-cluster", kmsg.ACLOperationDescribeConfigs}}},
}

func commitRequest() kmsg.Request {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Group, r.Generation = "g", -1
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = "t"
	rt.Partitions = append(rt.Partitions, kmsg.NewOffsetCommitRequestTopicPartition())
	r.Topics = append(r.Topics, rt)
	return r
}

func createRequest() kmsg.Request {
	r := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = "new", 1, 1
	r.Topics, r.ValidateOnly = append(r.Topics, rt), true
	return r
}

func configRequest(kind kmsg.ConfigResourceType, name string) kmsg.Request {
	r := kmsg.NewPtrDescribeConfigsRequest()
	rr := kmsg.NewDescribeConfigsRequestResource()
	rr.ResourceType, rr.ResourceName = kind, name
	r.Resources = append(r.Resources, rr)
	return r
}

// TestACL_EachAPI asks each API without rights, with all of the rights it takes
// but the last, and with all of them.
func TestACL_EachAPI(t *testing.T) {
	b, alice, bob := guarded(t, nil)
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	checkRights(t, alice, bob, apis)
}

func checkRights(t *testing.T, alice, bob *kgo.Client, apis []guardedAPI) {
	t.Helper()
	// Versions with topics' names, and no client logic between.
	ask := func(c *kgo.Client, r kmsg.Request) []int16 {
		t.Helper()
		resp, err := c.Broker(1).Request(timeout(t), pinned{r})
		if err != nil {
			t.Fatalf("%T: %v", r, err)
		}
		return denials(reflect.ValueOf(resp))
	}
	for _, api := range apis {
		for n := range len(api.rules) + 1 {
			revokeAll(t, alice)
			if n > 0 {
				grant(t, alice, api.rules[:n]...)
			}
			codes := ask(bob, api.req())
			all := n == len(api.rules)
			switch {
			case all && len(codes) > 0:
				t.Errorf("%s with all rights: codes %v", api.name, codes)
			case !all && len(codes) == 0:
				t.Errorf("%s with %d of its rights is allowed", api.name, n)
			case n == 0 && codes[0] != api.denied.Code:
				t.Errorf("%s without rights: codes %v, want %d", api.name, codes, api.denied.Code)
			}
		}
		if codes := ask(alice, api.req()); len(codes) > 0 {
			t.Errorf("%s by a super user: codes %v", api.name, codes)
		}
	}
}

// pinned keeps requests from being sent in versions with topics' ids.
type pinned struct{ kmsg.Request }

func (p pinned) MaxVersion() int16 {
	most := map[int16]int16{0: 12, 1: 12, 8: 9, 9: 9}
	if v, ok := most[p.Key()]; ok {
		return v
	}
	return p.Request.MaxVersion()
}

// TestACL_Unseen has what bob didn't ask for by name left out.
func TestACL_Unseen(t *testing.T) {
	b, alice, bob := guarded(t, nil)
	for _, topic := range []string{"a", "b", "c"} {
		if err := b.CreateTopic(t.Context(), topic, 1); err != nil {
			t.Fatal(err)
		}
	}
	produce(t, alice, "a", "x")
	admin := kadm.NewClient(alice)
	for _, group := range []string{"g1", "g2"} {
		if err := admin.CommitAllOffsets(timeout(t), group, kadm.OffsetsFromFetches(fetchOne(t, b))); err != nil {
			t.Fatal(err)
		}
	}
	grant(t, alice, rule{onTopic, "b", kmsg.ACLOperationRead}, rule{onGroup, "g2", kmsg.ACLOperationDescribe})

	his := kadm.NewClient(bob)
	topics, err := his.ListTopics(timeout(t))
	if err != nil || !slices.Equal(topics.Names(), []string{"b"}) {
		t.Errorf("topics %v, %v", topics.Names(), err)
	}
	groups, err := his.ListGroups(timeout(t))
	if err != nil || !slices.Equal(groups.Groups(), []string{"g2"}) {
		t.Errorf("groups %v, %v", groups.Groups(), err)
	}
	offsets, err := his.FetchOffsets(timeout(t), "g2")
	if err != nil || len(offsets) != 0 {
		t.Errorf("offsets %v, %v", offsets, err)
	}
	if _, err := his.ListTopics(timeout(t), "missing"); !errors.As(err, new(*kadm.AuthError)) {
		t.Errorf("a topic that isn't there: %v", err)
	}

	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	resp, err := req.RequestWith(timeout(t), bob)
	const readAndDescribe = 1<<kmsg.ACLOperationRead | 1<<kmsg.ACLOperationDescribe
	if err != nil || len(resp.Topics) != 1 || resp.Topics[0].AuthorizedOperations != readAndDescribe {
		t.Errorf("%+v, %v", resp, err)
	}
}

// fetchOne is a fetch of one record, for its offset.
func fetchOne(t *testing.T, b *Broker) kgo.Fetches {
	c := client(t, b, kgo.SASL(mechanism(ScramSHA256, "alice", "alice's")), kgo.ConsumeTopics("a"))
	return c.PollFetches(timeout(t))
}

// TestACL_Kept has lists survive a restart.
func TestACL_Kept(t *testing.T) {
	fs := vfs.NewMem()
	onFS := func(c *Config) { c.fs = fs }
	b, alice, _ := guarded(t, onFS)
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	grant(t, alice, rule{onTopic, "t", kmsg.ACLOperationWrite})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	_, alice, bob := guarded(t, onFS)
	produce(t, bob, "t", "v")
	revokeAll(t, alice)
	if err := bob.ProduceSync(timeout(t), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("after the right was taken away: %v", err)
	}
}

func TestACL_NoAuthorizer(t *testing.T) {
	b := start(t, Config{})
	r := kmsg.NewPtrDescribeACLsRequest()
	r.ResourceType, r.ResourcePatternType, r.Operation, r.PermissionType = 1, 1, 1, 1
	resp, err := r.RequestWith(timeout(t), client(t, b))
	if err != nil || resp.ErrorCode != kerr.SecurityDisabled.Code {
		t.Errorf("%+v, %v", resp, err)
	}
}

// TestACL_Audit looks at what is logged of a refusal.
func TestACL_Audit(t *testing.T) {
	log := &lockedBuffer{}
	_, _, bob := guarded(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	_, err := kadm.NewClient(bob).CreateTopic(timeout(t), 1, 1, nil, "mine")
	if !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Fatal(err)
	}
	const want = `msg="access denied" principal=User:bob host=127.0.0.1 listener=SASL_PLAINTEXT client=kgo operation=CREATE resource=TOPIC name=mine request=CreateTopics unlogged=0`
	if !strings.Contains(log.String(), want) {
		t.Errorf("logged: %s", log.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
