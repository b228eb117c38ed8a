package membership

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/group"
)

// The epochs by which members say in a heartbeat that they join or leave.
const (
	Joining    = 0
	Leaving    = -1
	LeftForNow = -2 // a static member that will come back
)

// First is the epoch that consumer and streams groups begin with. It leaves one
// before it for members that join before there is a target.
const First = 2

// Phase is how far a member is on its way to its target. The numbers are those in
// records.
type Phase int8

// The phases of a member.
const (
	Stable    Phase = 0 // it has what it should have
	Revoking  Phase = 1 // it has to give something back
	Releasing Phase = 2 // others have what it should have
)

// Progress is how far a member is.
type Progress struct {
	Epoch, Previous int32
	Phase           Phase
}

// At is the progress itself, for what has it embedded.
func (p *Progress) At() Progress { return *p }

// Advance gives the member an epoch.
func (p *Progress) Advance(epoch int32) { p.Previous, p.Epoch = p.Epoch, epoch }

// Admit fences a member that isn't where the group believes it to be: epoch is the
// one it tells. One whose last answer got lost comes with the epoch before, which
// is let pass if excused says so. Who joins is always admitted.
func (p *Progress) Admit(k group.Kind, epoch int32, excused func() bool) error {
	which := "greater"
	switch {
	case epoch == p.Epoch || epoch == Joining:
		return nil
	case epoch < p.Epoch:
		if epoch == p.Previous && excused() {
			return nil
		}
		which = "smaller"
	}
	return group.Refuse(kerr.FencedMemberEpoch, fmt.Sprintf(
		"The %s group member has a %s member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.",
		k, which, epoch, p.Epoch))
}

// Unknown is the error for who isn't a member.
func Unknown(id, groupID string) error {
	return group.Refuse(kerr.UnknownMemberID, fmt.Sprintf("Member %s is not a member of group %s.", id, groupID))
}

// Full is the error for one member too many.
func Full(k group.Kind, limit int) error {
	return group.Refuse(kerr.GroupMaxSizeReached, fmt.Sprintf("The %s group has reached its maximum capacity of %d members.", k, limit))
}
