package group

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// story drives a group by short commands and collects what it answers.
type story struct {
	g       *Group
	now     time.Time
	call    Call
	asked   map[Call]string          // call -> who asks what
	answers map[string]kmsg.Response // "a join" -> the last answer
	records []Record                 // all, in order
	cfg     *Config
}

func newStory(cfg Config) *story {
	ids := 0
	cfg.NewID = func() string { ids++; return fmt.Sprint(ids) }
	if cfg.MaxMembers == 0 {
		cfg.MaxMembers = 100
	}
	cfg.MinSessionTimeout, cfg.MaxSessionTimeout = time.Second, time.Hour
	cfg.MaxMetadataBytes = 10
	s := &story{cfg: &cfg, now: time.UnixMilli(1_000_000), asked: map[Call]string{}, answers: map[string]kmsg.Response{}}
	s.g = New("g", s.cfg, s.now)
	return s
}

func (s *story) ask(what string) Call {
	s.call++
	s.asked[s.call] = what
	delete(s.answers, what)
	return s.call
}

func (s *story) take(e Effects) {
	s.records = append(s.records, e.Records...)
	for _, r := range e.Replies {
		s.answers[s.asked[r.Call]] = r.Body
		delete(s.asked, r.Call)
	}
}

// join asks for the member with the id to join; name is for the answers.
func (s *story) join(name, id string, change ...func(*kmsg.JoinGroupRequest)) {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.MemberID = 9, "g", id
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10_000, 60_000
	r.ProtocolType = "consumer"
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m-" + name)}}
	for _, c := range change {
		c(r)
	}
	s.take(s.g.Join(s.now, s.ask(name+" join"), r, Client{ID: name, Host: "h"}))
}

// enter lets a new member join, in the two steps that it takes.
func (s *story) enter(name string) string {
	s.join(name, "")
	id := s.answers[name+" join"].(*kmsg.JoinGroupResponse).MemberID
	s.join(name, id)
	return id
}

func (s *story) joined(name string) *kmsg.JoinGroupResponse {
	r, _ := s.answers[name+" join"].(*kmsg.JoinGroupResponse)
	return r
}

func (s *story) sync(name, id string, assignment ...string) {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.Generation = 5, "g", id, s.g.generation
	for _, a := range assignment {
		to, what, _ := strings.Cut(a, "=")
		r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: to, MemberAssignment: []byte(what)})
	}
	s.take(s.g.Sync(s.now, s.ask(name+" sync"), r))
}

func (s *story) synced(name string) *kmsg.SyncGroupResponse {
	r, _ := s.answers[name+" sync"].(*kmsg.SyncGroupResponse)
	return r
}

func (s *story) beat(id string) int16 {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version, r.MemberID, r.Generation = 4, id, s.g.generation
	s.take(s.g.Heartbeat(s.now, s.ask("beat"), r))
	return s.answers["beat"].(*kmsg.HeartbeatResponse).ErrorCode
}

func (s *story) leave(id string) int16 {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version = 5
	r.Members = []kmsg.LeaveGroupRequestMember{{MemberID: id}}
	s.take(s.g.Leave(s.now, s.ask("leave"), r))
	return s.answers["leave"].(*kmsg.LeaveGroupResponse).Members[0].ErrorCode
}

// pass lets time pass, with everything that becomes due in between.
func (s *story) pass(d time.Duration) {
	end := s.now.Add(d)
	for steps := 0; ; steps++ {
		if steps > 10_000 {
			panic("the deadline doesn't move: " + s.g.State().String())
		}
		next := s.g.NextDeadline()
		if next.IsZero() || next.After(end) {
			break
		}
		if next.After(s.now) {
			s.now = next
		}
		s.take(s.g.Tick(Env{Now: s.now}))
	}
	s.now = end
}

