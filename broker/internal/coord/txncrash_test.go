package coord

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// crashWorld is coordinators and logs on a disk whose power is cut. Every
// transaction writes its number to two topics and commits it as an offset.
type crashWorld struct {
	fs     *vfs.Fault
	syncer *partition.Syncer
	cat    *catalog.Catalog
	groups *Groups
	txns   *Txns

	acked map[int64]batch.Outcome // that a client was told
	asked map[int64]batch.Outcome
	next  int64
}

func (w *crashWorld) open() error {
	w.syncer = partition.NewSyncer(2)
	log := slog.New(slog.DiscardHandler)
	var err error
	if w.cat, err = catalog.Open(catalog.Options{FS: w.fs, Dir: "/d", Clock: clock.System, Log: log, Durability: partition.Fsync, Syncer: w.syncer, MaxPartitions: 100}); err != nil {
		return err
	}
	if w.groups, err = Start(Options{Catalog: w.cat, Clock: clock.System, Log: log, Group: group.Config{
		MinSessionTimeout: time.Second, MaxSessionTimeout: time.Hour, MaxMembers: 10, MaxMetadataBytes: 100,
		OffsetsRetention: time.Hour, NewID: func() string { return "m" },
	}}); err != nil {
		return err
	}
	w.txns, err = StartTxns(TxnOptions{Catalog: w.cat, Groups: w.groups, Clock: clock.System, Log: log,
		Txn: txn.Config{MaxTimeout: 15 * time.Minute, IDRetention: time.Hour, NewProducerID: w.cat.ProducerID}})
	return err
}

func (w *crashWorld) close() {
	if w.txns != nil {
		_ = w.txns.Close()
	}
	if w.groups != nil {
		_ = w.groups.Close()
	}
	if w.cat != nil {
		_ = w.cat.Close()
	}
	w.syncer.Close()
	w.txns, w.groups, w.cat = nil, nil, nil
}

// settled waits for a step, and takes a refusal for an error.
func settled(ctx context.Context, f *TxnAnswer, err error) (txn.Step, error) {
	if err != nil {
		return txn.Step{}, err
	}
	step, err := f.Await(ctx)
	if err == nil && step.Code != 0 {
		err = fmt.Errorf("code %d", step.Code)
	}
	return step, err
}

// live runs transactions until the power goes.
func (w *crashWorld) live(ctx context.Context, n int) error {
	if err := w.open(); err != nil {
		return err
	}
	var topics []catalog.NewTopic
	for _, name := range []string{"a", "b"} {
		if w.cat.Image().Topic(name) == nil {
			topics = append(topics, catalog.NewTopic{Name: name, Partitions: 1, Configs: map[string]string{"segment.bytes": "400"}})
		}
	}
	if _, errs := w.cat.Create(topics); len(topics) > 0 && errors.Join(errs...) != nil {
		return errors.Join(errs...)
	}
	p, err := w.register(ctx)
	for range n {
		if err == nil {
			p, err = w.transact(ctx, p)
		}
	}
	return err
}

// register becomes the owner of the id, which ends what the last one had open.
func (w *crashWorld) register(ctx context.Context) (txn.Producer, error) {
	var err error
	for range 100 {
		f, e := w.txns.Init("x", 60_000, nil)
		var step txn.Step
		if step, err = settled(ctx, f, e); err == nil {
			return txn.Producer{ID: step.ProducerID, Epoch: step.Epoch}, nil
		}
		if step.Code == 0 {
			break
		}
		<-time.After(time.Millisecond) // until the markers are written
	}
	return txn.Producer{}, err
}

func (w *crashWorld) transact(ctx context.Context, p txn.Producer) (txn.Producer, error) {
	number := w.next
	w.next++
	for _, topic := range []string{"a", "b"} {
		if err := w.write(ctx, p, topic, number); err != nil {
			return p, err
		}
	}
	if err := w.commitOffset(ctx, p, number); err != nil {
		return p, err
	}
	o := batch.Commit
	if number%3 == 2 {
		o = batch.Abort
	}
	w.asked[number] = o
	f, err := w.txns.End("x", p, o, partition.TxnV2)
	step, err := settled(ctx, f, err)
	if err != nil {
		return p, err
	}
	w.acked[number] = o
	for _, topic := range []string{"a", "b"} {
		if _, err := w.cat.Image().Topic(topic).Logs[0].Retain(time.Now()); err != nil {
			return p, err
		}
	}
	return txn.Producer{ID: step.ProducerID, Epoch: step.Epoch}, nil
}

func (w *crashWorld) write(ctx context.Context, p txn.Producer, topic string, number int64) error {
	log := w.cat.Image().Topic(topic).Logs[0]
	g, _, err := log.BeginTxn(p.ID, p.Epoch, 0, partition.TxnV2)
	if err != nil {
		return err
	}
	f, err := w.txns.Add("x", p, []txn.Partition{{Topic: topic}}, partition.TxnV2)
	if _, err := settled(ctx, f, err); err != nil {
		return err
	}
	h := batch.New()
	h.Attributes, h.ProducerID, h.ProducerEpoch, h.BaseSequence = batch.Transactional, p.ID, p.Epoch, 0
	b, err := batch.Append(nil, h, []batch.Record{{Timestamp: time.Now().UnixMilli(), Value: fmt.Append(nil, number)}})
	if err != nil {
		return err
	}
	at, err := log.Append(b, partition.AppendArgs{Guard: g})
	if err != nil {
		return err
	}
	// As acks=all does: a client ends its transaction when its records are safe.
	return log.WaitDurable(ctx, at.LastOffset+1)
}

