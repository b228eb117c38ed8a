package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// State is the phase of a group's rebalance.
type State uint8

// The states of a group. A group without members is Empty; Dead is one whose
// last trace has been removed.
const (
	Empty State = iota
	PreparingRebalance
	CompletingRebalance
	Stable
	Dead
)

// String is Kafka's name of the state.
func (s State) String() string {
	switch s {
	case Empty:
		return "Empty"
	case PreparingRebalance:
		return "PreparingRebalance"
	case CompletingRebalance:
		return "CompletingRebalance"
	case Stable:
		return "Stable"
	default:
		return "Dead"
	}
}

// Call names a request whose answer may come later. 0 is no call.
type Call uint64

// Reply is the answer to a call.
type Reply struct {
	Call Call
	Body kmsg.Response
}

// Record is a record for the offsets topic. A nil Value is a tombstone.
type Record struct {
	Key, Value []byte
}

// Effects is what a step of the machine asks for: first to append the records,
// as one batch, then to send the replies.
type Effects struct {
	Replies []Reply
	Records []Record
	// Deferred says that the records take effect when they are stored, by
	// [Group.Restore], as if they had been read. The steps of memberships are so;
	// those of classic groups have taken effect already.
	Deferred bool
	// Become is what the group is made by the step, once the records are stored
	// and before they are applied; nil if it stays what it is.
	Become Membership
	// Rejoin says that members of what is now a classic group have to join again.
	Rejoin bool
	// Rebalanced says that it is settled anew who has what: a classic group has a
	// new generation, or one of another kind a new target.
	Rebalanced bool
}

// Reply adds the answer to a call.
func (e *Effects) Reply(c Call, body kmsg.Response) { e.reply(c, body) }

func (e *Effects) reply(c Call, body kmsg.Response) {
	if c != 0 {
		e.Replies = append(e.Replies, Reply{c, body})
	}
}

// Config holds the limits and sources of a group. All fields are required,
// except that a zero InitialRebalanceDelay is no delay.
type Config struct {
	InitialRebalanceDelay time.Duration
	MinSessionTimeout     time.Duration
	MaxSessionTimeout     time.Duration
	MaxMembers            int
	MaxMetadataBytes      int // of a committed offset
	// OffsetsRetention is how long offsets outlive the group's members.
	// Negative is for ever.
	OffsetsRetention time.Duration
	// NewID returns a unique suffix for member ids.
	NewID func() string
}

// Client is who sent a request.
type Client struct {
	ID, Host string
}

// Group is one group: its offsets, and either the members of a classic group,
// which are its own, or a [Membership].
type Group struct {
	id  string
	cfg *Config

	state        State
	since        time.Time // when the state was entered
	generation   int32
	protocolType string
	protocol     string // chosen for the generation; "" while there is none
	leader       string
	members      map[string]*member
	order        []string             // member ids in the order of joining
	static       map[string]string    // instance id -> member id
	pending      map[string]time.Time // ids given out, and until when they may join

	// The rebalance in progress: when it ends without the members that are
	// missing. During the initial delay it ends no sooner than holdUntil.
	rebalanceBy time.Time
	holdUntil   time.Time

	membership Membership // nil for a classic group

	offsets map[Partition]committed
	open    map[int64]map[Partition]committed // by the producer whose transaction it is
}

// member is one member of a group.
type member struct {
	id         string
	instanceID *string
	client     Client
	session    time.Duration
	rebalance  time.Duration
	protocols  []kmsg.JoinGroupRequestProtocol
	assignment []byte

	expires  time.Time // of the session, while no call waits
	isNew    bool      // has not finished its first join
	joinCall Call
	join     *kmsg.JoinGroupRequest
	syncCall Call
	sync     *kmsg.SyncGroupRequest
}

// New returns an empty group.
func New(id string, cfg *Config, now time.Time) *Group {
	return &Group{
		id: id, cfg: cfg, since: now,
		members: map[string]*member{},
		static:  map[string]string{},
		pending: map[string]time.Time{},
		offsets: map[Partition]committed{},
		open:    map[int64]map[Partition]committed{},
	}
}

