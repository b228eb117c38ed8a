package api

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/acl"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// What clients do, and to what, in short.
const (
	toRead            = kmsg.ACLOperationRead
	toWrite           = kmsg.ACLOperationWrite
	toCreate          = kmsg.ACLOperationCreate
	toDelete          = kmsg.ACLOperationDelete
	toAlter           = kmsg.ACLOperationAlter
	toDescribe        = kmsg.ACLOperationDescribe
	toAct             = kmsg.ACLOperationClusterAction
	toDescribeConfigs = kmsg.ACLOperationDescribeConfigs
	toAlterConfigs    = kmsg.ACLOperationAlterConfigs
	toWriteIdempotent = kmsg.ACLOperationIdempotentWrite

	aTopic       = kmsg.ACLResourceTypeTopic
	aGroup       = kmsg.ACLResourceTypeGroup
	aTransaction = kmsg.ACLResourceTypeTransactionalId
	theCluster   = kmsg.ACLResourceTypeCluster
)

// may says whether the client of a request may do something. That it may not is
// logged, for whoever watches over the broker.
func (s *Server) may(r *wire.Request, op kmsg.ACLOperation, kind kmsg.ACLResourceType, name string) bool {
	if s.sees(r, op, kind, name) {
		return true
	}
	s.audit(r, op, kind, name)
	return false
}

// sees is may for what the client didn't ask for by name: that it may not is no
// news.
func (s *Server) sees(r *wire.Request, op kmsg.ACLOperation, kind kmsg.ACLResourceType, name string) bool {
	if s.Policy == nil || r.Trusted {
		return true
	}
	return s.Policy.Allows(s.Catalog.Security().ACLs, accessOf(r, op, kind, name))
}

func accessOf(r *wire.Request, op kmsg.ACLOperation, kind kmsg.ACLResourceType, name string) acl.Access {
	return acl.Access{Principal: r.Principal, Host: r.Host, Operation: op, Type: kind, Name: name}
}

// mayTopic is may for a topic.
func (s *Server) mayTopic(r *wire.Request, op kmsg.ACLOperation, name string) bool {
	return s.may(r, op, aTopic, name)
}

// mayGroup is may for a group.
func (s *Server) mayGroup(r *wire.Request, op kmsg.ACLOperation, id string) bool {
	return s.may(r, op, aGroup, id)
}

// mayTransact is may for a transactional id.
func (s *Server) mayTransact(r *wire.Request, op kmsg.ACLOperation, id string) bool {
	return s.may(r, op, aTransaction, id)
}

// mayCluster is may for what isn't about a topic or group.
func (s *Server) mayCluster(r *wire.Request, op kmsg.ACLOperation) bool {
	return s.may(r, op, theCluster, acl.ClusterName)
}

// mayProduce says whether the client may have a producer id: if there may be a
// topic that it can write to.
func (s *Server) mayProduce(r *wire.Request) bool {
	if s.Policy == nil || r.Trusted || s.sees(r, toWriteIdempotent, theCluster, acl.ClusterName) {
		return true
	}
	if s.Policy.AllowsAny(s.Catalog.Security().ACLs, accessOf(r, toWrite, aTopic, "")) {
		return true
	}
	return s.mayCluster(r, toWriteIdempotent) // and log that not
}

// mayCreate says whether the client may create a topic.
func (s *Server) mayCreate(r *wire.Request, name string) bool {
	return s.sees(r, toCreate, theCluster, acl.ClusterName) || s.mayTopic(r, toCreate, name)
}

// operations are what the client may do to something, as a set of bits.
func (s *Server) operations(r *wire.Request, kind kmsg.ACLResourceType, name string) int32 {
	var set int32
	for _, op := range acl.Operations(kind) {
		if s.sees(r, op, kind, name) {
			set |= 1 << op
		}
	}
	return set
}

// audit logs that something was refused.
func (s *Server) audit(r *wire.Request, op kmsg.ACLOperation, kind kmsg.ACLResourceType, name string) {
	s.denials.tell(s.Clock.Now(), func(more int) {
		s.Log.Warn("access denied", "principal", r.Principal, "host", r.Host, "listener", r.Listener, "client", r.ClientID,
			"operation", op.String(), "resource", kind.String(), "name", name, "request", kmsg.NameForKey(r.Key), "unlogged", more)
	})
}

// denials limits what is logged of refusals, which clients could fill a disk
// with.
type denials struct {
	mu     sync.Mutex
	second int64
	said   int // in this second
	unsaid int // since the last that was said
}

// denialsPerSecond is how many refusals are logged.
const denialsPerSecond = 50

// tell says something, with how many before it weren't said, or counts it.
func (d *denials) tell(now time.Time, say func(unsaid int)) {
	d.mu.Lock()
	if second := now.Unix(); second != d.second {
		d.second, d.said = second, 0
	}
	if d.said >= denialsPerSecond {
		d.unsaid++
		d.mu.Unlock()
		return
	}
	d.said++
	unsaid := d.unsaid
	d.unsaid = 0
	d.mu.Unlock()
	say(unsaid)
}

// The codes for what a client may not do.
var (
	topicDenied       = kerr.TopicAuthorizationFailed.Code
	groupDenied       = kerr.GroupAuthorizationFailed.Code
	clusterDenied     = kerr.ClusterAuthorizationFailed.Code
	transactionDenied = kerr.TransactionalIDAuthorizationFailed.Code
)

// mayTopicOr is mayTopic for a topic that was asked for by id or name. Of an id
// that is no topic's there is nothing to hide.
func (s *Server) mayTopicOr(r *wire.Request, op kmsg.ACLOperation, t *catalog.Topic, name string) bool {
	if t != nil {
		name = t.Name
	}
	return name == "" || s.mayTopic(r, op, name)
}

// clusterOperations are what the client may do to the cluster, if it may know.
func (s *Server) clusterOperations(r *wire.Request) int32 {
	if !s.sees(r, toDescribe, theCluster, acl.ClusterName) {
		return 0
	}
	return s.operations(r, theCluster, acl.ClusterName)
}

// mayConfigure returns why a client may not see or change configs.
func (s *Server) mayConfigure(r *wire.Request, op kmsg.ACLOperation, kind kmsg.ConfigResourceType, name string) error {
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		if !s.mayTopic(r, op, name) {
			return kerr.TopicAuthorizationFailed
		}
	case kmsg.ConfigResourceTypeGroupConfig:
		if !s.mayGroup(r, op, name) {
			return kerr.GroupAuthorizationFailed
		}
	default:
		if !s.mayCluster(r, op) {
			return kerr.ClusterAuthorizationFailed
		}
	}
	return nil
}
