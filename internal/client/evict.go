package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Evict makes a member leave a group that can't do so itself. It is no error if
// the group doesn't know it any more.
func (c *Client) Evict(ctx context.Context, group, member string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	req.MemberID = member // before version 3
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = member
	req.Members = append(req.Members, m)
	resp, err := req.RequestWith(ctx, c.k)
	if err != nil {
		return fmt.Errorf("client: evict member %s of group %s: %w", member, group, err)
	}
	err = kerr.ErrorForCode(resp.ErrorCode)
	for _, m := range resp.Members {
		if err == nil {
			err = kerr.ErrorForCode(m.ErrorCode)
		}
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("client: evict member %s of group %s: %w", member, group, err)
	}
	return nil
}

// Member is the member's id, "" if it has none.
func (g *Group) Member() string {
	member, _ := g.k.GroupMetadata()
	return member
}
