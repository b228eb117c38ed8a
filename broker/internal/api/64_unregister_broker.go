package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// UnregisterBroker, v0: take a node out of the cluster. There are no others, and
// the one there is stays.
func (s *Server) unregisterBroker(req *wire.Request, r *kmsg.UnregisterBrokerRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.UnregisterBrokerResponse)
	if !s.mayCluster(req, toAlter) {
		resp.ErrorCode = clusterDenied
		return resp
	}
	code, why := kerr.BrokerIDNotRegistered.Code, fmt.Sprintf("Broker ID %d is not currently registered", r.BrokerID)
	if r.BrokerID == NodeID {
		code, why = kerr.InvalidRequest.Code, "The only broker of the cluster stays registered."
	}
	resp.ErrorCode, resp.ErrorMessage = code, &why
	return resp
}
