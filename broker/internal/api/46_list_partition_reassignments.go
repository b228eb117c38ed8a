package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// ListPartitionReassignments, v0: there never are any.
func (s *Server) listPartitionReassignments(req *wire.Request, r *kmsg.ListPartitionReassignmentsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	if !s.mayCluster(req, toDescribe) {
		resp.ErrorCode = clusterDenied
	}
	return resp
}
