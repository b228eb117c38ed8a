package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat is the request of a member of a group to which the broker assigns
// partitions, by which it joins, goes on, or leaves. Each kind has its own.
type Heartbeat interface {
	kmsg.Request
	// GroupID is the group's name.
	GroupID() string
	// Kind is that of the groups it is for.
	Kind() Kind
	// Joins says that the request asks for a new member.
	Joins() bool
	// NotFound is the error if there is no such group, or one of another kind.
	NotFound(env Env) error
}

// Answer ends a step that handles a heartbeat: with what the step asks for and the
// answer, or with nothing but the error.
func Answer(call Call, h Heartbeat, e Effects, body kmsg.Response, err error) Effects {
	if err != nil {
		return Refused(call, h, err)
	}
	e.Reply(call, body)
	return e
}

// Refused answers a heartbeat with an error.
func Refused(call Call, h Heartbeat, err error) Effects {
	body := h.ResponseKind()
	code, why := Refusal(err)
	switch r := body.(type) {
	case *kmsg.ConsumerGroupHeartbeatResponse:
		r.ErrorCode, r.ErrorMessage = code, why
	case *kmsg.StreamsGroupHeartbeatResponse:
		r.ErrorCode, r.ErrorMessage = code, why
	case *kmsg.ShareGroupHeartbeatResponse:
		r.ErrorCode, r.ErrorMessage = code, why
	}
	var e Effects
	e.Reply(call, body)
	return e
}

// NotFound is the error for a member of a group that isn't there, or is of another
// kind than the member believes. epoch is the one that it comes with: Kafka's text
// is another for who leaves.
func NotFound(env Env, k Kind, id string, epoch int32) error {
	switch {
	case env.Known:
		return Refuse(kerr.GroupIDNotFound, "Group "+id+" is not a "+k.String()+" group.")
	case epoch >= 0:
		return Refuse(kerr.GroupIDNotFound, k.title()+" group "+id+" not found.")
	}
	return Refuse(kerr.GroupIDNotFound, "Group "+id+" not found.")
}
