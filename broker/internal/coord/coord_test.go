package coord

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// world is a coordinator with what it stands on.
type world struct {
	t      *testing.T
	fs     vfs.FS
	syncer *partition.Syncer
	cat    *catalog.Catalog
	groups *Groups

	mu         sync.Mutex
	rebalanced []string // the kinds of groups, in order
}

func newWorld(t *testing.T, fs vfs.FS) *world {
	t.Helper()
	w := &world{t: t, fs: fs, syncer: partition.NewSyncer(1)}
	log := slog.New(slog.DiscardHandler)
	var err error
	w.cat, err = catalog.Open(catalog.Options{FS: fs, Dir: "/d", Clock: clock.System, Log: log, Syncer: w.syncer, MaxPartitions: 100})
	if err != nil {
		t.Fatal(err)
	}
	ids := 0
	w.groups, err = Start(Options{Catalog: w.cat, Clock: clock.System, Log: log, Group: group.Config{
		MinSessionTimeout: time.Second, MaxSessionTimeout: time.Hour, MaxMembers: 10, MaxMetadataBytes: 100,
		OffsetsRetention: time.Hour, NewID: func() string { ids++; return fmt.Sprint(ids) },
	}, Rebalanced: func(k group.Kind) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.rebalanced = append(w.rebalanced, k.String())
	}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) close() {
	if err := errors.Join(w.groups.Close(), w.cat.Close()); err != nil {
		w.t.Error(err)
	}
	w.syncer.Close()
}

func await[T any](t *testing.T, f *Future[T], err error) T {
	t.Helper()
	if err == nil {
		var v T
		if v, err = f.Await(t.Context()); err == nil {
			return v
		}
	}
	t.Fatal(err)
	panic("not reached")
}

func (w *world) commit(id string, p int32, offset int64) Committed {
	w.t.Helper()
	f, err := w.groups.Commit(id, group.Committer{Generation: -1}, []group.Commit{{
		Partition: group.Partition{Topic: "t", Partition: p},
		Offset:    group.Offset{Offset: offset, CommittedAt: time.Now().UnixMilli()},
	}})
	return await(w.t, f, err)
}

func (w *world) offset(id string, p int32) (o group.Offset, ok bool) {
	w.t.Helper()
	f, err := w.groups.Inspect(id, func(g *group.Group) struct{} {
		if g != nil {
			o, ok = g.Offset(group.Partition{Topic: "t", Partition: p})
		}
		return struct{}{}
	})
	await(w.t, f, err)
	return o, ok
}

func TestRestartKeepsOffsets(t *testing.T) {
	fs := vfs.NewMem()
	w := newWorld(t, fs)
	for i := range 20 {
		if c := w.commit(fmt.Sprint("g", i), int32(i), int64(i)); c.Code != 0 || c.Codes[0] != 0 {
			t.Fatalf("commit: %+v", c)
		}
	}
	f, err := w.groups.Delete("g3")
	if code := await(t, f, err); code != 0 {
		t.Fatalf("delete: %d", code)
	}
	w.close()

	w = newWorld(t, fs)
	defer w.close()
	for i := range 20 {
		o, ok := w.offset(fmt.Sprint("g", i), int32(i))
		if ok != (i != 3) || ok && o.Offset != int64(i) {
			t.Errorf("g%d: %+v, %t", i, o, ok)
		}
	}
}

func TestExpireAndDropTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, vfs.NewMem())
		defer w.close()
		w.commit("old", 0, 1)
		<-time.After(50 * time.Minute)
		w.commit("new", 0, 1)
		<-time.After(20 * time.Minute)
		for _, f := range w.groups.Expire() {
			await(t, f, nil)
		}
		if _, ok := w.offset("old", 0); ok {
			t.Error("an offset outlived its retention")
		}
		if _, ok := w.offset("new", 0); !ok {
			t.Error("an offset expired early")
		}
		for _, f := range w.groups.DropTopic("t") {
			await(t, f, nil)
		}
		if _, ok := w.offset("new", 0); ok {
			t.Error("an offset outlived its topic")
		}
	})
}

// A group that its last member has left is still there for a while.
func TestExpire_Idle(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	defer w.close()
	there := func() bool {
		f, err := w.groups.Inspect("g", func(g *group.Group) bool { return g != nil })
		return await(t, f, err)
	}
	r := kmsg.NewPtrJoinGroupRequest()
	r.Group, r.ProtocolType, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = "g", "consumer", 10_000, 10_000
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
	f, err := w.groups.Join(r, group.Client{})
	member := await(t, f, err).(*kmsg.JoinGroupResponse).MemberID
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.MemberID = "g", member
	f, err = w.groups.Leave(leave)
	await(t, f, err)
	for _, want := range []bool{true, false} {
		for _, f := range w.groups.DropTopic("t") {
			await(t, f, nil)
		}
		for _, f := range w.groups.Expire() {
			await(t, f, nil)
		}
		if there() != want {
			t.Errorf("the group is there: %t, want %t", !want, want)
		}
	}
}

func TestSessionEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, vfs.NewMem())
		defer w.close()
		r := kmsg.NewPtrJoinGroupRequest()
		r.Version, r.Group, r.ProtocolType = 9, "g", "consumer"
		r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10_000, 10_000
		r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
		for range 2 {
			f, err := w.groups.Join(r, group.Client{ID: "c"})
			r.MemberID = await(t, f, err).(*kmsg.JoinGroupResponse).MemberID
		}
		state := func() group.State {
			f, err := w.groups.Inspect("g", (*group.Group).State)
			return await(t, f, err)
		}
		if s := state(); s != group.CompletingRebalance {
			t.Fatalf("state %s", s)
		}
		<-time.After(11 * time.Second)
		if s := state(); s != group.Empty {
			t.Errorf("state %s after the session", s)
		}
	})
}

func TestCloseFreesWaitingCalls(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	s, err := w.groups.of("g")
	if err != nil {
		t.Fatal(err)
	}
	never := run(s, func(*Future[int]) {}) // nothing ever answers
	w.close()
	if _, err := never.Await(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if f, err := w.groups.Delete("g"); err == nil {
		if _, err := f.Await(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestCommit_UnknownGeneration(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	defer w.close()
	f, err := w.groups.Commit("g", group.Committer{MemberID: "m", Generation: 3}, nil)
	if c := await(t, f, err); c.Code != kerr.IllegalGeneration.Code {
		t.Errorf("%+v", c)
	}
	for _, f := range w.groups.Each(func(g *group.Group) { t.Errorf("group %s was made", g.ID()) }) {
		await(t, f, nil)
	}
}

func TestJavaHash(t *testing.T) {
	// What a JVM says of these strings, without the sign; the last is its
	// smallest integer, which has no positive counterpart.
	for s, want := range map[string]uint32{"": 0, "a": 97, "group": 98629247, "polygenelubricants": 0} {
		if got := javaHash(s); got != want {
			t.Errorf("%q: %d, want %d", s, got, want)
		}
	}
}