// ID is the group's name.
func (g *Group) ID() string { return g.id }

// State is the state of a classic group. One with a membership, whose state is
// in StateName, is Empty or Dead.
func (g *Group) State() State { return g.state }

// ProtocolType is what the members agreed to be, "consumer" for consumers.
func (g *Group) ProtocolType() string {
	if g.membership != nil {
		return g.Kind().String()
	}
	return g.protocolType
}

func (g *Group) enter(s State, now time.Time) {
	g.state, g.since = s, now
	if s != PreparingRebalance {
		g.holdUntil = time.Time{}
	}
}

// newMemberTimeout bounds how long a new member's join may wait.
const newMemberTimeout = 5 * time.Minute

func (m *member) touch(now time.Time) { m.expires = now.Add(m.session) }

// metadata is the member's metadata for a protocol.
func (m *member) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

func (g *Group) add(m *member) {
	if len(g.members) == 0 {
		g.leader = m.id
	}
	g.members[m.id] = m
	g.order = append(g.order, m.id)
	if m.instanceID != nil {
		g.static[*m.instanceID] = m.id
	}
	delete(g.pending, m.id)
}

// remove drops a member and answers the calls it has waiting.
func (g *Group) remove(m *member, e *Effects, code int16) {
	g.failCalls(m, e, code)
	delete(g.members, m.id)
	g.order = slices.DeleteFunc(g.order, func(id string) bool { return id == m.id })
	if m.instanceID != nil && g.static[*m.instanceID] == m.id {
		delete(g.static, *m.instanceID)
	}
	if g.leader == m.id {
		g.leader = ""
		if len(g.order) > 0 {
			g.leader = g.order[0]
		}
	}
}

func (g *Group) failCalls(m *member, e *Effects, code int16) {
	if m.joinCall != 0 {
		e.reply(m.joinCall, joinError(m.join, code))
		m.joinCall, m.join = 0, nil
	}
	if m.syncCall != 0 {
		e.reply(m.syncCall, syncError(m.sync, code))
		m.syncCall, m.sync = 0, nil
	}
}

// identify finds the member that a request names. Static members are found by
// instance id; a member id that isn't the instance's current one is fenced.
func (g *Group) identify(memberID string, instanceID *string) (*member, int16) {
	if instanceID != nil {
		current, ok := g.static[*instanceID]
		if !ok {
			return nil, kerr.UnknownMemberID.Code
		}
		if current != memberID {
			return nil, kerr.FencedInstanceID.Code
		}
	}
	m, ok := g.members[memberID]
	if !ok {
		return nil, kerr.UnknownMemberID.Code
	}
	return m, 0
}

// supports says whether a member with these protocols can be in the group.
func (g *Group) supports(protocolType string, protocols []kmsg.JoinGroupRequestProtocol) bool {
	if len(protocols) == 0 || protocolType == "" {
		return false
	}
	if len(g.members) == 0 {
		return true
	}
	if protocolType != g.protocolType {
		return false
	}
	return slices.ContainsFunc(protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return g.everyoneHas(p.Name) })
}

func (g *Group) everyoneHas(protocol string) bool {
	for _, m := range g.members {
		if !slices.ContainsFunc(m.protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return p.Name == protocol }) {
			return false
		}
	}
	return true
}

// vote chooses the protocol: of those that everyone has, the one that most
// members put first.
func (g *Group) vote() string {
	votes := map[string]int{}
	best := ""
	for _, id := range g.order {
		for _, p := range g.members[id].protocols {
			if g.everyoneHas(p.Name) {
				votes[p.Name]++
				break
			}
		}
	}
	for _, id := range g.order {
		for _, p := range g.members[id].protocols {
			if votes[p.Name] > 0 && (best == "" || votes[p.Name] > votes[best]) {
				best = p.Name
			}
		}
	}
	return best
}

// rebalanceTimeout is how long the slowest member may take to rejoin.
func (g *Group) rebalanceTimeout() time.Duration {
	var d time.Duration
	for _, m := range g.members {
		d = max(d, m.rebalance)
	}
	return d
}