// stable makes a group of two members, a (the leader) and b.
func stable(t *testing.T, s *story) (a, b string) {
	t.Helper()
	a = s.enter("a")
	b = s.enter("b")
	s.join("a", a)
	if s.joined("a") == nil || s.joined("b") == nil {
		t.Fatal("a and b have not joined")
	}
	s.sync("a", a, a+"=A", b+"=B")
	s.sync("b", b)
	if s.g.State() != Stable {
		t.Fatalf("state %s", s.g.State())
	}
	return a, b
}

func code(t *testing.T, what string, got int16, want *kerr.Error) {
	t.Helper()
	var w int16
	if want != nil {
		w = want.Code
	}
	if got != w {
		t.Errorf("%s: code %d (%v), want %d", what, got, kerr.ErrorForCode(got), w)
	}
}

func TestJoin_FirstAndSecondMember(t *testing.T) {
	s := newStory(Config{})
	s.join("a", "")
	code(t, "first join", s.joined("a").ErrorCode, kerr.MemberIDRequired)
	a := s.joined("a").MemberID
	s.join("a", a)
	r := s.joined("a")
	if r == nil || r.ErrorCode != 0 || r.Generation != 1 || r.LeaderID != a || len(r.Members) != 1 || *r.Protocol != "range" {
		t.Fatalf("join of a: %+v", r)
	}
	s.sync("a", a, a+"=all")
	if got := s.synced("a"); got == nil || string(got.MemberAssignment) != "all" {
		t.Fatalf("sync of a: %+v", got)
	}

	b := s.enter("b")
	if s.joined("b") != nil {
		t.Fatal("b joined before a knew")
	}
	code(t, "a's heartbeat", s.beat(a), kerr.RebalanceInProgress)
	s.join("a", a)
	if ra, rb := s.joined("a"), s.joined("b"); ra.Generation != 2 || len(ra.Members) != 2 || rb.LeaderID != a || len(rb.Members) != 0 {
		t.Fatalf("joins: %+v %+v", ra, rb)
	}
	s.sync("b", b)
	if s.synced("b") != nil {
		t.Fatal("b got an assignment before a gave one")
	}
	s.sync("a", a, a+"=A", b+"=B")
	if string(s.synced("a").MemberAssignment) != "A" || string(s.synced("b").MemberAssignment) != "B" {
		t.Error("assignments are mixed up")
	}
}

func TestJoin_Refused(t *testing.T) {
	s := newStory(Config{MaxMembers: 2})
	a, _ := stable(t, s)
	for what, c := range map[string]struct {
		id     string
		change func(*kmsg.JoinGroupRequest)
		want   *kerr.Error
	}{
		"short session":    {"", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1 }, kerr.InvalidSessionTimeout},
		"other type":       {"", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" }, kerr.InconsistentGroupProtocol},
		"other protocol":   {"", func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Name = "x" }, kerr.InconsistentGroupProtocol},
		"no protocol":      {"", func(r *kmsg.JoinGroupRequest) { r.Protocols = nil }, kerr.InconsistentGroupProtocol},
		"one too many":     {"", func(*kmsg.JoinGroupRequest) {}, kerr.GroupMaxSizeReached},
		"unknown instance": {a, func(r *kmsg.JoinGroupRequest) { r.InstanceID = kmsg.StringPtr("i") }, kerr.UnknownMemberID},
	} {
		s.join("x", c.id, c.change)
		code(t, what, s.joined("x").ErrorCode, c.want)
	}
	if s.g.State() != Stable {
		t.Errorf("refusals changed the state to %s", s.g.State())
	}
}

func TestSession_Expires(t *testing.T) {
	s := newStory(Config{})
	a, b := stable(t, s)
	s.pass(9 * time.Second)
	code(t, "heartbeat in time", s.beat(a), nil)
	s.pass(2 * time.Second) // b's session is over
	code(t, "a learns", s.beat(a), kerr.RebalanceInProgress)
	s.join("a", a)
	if r := s.joined("a"); r == nil || len(r.Members) != 1 {
		t.Fatalf("a alone: %+v", r)
	}
	code(t, "b is unknown", s.beat(b), kerr.UnknownMemberID)
	s.sync("a", a)
	s.pass(time.Minute)
	if s.g.State() != Empty || len(s.g.members) != 0 {
		t.Errorf("state %s with %d members, want Empty", s.g.State(), len(s.g.members))
	}
}

