package coord

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// shareWorld is coordinators of share partitions, with what they stand on.
type shareWorld struct {
	t      *testing.T
	syncer *partition.Syncer
	cat    *catalog.Catalog
	shares *Shares
	key    share.Key
}

// newShareWorld opens a world with a topic of one partition, which group g shares.
func newShareWorld(t *testing.T, fs vfs.FS) *shareWorld {
	t.Helper()
	w := &shareWorld{t: t, syncer: partition.NewSyncer(1)}
	log := slog.New(slog.DiscardHandler)
	var err error
	w.cat, err = catalog.Open(catalog.Options{FS: fs, Dir: "/d", Clock: clock.System, Log: log, Syncer: w.syncer, MaxPartitions: 100})
	if err != nil {
		t.Fatal(err)
	}
	if w.cat.Image().Topic("t") == nil {
		if _, errs := w.cat.Create([]catalog.NewTopic{{Name: "t", Partitions: 1}}); errs[0] != nil {
			t.Fatal(errs[0])
		}
	}
	w.key = share.Key{Group: "g", Topic: w.cat.Image().Topic("t").ID}
	if w.shares, err = StartShares(ShareOptions{Catalog: w.cat, Clock: clock.System, Log: log}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *shareWorld) close() {
	if err := errors.Join(w.shares.Close(), w.cat.Close()); err != nil {
		w.t.Error(err)
	}
	w.syncer.Close()
}

func (w *shareWorld) log() *partition.Log { return w.cat.Image().Topic("t").Logs[0] }

// write appends a batch of n records to the topic.
func (w *shareWorld) write(n int) {
	w.t.Helper()
	recs := make([]batch.Record, n)
	for i := range recs {
		recs[i] = batch.Record{OffsetDelta: int32(i), Timestamp: time.Now().UnixMilli(), Value: []byte("v")}
	}
	h := batch.New()
	h.LastOffsetDelta = int32(n - 1)
	b, err := batch.Append(nil, h, recs)
	if err == nil {
		_, err = w.log().Append(b, partition.AppendArgs{})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *shareWorld) begin() {
	w.t.Helper()
	f, err := w.shares.Prepare(w.key)
	if code := await(w.t, f, err); code != 0 {
		w.t.Fatal(code)
	}
	f, err = w.shares.Begin(w.key, 0)
	if code := await(w.t, f, err); code != 0 {
		w.t.Fatal(code)
	}
}

func (w *shareWorld) next() SharePlace {
	w.t.Helper()
	f, err := w.shares.Next(w.key, nil)
	return await(w.t, f, err)
}

// acquire lets a member have a batch, and says what it got.
func (w *shareWorld) acquire(member string, first, last int64) string {
	w.t.Helper()
	f, err := w.shares.Acquire(w.key, &share.Request{
		Member: member, Records: 1000, Offset: w.next().Offset, Batches: []share.Range{{First: first, Last: last}},
	})
	var parts []string
	for _, d := range await(w.t, f, err) {
		parts = append(parts, fmt.Sprintf("%d-%d:%d", d.First, d.Last, d.Count))
	}
	return strings.Join(parts, " ")
}

func (w *shareWorld) acknowledge(member string, first, last int64, kind share.Type) error {
	w.t.Helper()
	f, err := w.shares.Acknowledge(w.key, member, []share.Acknowledgement{{Range: share.Range{First: first, Last: last}, Types: []share.Type{kind}}})
	return await(w.t, f, err)
}

func (w *shareWorld) summary() ShareSummary {
	w.t.Helper()
	f, err := w.shares.Summary(w.key)
	return await(w.t, f, err)
}

func TestSharesOutliveRestart(t *testing.T) {
	fs := vfs.NewMem()
	w := newShareWorld(t, fs)
	w.begin()
	w.write(10)
	if got := w.acquire("a", 0, 9); got != "0-9:1" {
		t.Fatal(got)
	}
	for _, err := range []error{
		w.acknowledge("a", 0, 2, share.Accept), w.acknowledge("a", 4, 5, share.Reject), w.acknowledge("a", 6, 7, share.Release),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		w.close()
		w = newShareWorld(t, fs)
		if s := w.summary(); s.Start != 3 || s.Done != 2 {
			t.Errorf("after the restart: %+v", s)
		}
	}
	if got := w.acquire("b", 0, 9); got != "3-3:1 6-7:2 8-9:1" {
		t.Errorf("after the restart: %s", got)
	}
	w.close()
}

// So many updates that some are in snapshots, and the topic is pruned.
func TestSharesSnapshotAndPrune(t *testing.T) {
	fs := vfs.NewMem()
	w := newShareWorld(t, fs)
	w.begin()
	for i := range int64(1300) {
		w.write(1)
		w.acquire("a", i, i)
		if err := w.acknowledge("a", i, i, share.Accept); err != nil {
			t.Fatal(err)
		}
	}
	s, err := w.shares.of(w.key.CoordinatorKey())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range w.shares.Prune() {
		await(t, f, nil)
	}
	if b := s.log.Bounds(); b.LogStart < 900 || b.LogStart > b.LogEnd {
		t.Errorf("the topic is not pruned: %+v", b)
	}
	w.close()
	w = newShareWorld(t, fs)
	defer w.close()
	if s := w.summary(); s.Start != 1300 {
		t.Errorf("%+v", s)
	}
}

// A member that says nothing loses its records, over a restart too, and records
// end that always fail.
func TestSharesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newShareWorld(t, vfs.NewMem())
		defer w.close()
		w.begin()
		w.write(1)
		for i := range 5 {
			if got, want := w.acquire("a", 0, 0), fmt.Sprintf("0-0:%d", i+1); got != want {
				t.Fatalf("%s, want %s", got, want)
			}
			<-time.After(29 * time.Second)
			if got := w.acquire("b", 0, 0); got != "" {
				t.Fatalf("%s was taken early", got)
			}
			<-time.After(2 * time.Second)
			if err := w.acknowledge("a", 0, 0, share.Accept); err == nil && i < 4 {
				t.Fatal("an acknowledgement came too late and counted")
			}
		}
		if s := w.summary(); s.Start != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// What a member has when it leaves is delivered to others.
func TestSharesRelease(t *testing.T) {
	w := newShareWorld(t, vfs.NewMem())
	defer w.close()
	w.begin()
	w.write(5)
	w.acquire("a", 0, 4)
	f, err := w.shares.Release(w.key, "a")
	await(t, f, err)
	if got := w.acquire("b", 0, 4); got != "0-4:2" {
		t.Error(got)
	}
}

func TestSharesWake(t *testing.T) {
	w := newShareWorld(t, vfs.NewMem())
	defer w.close()
	w.begin()
	w.write(5)
	w.acquire("a", 0, 4)
	woken := make(chanWaker, 10)
	f, err := w.shares.Next(w.key, woken)
	await(t, f, err)
	if err := w.acknowledge("a", 0, 2, share.Accept); err != nil || len(woken) != 0 {
		t.Errorf("accepting woke %d (%v)", len(woken), err)
	}
	if err := w.acknowledge("a", 3, 3, share.Release); err != nil || len(woken) != 1 {
		t.Errorf("releasing woke %d (%v)", len(woken), err)
	}
	w.shares.Unwatch(w.key, woken)
	if err := w.acknowledge("a", 4, 4, share.Release); err != nil || len(woken) != 1 {
		t.Errorf("after Unwatch: %d (%v)", len(woken), err)
	}
}

type chanWaker chan int

func (c chanWaker) Wake(n int) { c <- n }

// The start follows that of the log, and an admin may set it.
func TestSharesMoveStart(t *testing.T) {
	fs := vfs.NewMem()
	w := newShareWorld(t, fs)
	w.begin()
	w.write(5)
	w.write(5)
	w.acquire("a", 0, 4)
	if _, err := w.log().DeleteRecords(3); err != nil {
		t.Fatal(err)
	}
	if at := w.next(); at.Offset != 5 {
		t.Errorf("%+v", at)
	}
	if s := w.summary(); s.Start != 3 {
		t.Errorf("%+v", s)
	}
	if err := w.acknowledge("a", 0, 4, share.Accept); err != nil {
		t.Errorf("records that are gone in part: %v", err)
	}
	f, err := w.shares.Reset(w.key, 7)
	await(t, f, err)
	w.close()
	w = newShareWorld(t, fs)
	if s := w.summary(); s.Start != 7 || s.StateEpoch != 1 {
		t.Errorf("%+v", s)
	}
	for _, f := range w.shares.Delete(func(k share.Key) bool { return k.Group == "g" }) {
		await(t, f, nil)
	}
	w.close()
	w = newShareWorld(t, fs)
	defer w.close()
	if s := w.summary(); s.Known {
		t.Errorf("deleted, and still there: %+v", s)
	}
}

// A topic that is deleted takes its share partitions along.
func TestSharesOfDeletedTopic(t *testing.T) {
	fs := vfs.NewMem()
	w := newShareWorld(t, fs)
	w.begin()
	if _, err := w.cat.Delete("t"); err != nil {
		t.Fatal(err)
	}
	for _, f := range w.shares.Prune() {
		await(t, f, nil)
	}
	key := w.key
	w.close()
	w = newShareWorld(t, fs)
	defer w.close()
	w.key = key
	if s := w.summary(); s.Known {
		t.Errorf("%+v", s)
	}
}

// A disk that fails takes nothing back that was said, and leaves no record with
// a member for ever.
func TestSharesDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		fs := vfs.NewFault(mem)
		w := newShareWorld(t, fs)
		w.begin()
		w.write(4)
		w.acquire("a", 0, 3)
		repair := fs.Inject(vfs.Rule{Ops: vfs.OpWrite, Path: func(p string) bool { return strings.Contains(p, catalog.ShareGroupState) }, Err: syscall.EIO})
		if err := w.acknowledge("a", 0, 1, share.Accept); err == nil {
			t.Error("an acknowledgement was not stored and counted")
		}
		<-time.After(31 * time.Second)
		if got := w.acquire("b", 0, 3); got != "0-3:2" {
			t.Errorf("after the lock: %q", got)
		}
		repair()
		if err := w.acknowledge("b", 0, 3, share.Accept); err != nil {
			t.Errorf("after the repair: %v", err)
		}
		w.close()
		w = newShareWorld(t, mem)
		defer w.close()
		if s := w.summary(); s.Start != 4 {
			t.Errorf("%+v", s)
		}
	})
}
