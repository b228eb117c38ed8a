package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// DescribeCluster, v0-2: the cluster of one.
//
// v1: brokers or controllers; only brokers are here
// v2: fenced brokers, of which there are none
func (s *Server) describeCluster(req *wire.Request, r *kmsg.DescribeClusterRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeClusterResponse)
	const brokers = 1
	if r.Version >= 1 && r.EndpointType != brokers {
		resp.ErrorCode = kerr.MismatchedEndpointType.Code
		resp.ErrorMessage = kmsg.StringPtr("The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
		return resp
	}
	node := s.node(req)
	resp.EndpointType = brokers
	resp.ClusterID, resp.ControllerID = s.Catalog.ClusterID(), NodeID
	if r.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = s.clusterOperations(req)
	}
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID, b.Host, b.Port = NodeID, node.Host, node.Port
	resp.Brokers = append(resp.Brokers, b)
	return resp
}
