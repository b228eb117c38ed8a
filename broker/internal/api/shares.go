package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/wire"
)

// sessionCode is the error code for an error of share sessions.
func sessionCode(err error) int16 {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, share.ErrNoSession):
		return kerr.ShareSessionNotFound.Code
	case errors.Is(err, share.ErrTooMany):
		return kerr.ShareSessionLimitReached.Code
	}
	return kerr.InvalidShareSessionEpoch.Code
}

// maxMemberID is the longest id of a member of a share group: a UUID's text.
const maxMemberID = 36

// shareMember checks who makes a request of a share session: 0, or the code and
// the reason.
func (s *Server) shareMember(req *wire.Request, group, member *string) (k share.SessionKey, code int16, why string) {
	if group != nil {
		k.Group = *group
	}
	if member != nil {
		k.Member = *member
	}
	switch {
	case k.Group == "":
		return k, kerr.InvalidRequest.Code, "The group id must not be empty."
	case !s.mayGroup(req, toRead, k.Group):
		return k, groupDenied, ""
	case k.Member == "" || len(k.Member) > maxMemberID:
		return k, kerr.InvalidRequest.Code, "Invalid member id in the request."
	}
	return k, 0, ""
}

// endShareSession takes back what a member has, when its session is over.
func (s *Server) endShareSession(k share.SessionKey, held []share.TopicPartition) {
	for _, p := range held {
		// Nobody waits for it: the member's time ends otherwise.
		_, _ = s.Shares.Release(share.Key{Group: k.Group, Topic: p.Topic, Partition: p.Partition}, k.Member)
	}
}

// acks are the acknowledgements of a request, for one share partition.
type acks struct {
	share.TopicPartition
	batches []share.Acknowledgement
	code    int16
	why     *string
}

// ackBatches reads the acknowledgements of a partition; the two requests have
// types of their own for them.
func ackBatches[B any](list []B, get func(*B) (first, last int64, types []int8)) (out []share.Acknowledgement) {
	for i := range list {
		a := share.Acknowledgement{}
		var types []int8
		a.First, a.Last, types = get(&list[i])
		a.Types = make([]share.Type, len(types))
		for j, t := range types {
			a.Types[j] = share.Type(t)
		}
		out = append(out, a)
	}
	return out
}

// renewals says whether a request may renew locks, and whether it says that it
// does.
type renewals struct {
	served, announced bool
}

// check returns the code for acknowledgements that make no sense.
func (r renewals) check(list []share.Acknowledgement) int16 {
	previous := int64(-1)
	highest := share.Reject
	if r.served {
		highest = share.Renew
	}
	for _, a := range list {
		if a.First > a.Last || a.First < previous || len(a.Types) == 0 || len(a.Types) > 1 && a.Last-a.First != int64(len(a.Types)-1) {
			return kerr.InvalidRequest.Code
		}
		for _, t := range a.Types {
			if t < share.Gap || t > highest || t == share.Renew && !r.announced {
				return kerr.InvalidRequest.Code
			}
		}
		previous = a.Last
	}
	return 0
}

// acknowledge passes acknowledgements on and notes what came of each. The error
// is ctx's.
func (s *Server) acknowledge(ctx context.Context, req *wire.Request, k share.SessionKey, list []acks, r renewals) error {
	img := s.Catalog.Image()
	waits := make([]*coord.Future[error], len(list))
	for i := range list {
		a := &list[i]
		t := img.TopicByID(a.Topic)
		if a.code = r.check(a.batches); t == nil {
			a.code = kerr.UnknownTopicID.Code
		} else if a.code == 0 && !s.mayTopic(req, toRead, t.Name) {
			a.code = topicDenied
		} else if a.code == 0 && t.Log(a.Partition) == nil {
			a.code = kerr.UnknownTopicOrPartition.Code
		}
		if a.code != 0 || len(a.batches) == 0 {
			continue
		}
		var err error
		waits[i], err = s.Shares.Acknowledge(share.Key{Group: k.Group, Topic: a.Topic, Partition: a.Partition}, k.Member, a.batches)
		if err != nil {
			a.code = s.coordCode(err)
		}
	}
	for i, f := range waits {
		if f == nil {
			continue
		}
		err, code, gone := awaitCoord(ctx, s, f, nil)
		if gone != nil {
			return gone
		}
		if list[i].code = code; code == 0 {
			list[i].code = ackCode(err)
			if err != nil {
				list[i].why = kmsg.StringPtr(err.Error())
			}
		}
	}
	return nil
}

func ackCode(err error) int16 {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, share.ErrState), errors.Is(err, share.ErrRenewal):
		return kerr.InvalidRecordState.Code
	case errors.Is(err, coord.ErrUnknownShare):
		return kerr.UnknownTopicOrPartition.Code
	case errors.Is(err, kerr.CoordinatorNotAvailable):
		return kerr.CoordinatorNotAvailable.Code
	}
	return kerr.InvalidRequest.Code
}

// messageOf is the text for an error code, nil for none.
func messageOf(code int16) *string {
	if code == 0 {
		return nil
	}
	if e, ok := kerr.ErrorForCode(code).(*kerr.Error); ok {
		return kmsg.StringPtr(e.Description)
	}
	return nil
}