func TestRebalance_LeavesOutWhoDoesntJoin(t *testing.T) {
	s := newStory(Config{})
	a, b := stable(t, s)
	s.enter("c")
	s.join("a", a)
	for range 12 { // b only sends heartbeats
		s.pass(5 * time.Second)
		s.beat(b)
	}
	s.pass(time.Second)
	if r := s.joined("a"); r == nil || len(r.Members) != 2 {
		t.Fatalf("a and c: %+v", r)
	}
	code(t, "b", s.beat(b), kerr.UnknownMemberID)
}

func TestRebalance_LeaderDoesntSync(t *testing.T) {
	s := newStory(Config{})
	a := s.enter("a")
	b := s.enter("b")
	s.join("a", a)
	s.sync("b", b)
	for range 13 {
		s.pass(5 * time.Second)
		s.beat(a)
	}
	if r := s.synced("b"); r == nil || r.ErrorCode != kerr.RebalanceInProgress.Code {
		t.Fatalf("b's sync: %+v", r)
	}
	s.join("b", b)
	if r := s.joined("b"); r == nil || r.LeaderID != b {
		t.Fatalf("b leads: %+v", r)
	}
}

func TestLeave(t *testing.T) {
	s := newStory(Config{})
	a, b := stable(t, s)
	code(t, "stranger", s.leave("x"), kerr.UnknownMemberID)
	code(t, "a", s.leave(a), nil)
	code(t, "b learns", s.beat(b), kerr.RebalanceInProgress)
	s.join("b", b)
	if r := s.joined("b"); r == nil || r.LeaderID != b || r.Generation != 3 {
		t.Fatalf("b leads: %+v", r)
	}
	code(t, "b", s.leave(b), nil)
	if s.g.State() != Empty {
		t.Errorf("state %s", s.g.State())
	}
}

func TestInitialDelay(t *testing.T) {
	s := newStory(Config{InitialRebalanceDelay: 3 * time.Second})
	s.enter("a")
	s.pass(2 * time.Second)
	s.enter("b")
	if s.joined("a") != nil {
		t.Fatal("the group did not wait")
	}
	s.pass(3 * time.Second)
	if r := s.joined("a"); r == nil || len(r.Members) != 2 || r.Generation != 1 {
		t.Fatalf("both in the first generation: %+v", r)
	}
}

func TestStatic_ReturnsWithoutRebalance(t *testing.T) {
	s := newStory(Config{})
	static := func(r *kmsg.JoinGroupRequest) { r.InstanceID = kmsg.StringPtr("i") }
	s.join("a", "", static)
	old := s.joined("a")
	if old.ErrorCode != 0 || old.LeaderID != old.MemberID {
		t.Fatalf("static join: %+v", old)
	}
	s.sync("a", old.MemberID, old.MemberID+"=A")
	s.join("a", "", static)
	r := s.joined("a")
	if r.ErrorCode != 0 || r.MemberID == old.MemberID || r.Generation != old.Generation || !r.SkipAssignment {
		t.Fatalf("return: %+v", r)
	}
	s.sync("a", r.MemberID)
	if got := string(s.synced("a").MemberAssignment); got != "A" {
		t.Errorf("assignment %q", got)
	}
	s.join("old", old.MemberID, static)
	code(t, "the old one", s.joined("old").ErrorCode, kerr.FencedInstanceID)
}

