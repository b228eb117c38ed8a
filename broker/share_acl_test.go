package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestShareGroup_ACL asks the APIs of share groups with all of the rights they
// take, and with fewer.
func TestShareGroup_ACL(t *testing.T) {
	b, alice, bob := guarded(t, nil)
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	id := b.catalog.Image().Topic("t").ID
	member := kmsg.StringPtr("m")
	topicRule := func(op kmsg.ACLOperation) rule { return rule{onTopic, "t", op} }
	groupRule := func(op kmsg.ACLOperation) rule { return rule{onGroup, "g", op} }
	read, describe, remove := kmsg.ACLOperationRead, kmsg.ACLOperationDescribe, kmsg.ACLOperationDelete
	denied := kerr.GroupAuthorizationFailed
	checkRights(t, alice, bob, []guardedAPI{
		{"heartbeat", func() kmsg.Request {
			r := kmsg.NewPtrShareGroupHeartbeatRequest()
			r.GroupID, r.MemberID, r.SubscribedTopicNames = "g", "m", []string{"t"}
			return r
		}, denied, []rule{topicRule(describe), groupRule(read)}},
		{"describe", func() kmsg.Request {
			r := kmsg.NewPtrShareGroupDescribeRequest()
			r.GroupIDs = []string{"g"}
			return r
		}, denied, []rule{topicRule(describe), groupRule(describe)}},
		{"fetch", func() kmsg.Request {
			r := kmsg.NewPtrShareFetchRequest()
			r.GroupID, r.MemberID = kmsg.StringPtr("g"), member
			r.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: id, Partitions: []kmsg.ShareFetchRequestTopicPartition{{}}}}
			return r
		}, denied, []rule{groupRule(read), topicRule(read)}},
		{"acknowledge", func() kmsg.Request {
			r := kmsg.NewPtrShareAcknowledgeRequest()
			r.GroupID, r.MemberID = kmsg.StringPtr("g"), member
			return r
		}, denied, []rule{groupRule(read)}},
		{"describe offsets", func() kmsg.Request {
			r := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
			r.Groups = []kmsg.DescribeShareGroupOffsetsRequestGroup{{GroupID: "g", Topics: []kmsg.DescribeShareGroupOffsetsRequestGroupTopic{{Topic: "t", Partitions: []int32{0}}}}}
			return r
		}, denied, []rule{topicRule(describe), groupRule(describe)}},
		{"alter offsets", func() kmsg.Request {
			r := kmsg.NewPtrAlterShareGroupOffsetsRequest()
			r.GroupID = "h"
			r.Topics = []kmsg.AlterShareGroupOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{}}}}
			return r
		}, denied, []rule{topicRule(read), {onGroup, "h", read}}},
		{"delete offsets", func() kmsg.Request {
			r := kmsg.NewPtrDeleteShareGroupOffsetsRequest()
			r.GroupID, r.Topics = "h", []kmsg.DeleteShareGroupOffsetsRequestTopic{{Topic: "t"}}
			return r
		}, denied, []rule{topicRule(read), {onGroup, "h", remove}}},
		{"find coordinator", func() kmsg.Request {
			r := kmsg.NewPtrFindCoordinatorRequest()
			r.CoordinatorType, r.CoordinatorKeys = 2, []string{"g:AQAAAAAAAAAAAAAAAAAAAA:0"}
			return r
		}, kerr.ClusterAuthorizationFailed, []rule{{onCluster, "kafka-cluster", kmsg.ACLOperationClusterAction}}},
	})
}
