package txn

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
)

// story drives a machine; every step that changes something is stored and
// applied.
type story struct {
	t      testing.TB
	m      *Machine
	cfg    Config
	now    time.Time
	nextID int64
	log    []Record
	noIDs  error
}

func newStory(t testing.TB) *story {
	s := &story{t: t, now: time.UnixMilli(1_000_000), nextID: 100}
	s.cfg = Config{MaxTimeout: 15 * time.Minute, IDRetention: time.Hour, NewProducerID: func() (int64, error) {
		s.nextID++
		return s.nextID - 1, s.noIDs
	}}
	s.m = New(s.cfg)
	return s
}

func (s *story) apply(step Step) Step {
	if step.Next != nil {
		s.log = append(s.log, step.Record())
	}
	s.m.Apply(step)
	return step
}

func (s *story) init(was *Producer) Step { return s.apply(s.m.Init(s.now, "x", 60_000, was)) }

func (s *story) add(p Producer, v partition.TxnVersion, ps ...Partition) int16 {
	return s.apply(s.m.Add(s.now, "x", p, ps, v)).Code
}

func (s *story) end(p Producer, o batch.Outcome, v partition.TxnVersion) Step {
	return s.apply(s.m.End(s.now, "x", p, o, v))
}

// complete tells that the markers of whatever is prepared are written.
func (s *story) complete() {
	for _, t := range s.m.Unfinished() {
		s.apply(s.m.Complete(s.now, t))
	}
}

