package membership

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/flex"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/group/grouptest"
)

// plain is a group with nothing but a roster, and a member that has nothing but
// its progress.
type plain struct {
	Roster[*somebody, assignor.Assignment]
}

type somebody struct {
	Progress
	id string
}

func (m *somebody) Name() string { return m.id }

func (m *somebody) schema(c *flex.Coder) { c.Int32(&m.Epoch) }

var plainRecords = Records[assignor.Assignment]{
	Kind: group.Share, Group: group.ShareGroup, Target: group.ShareTarget, Member: group.ShareMember,
	MemberTarget: group.ShareMemberTarget, Current: group.ShareCurrent, Schema: AssignmentSchema,
}

func newPlain(ids ...string) *plain {
	g := &plain{New[*somebody](grouptest.ID, &plainRecords)}
	for _, id := range ids {
		g.Member[id] = &somebody{id: id}
	}
	return g
}

// apply makes the records of a step true, as far as a roster can.
func (g *plain) apply(t *testing.T, rs []group.Record) {
	t.Helper()
	for _, r := range rs {
		if err := group.TakeRecord(r, g.ID, g.Remove, g.Replace); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSessions(t *testing.T) {
	g, now := newPlain("a", "b", "c"), time.Unix(1000, 0)
	if next := g.NextDeadline(); !next.IsZero() {
		t.Errorf("before all sessions: %v", next)
	}
	g.Member["b"].Phase = Revoking
	g.Restart(now, func(m *somebody) (silent, revoking time.Duration) { return 20 * time.Second, 10 * time.Second })
	for _, x := range []struct {
		after int // seconds
		late  []string
		next  int
	}{
		{5, nil, 10},
		{10, []string{"b"}, 11}, // its removal may not get stored
		{11, []string{"b"}, 12},
		{20, []string{"a", "b", "c"}, 21},
	} {
		if late := g.Late(now.Add(time.Duration(x.after) * time.Second)); !slices.Equal(late, x.late) {
			t.Errorf("after %d s: %v are late, want %v", x.after, late, x.late)
		}
		if next := g.NextDeadline(); next != now.Add(time.Duration(x.next)*time.Second) {
			t.Errorf("after %d s: the next deadline is %v after the start, want %d s", x.after, next.Sub(now), x.next)
		}
	}
	g.Sessions.Of("nobody")
	delete(g.Member, "a")
	g.Late(now)
	if g.Sessions["nobody"] != nil || g.Sessions["a"] != nil || len(g.Sessions) != 2 {
		t.Errorf("sessions of %v", g.Sessions)
	}
}

// Who is told again and again to give something back gets no more time for it.
func TestSession_Revoke(t *testing.T) {
	var s Session
	at := func(n int64) time.Time { return time.Unix(n, 0) }
	for i, x := range []struct {
		phase Phase
		anew  bool
		by    int64
		want  time.Time
	}{
		{Stable, true, 1, time.Time{}},
		{Revoking, false, 2, at(2)},
		{Revoking, false, 3, at(2)},
		{Revoking, true, 4, at(4)},
		{Releasing, false, 5, time.Time{}},
	} {
		if s.Revoke(x.phase, x.anew, at(x.by)); s.RevokeBy != x.want {
			t.Errorf("step %d: by %v, want %v", i, s.RevokeBy, x.want)
		}
	}
}

func TestProgress_Admit(t *testing.T) {
	p := Progress{Epoch: 5, Previous: 3}
	for _, x := range []struct {
		epoch   int32
		excused bool
		ok      bool
	}{{5, false, true}, {Joining, false, true}, {3, true, true}, {3, false, false}, {4, true, false}, {2, true, false}, {6, true, false}} {
		err := p.Admit(group.Consumer, x.epoch, func() bool { return x.excused })
		if (err == nil) != x.ok || err != nil && !errors.Is(err, kerr.FencedMemberEpoch) {
			t.Errorf("epoch %d, excused %t: %v", x.epoch, x.excused, err)
		}
	}
}

// TestStep changes members in a step: the roster is as before until the records
// are applied, and the step as if they were.
func TestStep(t *testing.T) {
	g := newPlain("a", "b", "c")
	g.Target["a"] = assignor.Assignment{{1}: {0}}
	s := g.Begin(group.Env{Now: time.UnixMilli(7)})
	if !s.Untouched() || s.Target("a").Count() != 1 {
		t.Error("a step has changed something by itself")
	}
	b, d := &somebody{id: "b"}, &somebody{id: "d"}
	s.Tell(d, d.schema)
	s.Give(b, b.schema)
	s.Remove("c")
	var ids []string
	for _, m := range s.All() {
		ids = append(ids, m.id)
	}
	if !slices.Equal(ids, []string{"a", "b", "d"}) || !s.Touched(b) || s.Touched(g.Member["a"]) || len(g.Member) != 3 {
		t.Errorf("members will be %v; now there are %d", ids, len(g.Member))
	}
	s.Bump(First)
	n := len(s.Effects.Records)
	s.Retarget(s.All(), map[string]assignor.Assignment{"a": {{1}: {0}}, "b": {{1}: {1, 2}}}, nil)
	// Of a nothing has changed; of the new ones even nothing is news.
	if got := len(s.Effects.Records) - n; got != 3 || !s.Effects.Rebalanced || s.TargetAt != s.Epoch {
		t.Errorf("%d records of the new target: %+v", got, s.Effects)
	}
	g.apply(t, s.Effects.Records[n:])
	if g.TargetAt != First || g.Computed != 7 || g.Target["b"].Count() != 2 || !g.Target["a"].Has([16]byte{1}, 0) {
		t.Errorf("%+v", g)
	}
	if again := g.Begin(group.Env{Now: time.UnixMilli(8)}); again.Due(2*time.Millisecond) || !again.Due(time.Millisecond) {
		t.Error("the age of the last target isn't heeded")
	}
	if back := g.Begin(group.Env{Now: time.UnixMilli(1)}); !back.Due(time.Hour) {
		t.Error("a clock that went back keeps members waiting")
	}
}

// Topics are looked at when they, or those that want them, may have changed, and
// as long as the result isn't stored.
func TestStep_Look(t *testing.T) {
	g := newPlain("a")
	w := grouptest.New(func(string) *fake { return &fake{} })
	w.Create("t", 1)
	looks := 0
	look := func(c Change) bool {
		s := g.Begin(w.Around())
		_, call := s.Look(c, func() []string { looks++; return []string{"t"} })
		return call
	}
	for range 2 {
		if !look(Unchanged) {
			t.Error("what isn't stored doesn't call for a new epoch")
		}
	}
	g.Hash = group.Hash(w.Topics, []string{"t"})
	for range 2 {
		if look(Unchanged) || looks != 3 {
			t.Errorf("%d looks when nothing has changed", looks)
		}
	}
	if look(Unsure) || !look(Changed) || looks != 5 {
		t.Errorf("%d looks for members", looks)
	}
	w.Create("other", 1)
	if look(Unchanged) {
		t.Error("a topic that nobody wants calls for a new epoch")
	}
	w.Create("t", 1) // another of the name
	if !look(Unchanged) {
		t.Error("another topic doesn't call for a new epoch")
	}
}

// fake is a membership that nothing is asked of.
type fake struct{ group.Membership }

func FuzzAssignment(f *testing.F) {
	for _, a := range []assignor.Assignment{{}, {{1}: {0, 1, 5}}, {{1}: {3}, {2}: {0}}} {
		f.Add(flex.Encode(nil, AssignmentSchema(&a)))
	}
	f.Add([]byte{3, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		var a, again assignor.Assignment
		if flex.Decode(b, AssignmentSchema(&a)) != nil {
			return
		}
		for id, ps := range a {
			if len(ps) == 0 || !slices.IsSorted(ps) {
				t.Fatalf("%v of %v", ps, id)
			}
		}
		if err := flex.Decode(flex.Encode(nil, AssignmentSchema(&a)), AssignmentSchema(&again)); err != nil || !again.Equal(a) {
			t.Fatalf("%v, then %v: %v", a, again, err)
		}
	})
}