func TestCommit(t *testing.T) {
	s := newStory(Config{OffsetsRetention: time.Hour})
	check := func(id string, generation int32) int16 {
		return s.g.CheckCommit(Env{Now: s.now}, Committer{MemberID: id, Generation: generation}, nil)
	}
	code(t, "simple consumer", check("", -1), nil)
	a, _ := stable(t, s)
	code(t, "outsider", check("", -1), kerr.UnknownMemberID)
	code(t, "stranger", check("x", s.g.generation), kerr.UnknownMemberID)
	code(t, "old generation", check(a, s.g.generation-1), kerr.IllegalGeneration)
	code(t, "member", check(a, s.g.generation), nil)

	commits := []Commit{
		{Partition{"t", 0}, Offset{Offset: 5, LeaderEpoch: 2, Metadata: "x", CommittedAt: s.now.UnixMilli()}},
		{Partition{"t", 1}, Offset{Offset: 6, Metadata: "much too long"}},
	}
	records, codes := s.g.CommitRecords(commits)
	s.g.Store(commits, codes, Place{Producer: NoTxn})
	if len(records) != 1 || codes[0] != 0 || codes[1] != kerr.OffsetMetadataTooLarge.Code {
		t.Fatalf("%d records, codes %v", len(records), codes)
	}
	if o, ok := s.g.Offset(Partition{"t", 0}); !ok || o != commits[0].Offset {
		t.Errorf("offset %+v", o)
	}
	if _, ok := s.g.Offset(Partition{"t", 1}); ok {
		t.Error("a refused commit was stored")
	}
}

func TestExpired(t *testing.T) {
	s := newStory(Config{OffsetsRetention: time.Hour})
	commits := []Commit{{Partition{"t", 0}, Offset{Offset: 5, CommittedAt: s.now.UnixMilli()}}}
	s.g.Store(commits, []int16{0}, Place{Producer: NoTxn})
	if ps := s.g.Expired(s.now.Add(59 * time.Minute)); len(ps) != 0 {
		t.Errorf("expired early: %v", ps)
	}
	if ps := s.g.Expired(s.now.Add(61 * time.Minute)); len(ps) != 1 {
		t.Errorf("not expired: %v", ps)
	}
	a, b := stable(t, s)
	s.pass(0)
	_ = a
	_ = b
	if ps := s.g.Expired(s.now.Add(61 * time.Minute)); len(ps) != 0 {
		t.Errorf("expired under members whose subscription is unknown: %v", ps)
	}
}

// restored is the group that the records of s rebuild.
func restored(t interface{ Fatal(...any) }, s *story) *Group {
	g := New("g", s.cfg, s.now)
	for i, r := range s.records {
		id, _, ok, err := GroupOf(r)
		if err != nil || !ok || id != "g" {
			t.Fatal("record of group ", id, ok, err)
		}
		if err := g.Restore(s.now, r, Place{Offset: int64(i), Producer: NoTxn}); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func TestRestore(t *testing.T) {
	s := newStory(Config{})
	a, b := stable(t, s)
	commits := []Commit{{Partition{"t", 3}, Offset{Offset: 9, LeaderEpoch: 1, Metadata: "m", CommittedAt: 77}}}
	records, codes := s.g.CommitRecords(commits)
	s.g.Store(commits, codes, Place{Producer: NoTxn})
	s.records = append(s.records, records...)

	s.g = restored(t, s)
	code(t, "a goes on", s.beat(a), nil)
	code(t, "b goes on", s.beat(b), nil)
	s.sync("b", b)
	if got := string(s.synced("b").MemberAssignment); got != "B" {
		t.Errorf("assignment after restart %q", got)
	}
	if o, ok := s.g.Offset(Partition{"t", 3}); !ok || o != commits[0].Offset {
		t.Errorf("offset after restart %+v", o)
	}
	s.records = append(s.records, s.g.Tombstones()...)
	if g := restored(t, s); !g.Idle() || len(g.Tombstones()) != 0 {
		t.Error("tombstones leave something of the group")
	}
}