func (w *crashWorld) commitOffset(ctx context.Context, p txn.Producer, number int64) error {
	where, err := w.groups.PartitionOf("g")
	if err != nil {
		return err
	}
	g, _, err := w.groups.BeginTxn("g", p, partition.TxnV2)
	if err != nil {
		return err
	}
	f, err := w.txns.Add("x", p, []txn.Partition{where}, partition.TxnV2)
	if _, err := settled(ctx, f, err); err != nil {
		return err
	}
	commits := []group.Commit{{Partition: group.Partition{Topic: "t"}, Offset: group.Offset{Offset: number, CommittedAt: time.Now().UnixMilli()}}}
	c, err := w.groups.CommitInTxn("g", group.Committer{Generation: -1}, commits, TxnCommit{Producer: p, Guard: g})
	if err == nil {
		var done Committed
		if done, err = c.Await(ctx); err == nil && done.Code != 0 {
			err = fmt.Errorf("code %d", done.Code)
		}
	}
	return err
}

// seen is the numbers that a reader of committed records finds in a topic.
func (w *crashWorld) seen(t *testing.T, topic string) map[int64]bool {
	t.Helper()
	log := w.cat.Image().Topic(topic).Logs[0]
	if b := log.Bounds(); b.LastStable != b.LogEnd {
		t.Fatalf("%s: %+v: something is open", topic, b)
	}
	found := map[int64]bool{}
	for at := int64(0); ; {
		r, err := log.ReadCommitted(nil, at, 1, partition.AtLeastOne)
		if err != nil {
			t.Fatal(err)
		}
		if r.Size == 0 {
			return found
		}
		h, b, _, err := batch.Cut(r.Data[0])
		if err != nil {
			t.Fatal(err)
		}
		at = h.NextOffset()
		for rec, err := range batch.All(b) {
			var number int64
			if err == nil && !h.Attributes.Has(batch.Control) && len(r.Aborted) == 0 {
				_, err = fmt.Sscan(string(rec.Value), &number)
				found[number] = true
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		r.Release()
	}
}

// check starts once more and compares what is there with what was promised. A
// transaction counts everywhere or nowhere.
func (w *crashWorld) check(t *testing.T, what string) {
	t.Helper()
	if err := w.open(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer w.close()
	if w.cat.Image().Topic("a") == nil || w.cat.Image().Topic("b") == nil {
		if len(w.acked) > 0 {
			t.Fatalf("%s: topics are gone", what)
		}
		return
	}
	if _, err := w.register(t.Context()); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	a, b := w.seen(t, "a"), w.seen(t, "b")
	last := int64(-1)
	for number := range w.next {
		acked, done := w.acked[number]
		asked, tried := w.asked[number]
		switch {
		case a[number] != b[number]:
			t.Fatalf("%s: %d is in one topic only: %t, %t", what, number, a[number], b[number])
		case done && a[number] != (acked == batch.Commit), a[number] && (!tried || asked == batch.Abort):
			t.Fatalf("%s: %d is there: %t; told %t %s, asked %t %s", what, number, a[number], done, acked, tried, asked)
		}
		if a[number] {
			last = number
		}
	}
	f, err := w.groups.Inspect("g", func(g *group.Group) int64 {
		got := int64(-1)
		if g == nil {
			return got
		}
		if o, ok := g.Offset(group.Partition{Topic: "t"}); ok {
			got = o.Offset
		}
		if g.Unstable(group.Partition{Topic: "t"}) {
			t.Errorf("%s: the offset may still change", what)
		}
		return got
	})
	if got := await(t, f, err); got != last {
		t.Fatalf("%s: offset %d, but the last transaction is %d", what, got, last)
	}
}

// The power is cut at each change to the disk, in transactions over several
// logs.
func TestPowerCutInTransactions(t *testing.T) {
	const n = 5
	fresh := func() *crashWorld {
		return &crashWorld{fs: vfs.NewFault(vfs.NewMem()), acked: map[int64]batch.Outcome{}, asked: map[int64]batch.Outcome{}}
	}
	whole := fresh()
	if err := whole.live(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	whole.close()
	changes := whole.fs.Changes()
	if changes < 100 || len(whole.acked) != n {
		t.Fatalf("%d changes, %d transactions: too small a life", changes, len(whole.acked))
	}
	// Each from its own place on: what runs in parallel differs from life to life.
	for cut := 1; cut <= changes; cut++ {
		w := fresh()
		w.fs.CutAfter(cut)
		_ = w.live(t.Context(), n)
		w.close()
		w.fs.PowerCut(uint64(cut))
		if cut%4 == 0 { // a second life that doesn't end well either
			w.fs.CutAfter(20 + cut%50)
			_ = w.live(t.Context(), n)
			w.close()
			w.fs.PowerCut(uint64(cut) + 1)
		}
		w.check(t, fmt.Sprintf("cut at %d of %d", cut, changes))
	}
}
