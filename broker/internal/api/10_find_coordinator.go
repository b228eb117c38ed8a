package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/wire"
)

// FindCoordinator, v0-6: which node coordinates a group, a transactional id or a
// share partition: the one there is.
//
// v1: key types, error message
// v3: flexible
// v4: many keys
// v5, v6: for transactions and share groups
func (s *Server) findCoordinator(req *wire.Request, r *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.FindCoordinatorResponse)
	if r.Version < 4 {
		c := s.coordinator(req, r.CoordinatorType, r.CoordinatorKey)
		resp.ErrorCode, resp.ErrorMessage = c.ErrorCode, c.ErrorMessage
		resp.NodeID, resp.Host, resp.Port = c.NodeID, c.Host, c.Port
		return resp
	}
	for _, key := range r.CoordinatorKeys {
		resp.Coordinators = append(resp.Coordinators, s.coordinator(req, r.CoordinatorType, key))
	}
	return resp
}

const (
	groupKeyType       = 0
	transactionKeyType = 1
	shareKeyType       = 2
)

func (s *Server) coordinator(req *wire.Request, kind int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.Key, c.NodeID, c.Port = key, -1, -1
	// The coordinators' topics are made before the first client relies on them.
	var err error
	switch {
	case kind == groupKeyType && !s.mayGroup(req, toDescribe, key):
		c.ErrorCode = groupDenied
		return c
	case kind == transactionKeyType && !s.mayTransact(req, toDescribe, key):
		c.ErrorCode = transactionDenied
		return c
	case kind == groupKeyType:
		err = s.Groups.Ensure()
	case kind == transactionKeyType:
		err = s.Txns.Ensure()
	case kind == shareKeyType && !s.mayCluster(req, toAct):
		c.ErrorCode = clusterDenied
		return c
	case kind == shareKeyType && share.CheckCoordinatorKey(key) == nil:
		err = s.Shares.Ensure()
	default:
		c.ErrorCode = kerr.InvalidRequest.Code
		c.ErrorMessage = kmsg.StringPtr("this is no kind of coordinator, or no key of one")
		return c
	}
	if err != nil {
		c.ErrorCode = s.coordCode(err)
		return c
	}
	node := s.node(req)
	c.NodeID, c.Host, c.Port = NodeID, node.Host, node.Port
	return c
}
