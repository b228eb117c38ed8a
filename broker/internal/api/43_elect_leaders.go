package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// ElectLeaders, v0-2: partitions have the only leader there is.
//
// v1: kinds of elections, an error code for the whole
// v2: flexible
func (s *Server) electLeaders(req *wire.Request, r *kmsg.ElectLeadersRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.ElectLeadersResponse)
	const preferred, unclean = 0, 1
	var all *kerr.Error // what is wrong with the whole
	why := ""
	switch {
	case !s.mayCluster(req, toAlter):
		all, why = kerr.ClusterAuthorizationFailed, kerr.ClusterAuthorizationFailed.Description
	case r.ElectionType != preferred && r.ElectionType != unclean:
		all, why = kerr.InvalidRequest, fmt.Sprintf("Unknown election type %d", r.ElectionType)
	}
	if all != nil {
		resp.ErrorCode = all.Code
	}
	img := s.Catalog.Image()
	if r.Topics == nil && all == nil {
		// Of all partitions, only those are told that needed a leader.
		for _, t := range img.Topics() {
			out := kmsg.NewElectLeadersResponseTopic()
			out.Topic = t.Name
			resp.Topics = append(resp.Topics, out)
		}
	}
	for _, rt := range r.Topics {
		out := kmsg.NewElectLeadersResponseTopic()
		out.Topic = rt.Topic
		t := img.Topic(rt.Topic)
		for _, rp := range rt.Partitions {
			p := kmsg.NewElectLeadersResponseTopicPartition()
			p.Partition = rp
			code, text := kerr.ElectionNotNeeded, "Leader election not needed for topic partition."
			switch {
			case all != nil:
				code, text = all, why
			case t == nil:
				code, text = kerr.UnknownTopicOrPartition, "No such topic as "+rt.Topic
			case t.Log(rp) == nil:
				code, text = kerr.UnknownTopicOrPartition, fmt.Sprintf("No such partition as %s-%d", rt.Topic, rp)
			}
			p.ErrorCode, p.ErrorMessage = code.Code, &text
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
