package coord

import (
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// txnWorld is a world with coordinators of transactions.
type txnWorld struct {
	*world
	txns *Txns
}

func newTxnWorld(t *testing.T, fs vfs.FS) *txnWorld {
	t.Helper()
	w := &txnWorld{world: newWorld(t, fs)}
	var err error
	w.txns, err = StartTxns(TxnOptions{
		Catalog: w.cat, Groups: w.groups, Clock: clock.System, Log: slog.New(slog.DiscardHandler),
		Txn: txn.Config{MaxTimeout: 15 * time.Minute, IDRetention: time.Hour, NewProducerID: w.cat.ProducerID},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *txnWorld) close() {
	if err := w.txns.Close(); err != nil {
		w.t.Error(err)
	}
	w.world.close()
}

func (w *txnWorld) topic(name string) *partition.Log {
	w.t.Helper()
	if t := w.cat.Image().Topic(name); t != nil {
		return t.Logs[0]
	}
	made, errs := w.cat.Create([]catalog.NewTopic{{Name: name, Partitions: 1}})
	if errs[0] != nil {
		w.t.Fatal(errs[0])
	}
	return made[0].Logs[0]
}

func (w *txnWorld) init(id string) txn.Producer {
	w.t.Helper()
	f, err := w.txns.Init(id, 60_000, nil)
	step := await(w.t, f, err)
	if step.Code != 0 {
		w.t.Fatalf("init: %v", kerr.ErrorForCode(step.Code))
	}
	return txn.Producer{ID: step.ProducerID, Epoch: step.Epoch}
}

// write appends a record to a topic in the producer's transaction.
func (w *txnWorld) write(id string, p txn.Producer, topic string) {
	w.t.Helper()
	log := w.topic(topic)
	g, _, err := log.BeginTxn(p.ID, p.Epoch, 0, partition.TxnV2)
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := w.txns.Add(id, p, []txn.Partition{{Topic: topic}}, partition.TxnV2)
	if step := await(w.t, f, err); step.Code != 0 {
		w.t.Fatalf("add: %v", kerr.ErrorForCode(step.Code))
	}
	h := batch.New()
	h.Attributes, h.ProducerID, h.ProducerEpoch, h.BaseSequence = batch.Transactional, p.ID, p.Epoch, 0
	b, err := batch.Append(nil, h, []batch.Record{{Timestamp: time.Now().UnixMilli(), Value: []byte("v")}})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := log.Append(b, partition.AppendArgs{Guard: g}); err != nil {
		w.t.Fatal(err)
	}
}

// commitOffset commits an offset of the group in the producer's transaction.
func (w *txnWorld) commitOffset(id string, p txn.Producer, groupID string, offset int64) {
	w.t.Helper()
	where, err := w.groups.PartitionOf(groupID)
	if err != nil {
		w.t.Fatal(err)
	}
	g, _, err := w.groups.BeginTxn(groupID, p, partition.TxnV2)
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := w.txns.Add(id, p, []txn.Partition{where}, partition.TxnV2)
	if step := await(w.t, f, err); step.Code != 0 {
		w.t.Fatalf("add: %v", kerr.ErrorForCode(step.Code))
	}
	commits := []group.Commit{{Partition: group.Partition{Topic: "t"}, Offset: group.Offset{Offset: offset, CommittedAt: time.Now().UnixMilli()}}}
	c, err := w.groups.CommitInTxn(groupID, group.Committer{Generation: -1}, commits, TxnCommit{Producer: p, Guard: g})
	if done := await(w.t, c, err); done.Code != 0 || done.Codes[0] != 0 {
		w.t.Fatalf("commit: %+v", done)
	}
}

func (w *txnWorld) end(id string, p txn.Producer, o batch.Outcome) txn.Step {
	w.t.Helper()
	f, err := w.txns.End(id, p, o, partition.TxnV2)
	return await(w.t, f, err)
}

// offsets tells of a group's offset: what is committed, and whether that may
// change.
func (w *txnWorld) offsets(id string) string {
	w.t.Helper()
	f, err := w.groups.Inspect(id, func(g *group.Group) string {
		if g == nil {
			return "none"
		}
		o, ok := g.Offset(group.Partition{Topic: "t"})
		return fmt.Sprint(o.Offset, " ", ok, ", unstable ", g.Unstable(group.Partition{Topic: "t"}))
	})
	return await(w.t, f, err)
}

// The offsets of a transaction count when it is committed, over restarts too.
func TestOffsetsInTransactions(t *testing.T) {
	fs := vfs.NewMem()
	w := newTxnWorld(t, fs)
	expect := func(want string) {
		t.Helper()
		if got := w.offsets("g"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	restart := func() {
		w.close()
		w = newTxnWorld(t, fs)
	}
	p := w.init("x")
	w.commitOffset("x", p, "g", 5)
	expect("0 false, unstable true")
	restart()
	expect("0 false, unstable true")
	p.Epoch = w.end("x", p, batch.Commit).Epoch
	expect("5 true, unstable false")
	restart()
	expect("5 true, unstable false")

	w.commitOffset("x", p, "g", 9)
	expect("5 true, unstable true")
	p.Epoch = w.end("x", p, batch.Abort).Epoch
	expect("5 true, unstable false")
	restart()
	expect("5 true, unstable false")

	// Of two commits the later one counts, whenever the transaction ends.
	w.commitOffset("x", p, "g", 7)
	w.world.commit("g", 0, 20)
	p.Epoch = w.end("x", p, batch.Commit).Epoch
	expect("20 true, unstable false")
	restart()
	expect("20 true, unstable false")

	// A group that is deleted takes its open offsets along.
	w.commitOffset("x", p, "g", 30)
	f, err := w.groups.Delete("g")
	if code := await(t, f, err); code != 0 {
		t.Fatal(code)
	}
	w.end("x", p, batch.Commit)
	restart()
	expect("none")
	w.close()
}

// A transaction whose markers can't be written stays decided, and is finished
// when the disk is well again, or by the next broker.
func TestMarkersAreWrittenLater(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			fs := vfs.NewFault(vfs.NewMem())
			w := newTxnWorld(t, fs)
			log := w.topic("t")
			p := w.init("x")
			w.write("x", p, "t")
			repair := fs.Inject(vfs.Rule{Ops: vfs.OpWrite, Path: func(path string) bool { return strings.Contains(path, "/t-0/") }, Err: syscall.EIO})
			if step := w.end("x", p, batch.Commit); step.Code != 0 || step.Epoch != p.Epoch+1 {
				t.Errorf("end: %+v", step)
			}
			if step := w.end("x", p, batch.Commit); step.Code != kerr.ConcurrentTransactions.Code {
				t.Errorf("end again: %+v", step)
			}
			if b := log.Bounds(); b.LastStable != 0 {
				t.Errorf("%+v", b)
			}
			repair()
			if restart {
				w.close()
				w = newTxnWorld(t, fs)
				log = w.topic("t")
			}
			<-time.After(2 * markRetry)
			if b := log.Bounds(); b.LastStable != 2 {
				t.Errorf("restart %t: %+v", restart, b)
			}
			if step := w.end("x", p, batch.Commit); step.Code != 0 || step.Epoch != p.Epoch+1 {
				t.Errorf("restart %t: end again: %+v", restart, step)
			}
			w.close()
		})
	}
}

// What a log has open and no coordinator knows of is aborted at the start, and
// nothing else is.
func TestRepair(t *testing.T) {
	fs := vfs.NewMem()
	w := newTxnWorld(t, fs)
	known, lost := w.init("known"), w.init("lost")
	w.write("known", known, "a")
	w.write("lost", lost, "b")
	w.commitOffset("lost", lost, "g", 3)
	// A power cut takes what the coordinator has of it.
	s, err := w.txns.of("lost")
	if err != nil {
		t.Fatal(err)
	}
	forget := send(s.inbox, s.gone, func(out *Done) {
		s.carryOut(txn.Step{Next: s.m.Find("lost"), Expired: true})
		out.resolve(&s.journal, struct{}{})
	})
	await(t, forget, nil)
	w.close()

	w = newTxnWorld(t, fs)
	defer w.close()
	if b := w.topic("a").Bounds(); b.LastStable != 0 {
		t.Errorf("known: %+v", b)
	}
	if b := w.topic("b").Bounds(); b.LastStable != 2 {
		t.Errorf("lost: %+v", b)
	}
	if got := w.offsets("g"); got != "none" && got != "0 false, unstable false" {
		t.Errorf("lost offsets: %s", got)
	}
}

func TestTransactionTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		w := newTxnWorld(t, fs)
		w.write("x", w.init("x"), "t")
		<-time.After(30 * time.Second)
		w.close()
		w = newTxnWorld(t, fs) // the time goes on over a restart
		defer w.close()
		<-time.After(29 * time.Second)
		if b := w.topic("t").Bounds(); b.LastStable != 0 {
			t.Errorf("early: %+v", b)
		}
		<-time.After(2 * time.Second)
		if b := w.topic("t").Bounds(); b.LastStable != 2 {
			t.Errorf("late: %+v", b)
		}
		<-time.After(2 * time.Hour)
		for _, f := range w.txns.Expire() {
			await(t, f, nil)
		}
		f, err := w.txns.Find("x")
		if x := await(t, f, err); x != nil {
			t.Errorf("still known: %+v", x)
		}
	})
}