// restart is a machine that has read the log.
func (s *story) restart() {
	s.m = New(s.cfg)
	for _, r := range s.log {
		if err := s.m.Restore(r); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *story) state() string {
	t := s.m.Find("x")
	return fmt.Sprintf("%s %d/%d %v", t.State, t.ProducerID, t.Epoch, t.Partitions)
}

func (s *story) expect(what string, got int16, want *kerr.Error) {
	s.t.Helper()
	code := int16(0)
	if want != nil {
		code = want.Code
	}
	if got != code {
		s.t.Errorf("%s: %v, want %v (state %s)", what, kerr.ErrorForCode(got), want, s.state())
	}
}

var (
	p0 = Partition{"t", 0}
	p1 = Partition{"t", 1}
)

const v1, v2 = partition.TxnV1, partition.TxnV2

// The answers are those of Kafka 4.3 to the same requests.
func TestFirstProtocol(t *testing.T) {
	s := newStory(t)
	i := s.init(nil)
	if i.Code != 0 || i.ProducerID != 100 || i.Epoch != 0 {
		t.Fatalf("%+v", i)
	}
	me := Producer{100, 0}
	s.expect("commit of nothing", s.end(me, batch.Commit, v1).Code, kerr.InvalidTxnState)
	s.expect("abort of nothing", s.end(me, batch.Abort, v1).Code, kerr.InvalidTxnState)
	me.Epoch = s.init(nil).Epoch
	if me.Epoch != 1 {
		t.Fatalf("epoch %d", me.Epoch)
	}
	s.expect("add", s.add(me, v1, p1, p0), nil)
	s.expect("add again", s.add(me, v1, p1), nil)
	if got := s.state(); got != "Ongoing 100/1 [{t 0} {t 1}]" || len(s.log) != 3 {
		t.Errorf("%s after %d records", got, len(s.log))
	}
	s.expect("stale epoch", s.end(Producer{100, 0}, batch.Commit, v1).Code, kerr.ProducerFenced)
	s.expect("wrong id", s.end(Producer{177, 1}, batch.Commit, v1).Code, kerr.InvalidProducerIDMapping)
	step := s.end(me, batch.Abort, v1)
	if step.Code != 0 || !step.Ends() || step.ProducerID != -1 || step.Epoch != -1 || s.state() != "PrepareAbort 100/1 [{t 0} {t 1}]" {
		t.Errorf("%+v, %s", step, s.state())
	}
	s.expect("abort again at once", s.end(me, batch.Abort, v1).Code, kerr.ConcurrentTransactions)
	s.expect("commit at once", s.end(me, batch.Commit, v1).Code, kerr.InvalidTxnState)
	s.expect("add at once", s.add(me, v1, p0), kerr.ConcurrentTransactions)
	s.expect("another producer at once", s.init(nil).Code, kerr.ConcurrentTransactions)
	s.complete()
	if got := s.state(); got != "CompleteAbort 100/1 []" {
		t.Error(got)
	}
	s.expect("abort again", s.end(me, batch.Abort, v1).Code, nil)
	s.expect("commit after abort", s.end(me, batch.Commit, v1).Code, kerr.InvalidTxnState)
	s.expect("next transaction", s.add(me, v1, p0), nil)
	s.expect("commit", s.end(me, batch.Commit, v1).Code, nil)
	s.complete()
	s.expect("commit again", s.end(me, batch.Commit, v1).Code, nil)
	s.expect("abort after commit", s.end(me, batch.Abort, v1).Code, kerr.InvalidTxnState)
}

// The table is that of Kafka's TransactionCoordinator: what ending nothing, or
// ending again, comes to.
func TestSecondProtocol(t *testing.T) {
	for _, test := range []struct {
		before     string
		o          batch.Outcome
		again      bool // with the epoch before the current
		want       *kerr.Error
		bumps      bool
		afterwards string
	}{
		{"empty", batch.Abort, true, kerr.ProducerFenced, false, "Empty"},
		{"empty", batch.Abort, false, nil, true, "CompleteAbort"},
		{"empty", batch.Commit, true, kerr.ProducerFenced, false, "Empty"},
		{"empty", batch.Commit, false, kerr.InvalidTxnState, false, "Empty"},
		{"aborted", batch.Abort, true, nil, false, "CompleteAbort"},
		{"aborted", batch.Abort, false, nil, true, "CompleteAbort"},
		{"aborted", batch.Commit, true, kerr.InvalidTxnState, false, "CompleteAbort"},
		{"aborted", batch.Commit, false, kerr.InvalidTxnState, false, "CompleteAbort"},
		{"committed", batch.Abort, true, kerr.InvalidTxnState, false, "CompleteCommit"},
		{"committed", batch.Abort, false, nil, true, "CompleteAbort"},
		{"committed", batch.Commit, true, nil, false, "CompleteCommit"},
		{"committed", batch.Commit, false, kerr.InvalidTxnState, false, "CompleteCommit"},
	} {
		s := newStory(t)
		s.init(nil)
		me := Producer{100, s.init(nil).Epoch}
		if test.before != "empty" {
			s.expect("add", s.add(me, v2, p0), nil)
			o := batch.Abort
			if test.before == "committed" {
				o = batch.Commit
			}
			step := s.end(me, o, v2)
			if step.Epoch != me.Epoch+1 || step.ProducerID != 100 {
				t.Fatalf("%+v", step)
			}
			me.Epoch = step.Epoch
			s.complete()
		}
		what := fmt.Sprintf("%s after %s, again %t", test.o, test.before, test.again)
		by := me
		if test.again {
			by.Epoch--
		}
		step := s.end(by, test.o, v2)
		s.expect(what, step.Code, test.want)
		wantEpoch := me.Epoch
		if test.bumps {
			wantEpoch++
		}
		if test.want == nil && (step.Epoch != wantEpoch || step.ProducerID != 100) {
			t.Errorf("%s: %+v, want epoch %d", what, step, wantEpoch)
		}
		s.complete()
		if got := s.m.Find("x"); got.State.String() != test.afterwards || got.Epoch != wantEpoch {
			t.Errorf("%s: %s", what, s.state())
		}
	}
}

func TestPreparedKnowsRetries(t *testing.T) {
	s := newStory(t)
	me := Producer{s.init(nil).ProducerID, 0}
	s.add(me, v2, p0)
	s.end(me, batch.Commit, v2)
	s.expect("again", s.end(me, batch.Commit, v2).Code, kerr.ConcurrentTransactions)
	s.expect("the other outcome", s.end(me, batch.Abort, v2).Code, kerr.InvalidTxnState)
	s.expect("with the next epoch", s.end(Producer{me.ID, 1}, batch.Commit, v2).Code, kerr.ProducerFenced)
	s.restart()
	if u := s.m.Unfinished(); len(u) != 1 || u[0].Outcome() != batch.Commit || !slices.Equal(u[0].Partitions, []Partition{p0}) || u[0].Version != v2 {
		t.Fatalf("%+v", u)
	}
	stale := s.m.Unfinished()[0]
	s.complete()
	s.expect("again, completed", s.end(me, batch.Commit, v2).Code, nil)
	if step := s.m.Complete(s.now, stale); step.Next != nil {
		t.Errorf("completed twice: %+v", step.Next)
	}
}

// A producer that registers while another's transaction is open ends that
// first, and both steps take an epoch.
func TestFencing(t *testing.T) {
	s := newStory(t)
	me := Producer{s.init(nil).ProducerID, 0}
	s.add(me, v2, p0)
	first := s.init(nil)
	s.expect("first answer", first.Code, kerr.ConcurrentTransactions)
	if !first.Ends() || s.state() != "PrepareAbort 100/1 [{t 0}]" {
		t.Errorf("%t, %s", first.Ends(), s.state())
	}
	s.complete()
	if again := s.init(nil); again.Code != 0 || again.Epoch != 2 {
		t.Errorf("%+v", again)
	}
	s.expect("the old one writes", s.add(me, v2, p0), kerr.ProducerFenced)
	s.expect("the old one commits", s.end(me, batch.Commit, v2).Code, kerr.ProducerFenced)
	s.expect("the old one registers", s.init(&me).Code, kerr.ProducerFenced)
	s.expect("a stranger registers", s.init(&Producer{177, 2}).Code, kerr.ProducerFenced)
}

// KIP-360: a producer goes on after an error, with the next epoch, and gets the
// same answer again if it asks again.
func TestInitAgain(t *testing.T) {
	s := newStory(t)
	me := Producer{s.init(nil).ProducerID, 0}
	for range 2 {
		if step := s.init(&me); step.Code != 0 || step.Epoch != 1 || step.ProducerID != me.ID {
			t.Fatalf("%+v", step)
		}
	}
	s.init(nil) // somebody else
	s.expect("after somebody else", s.init(&Producer{me.ID, 1}).Code, kerr.ProducerFenced)
	if step := s.apply(s.m.Init(s.now, "y", 1000, &Producer{7, 3})); step.Code != 0 || step.Epoch != 0 {
		t.Errorf("an id that was forgotten: %+v", step)
	}
}

func TestInit_Refused(t *testing.T) {
	s := newStory(t)
	for _, ms := range []int32{0, -1, 15*60_000 + 1} {
		if step := s.m.Init(s.now, "x", ms, nil); step.Code != kerr.InvalidTransactionTimeout.Code || step.Next != nil {
			t.Errorf("timeout %d: %+v", ms, step)
		}
	}
	if step := s.m.Init(s.now, "", 1000, nil); step.Code != kerr.InvalidRequest.Code {
		t.Errorf("no id: %+v", step)
	}
	s.noIDs = errors.New("disk full")
	if step := s.m.Init(s.now, "x", 1000, nil); step.Code != kerr.CoordinatorNotAvailable.Code || step.Next != nil {
		t.Errorf("no producer id: %+v", step)
	}
	if step := s.m.Add(s.now, "x", Producer{1, 1}, []Partition{p0}, v2); step.Code != kerr.InvalidProducerIDMapping.Code {
		t.Errorf("add to an unknown id: %+v", step)
	}
}

// After the last epoch comes another producer id.
func TestEpochsRunOut(t *testing.T) {
	s := newStory(t)
	s.init(nil)
	s.m.txns["x"].Epoch = maxEpoch - 2
	step := s.init(nil)
	me := Producer{step.ProducerID, step.Epoch}
	if me != (Producer{100, maxEpoch - 1}) {
		t.Fatalf("%+v", me)
	}
	s.add(me, v2, p0)
	for range 2 {
		step = s.end(me, batch.Commit, v2)
		if step.Code != 0 || step.ProducerID != 101 || step.Epoch != 0 {
			t.Fatalf("%+v", step)
		}
		if u := s.m.Unfinished(); len(u) == 1 && (u[0].ProducerID != 100 || u[0].Epoch != maxEpoch) {
			t.Errorf("the markers are for %d/%d", u[0].ProducerID, u[0].Epoch)
		}
		s.restart()
		s.complete()
	}
	s.expect("go on", s.add(Producer{101, 0}, v2, p0), nil)

	s = newStory(t)
	s.init(nil)
	s.m.txns["x"].Epoch = maxEpoch - 1
	if step := s.init(&Producer{100, maxEpoch - 1}); step.ProducerID != 101 || step.Epoch != 0 {
		t.Errorf("%+v", step)
	}
	if step := s.init(&Producer{100, maxEpoch - 1}); step.ProducerID != 101 || step.Epoch != 0 || step.Code != 0 {
		t.Errorf("again: %+v", step)
	}
}

func TestVerify(t *testing.T) {
	s := newStory(t)
	me := Producer{s.init(nil).ProducerID, 0}
	s.add(me, v1, p0)
	for _, test := range []struct {
		by   Producer
		want []int16
	}{
		{me, []int16{0, kerr.TransactionAbortable.Code}},
		{Producer{me.ID, 1}, []int16{kerr.ProducerFenced.Code, kerr.ProducerFenced.Code}},
		{Producer{7, 0}, []int16{kerr.InvalidProducerIDMapping.Code, kerr.InvalidProducerIDMapping.Code}},
	} {
		if got := s.m.Verify("x", test.by, []Partition{p0, p1}); !slices.Equal(got, test.want) {
			t.Errorf("%+v: %v, want %v", test.by, got, test.want)
		}
	}
}

func TestTimeOut(t *testing.T) {
	s := newStory(t)
	me := Producer{s.init(nil).ProducerID, 0}
	if !s.m.NextDeadline().IsZero() {
		t.Error("a deadline without a transaction")
	}
	s.add(me, v1, p0)
	s.now = s.now.Add(30 * time.Second)
	s.add(me, v1, p1) // does not prolong it
	s.now = s.now.Add(30 * time.Second)
	if steps := s.m.TimeOut(s.now); len(steps) != 0 {
		t.Errorf("early: %+v", steps)
	}
	s.now = s.m.NextDeadline()
	steps := s.m.TimeOut(s.now)
	if len(steps) != 1 || !steps[0].Ends() {
		t.Fatalf("%+v", steps)
	}
	s.apply(steps[0])
	s.complete()
	if got := s.state(); got != "CompleteAbort 100/1 []" {
		t.Error(got)
	}
	s.expect("who was too late", s.end(me, batch.Commit, v1).Code, kerr.ProducerFenced)
}

func TestExpire(t *testing.T) {
	s := newStory(t)
	me := Producer{s.init(nil).ProducerID, 0}
	s.now = s.now.Add(59 * time.Minute)
	if steps := s.m.Expire(s.now); len(steps) != 0 {
		t.Errorf("early: %+v", steps)
	}
	s.add(me, v2, p0)
	s.now = s.now.Add(2 * time.Hour)
	if steps := s.m.Expire(s.now); len(steps) != 0 {
		t.Errorf("with a transaction: %+v", steps)
	}
	s.end(me, batch.Abort, v2)
	s.complete()
	s.now = s.now.Add(time.Hour)
	for _, step := range s.m.Expire(s.now) {
		s.apply(step)
	}
	s.restart()
	if s.m.Find("x") != nil {
		t.Error("it is still known")
	}
}

func TestStateNames(t *testing.T) {
	for state := Empty; state <= PrepareEpochFence; state++ {
		if got, ok := ParseState(state.String()); !ok || got != state {
			t.Errorf("%d is called %s, which is %d", state, state, got)
		}
	}
	if _, ok := ParseState("Nowhere"); ok {
		t.Error("an unknown name was known")
	}
}
