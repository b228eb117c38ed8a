package coord

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// shareCrash is share partitions on a disk whose power is cut, and what their
// member was told.
type shareCrash struct {
	fs     *vfs.Fault
	syncer *partition.Syncer
	cat    *catalog.Catalog
	shares *Shares
	key    share.Key

	written     int64           // records whose writing was acknowledged
	asked, told map[int64]bool  // of records that are done
	released    map[int64]int16 // how often they were delivered by then, as told
}

func (w *shareCrash) open() error {
	w.syncer = partition.NewSyncer(2)
	log := slog.New(slog.DiscardHandler)
	var err error
	w.cat, err = catalog.Open(catalog.Options{
		FS: w.fs, Dir: "/d", Clock: clock.System, Log: log, Durability: partition.Fsync, Syncer: w.syncer, MaxPartitions: 100,
		Static: map[string]string{snapshotEvery: "3", "share.coordinator.state.topic.num.partitions": "1"},
	})
	if err == nil {
		w.shares, err = StartShares(ShareOptions{Catalog: w.cat, Clock: clock.System, Log: log})
	}
	return err
}

func (w *shareCrash) close() {
	if w.shares != nil {
		_ = w.shares.Close()
	}
	if w.cat != nil {
		_ = w.cat.Close()
	}
	w.syncer.Close()
	w.shares, w.cat = nil, nil
}

// get waits for an answer.
func get[T any](t *testing.T, f *Future[T], err error) (v T, _ error) {
	if err != nil {
		return v, err
	}
	return f.Await(t.Context())
}

func (w *shareCrash) live(t *testing.T, n int) error {
	if err := w.open(); err != nil {
		return err
	}
	if _, errs := w.cat.Create([]catalog.NewTopic{{Name: "t", Partitions: 1}}); errs[0] != nil {
		return errs[0]
	}
	w.key = share.Key{Group: "g", Topic: w.cat.Image().Topic("t").ID}
	prepare, err := w.shares.Prepare(w.key)
	if code, err := get(t, prepare, err); err != nil || code != 0 {
		return fmt.Errorf("prepare: %d, %w", code, err)
	}
	begin, err := w.shares.Begin(w.key, 0)
	if code, err := get(t, begin, err); err != nil || code != 0 {
		return fmt.Errorf("begin: %d, %w", code, err)
	}
	for i := range n {
		if err := w.round(t); err != nil {
			return err
		}
		if i%3 == 2 {
			for _, f := range w.shares.Prune() {
				if _, err := f.Await(t.Context()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// round writes three records and acknowledges all that are delivered, each in
// another way.
func (w *shareCrash) round(t *testing.T) error {
	log := w.cat.Image().Topic("t").Logs[0]
	h := batch.New()
	var recs []batch.Record
	for i := range int32(3) {
		recs = append(recs, batch.Record{OffsetDelta: i, Timestamp: time.Now().UnixMilli(), Value: []byte("v")})
	}
	b, err := batch.Append(nil, h, recs)
	if err != nil {
		return err
	}
	at, err := log.Append(b, partition.AppendArgs{})
	if err == nil {
		err = log.WaitDurable(t.Context(), at.LastOffset+1)
	}
	if err != nil {
		return err
	}
	w.written = at.LastOffset + 1
	got, err := w.deliver(t)
	if err != nil {
		return err
	}
	for _, d := range got {
		for o := d.First; o <= d.Last; o++ {
			kind := []share.Type{share.Accept, share.Release, share.Reject}[(o+int64(d.Count))%3]
			w.asked[o] = kind != share.Release || w.asked[o]
			f, err := w.shares.Acknowledge(w.key, "m", []share.Acknowledgement{{Range: share.Range{First: o, Last: o}, Types: []share.Type{kind}}})
			refused, err := get(t, f, err)
			if err := errors.Join(refused, err); err != nil {
				return err
			}
			if kind == share.Release {
				w.released[o] = d.Count
			} else {
				w.told[o] = true
			}
		}
	}
	return nil
}

// deliver acquires all there is.
func (w *shareCrash) deliver(t *testing.T) (all []share.Delivery, _ error) {
	for {
		next, err := w.shares.Next(w.key, nil)
		at, err := get(t, next, err)
		if err != nil || !at.Begun || at.Offset >= w.written {
			return all, err
		}
		f, err := w.shares.Acquire(w.key, &share.Request{Member: "m", Records: 100, Offset: at.Offset, Batches: []share.Range{{First: at.Offset, Last: w.written - 1}}})
		got, err := get(t, f, err)
		if err != nil || len(got) == 0 {
			return all, err
		}
		all = append(all, got...)
	}
}

// check starts once more: what was told to be done is delivered to nobody, all
// else is, and nobody has forgotten how often.
func (w *shareCrash) check(t *testing.T, what string) {
	t.Helper()
	if err := w.open(); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer w.close()
	if w.written == 0 {
		return
	}
	got, err := w.deliver(t)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	delivered := map[int64]int16{}
	for _, d := range got {
		for o := d.First; o <= d.Last; o++ {
			delivered[o] = d.Count
		}
	}
	for o := range w.written {
		count, again := delivered[o]
		switch {
		case again && w.told[o]:
			t.Fatalf("%s: offset %d is done, and delivered again", what, o)
		case !again && !w.asked[o]:
			t.Fatalf("%s: offset %d is lost: %v", what, o, got)
		case again && count <= w.released[o]:
			t.Fatalf("%s: offset %d was delivered %d times, and is now for the %d. time", what, o, w.released[o], count)
		}
	}
}

// The power is cut at each change to the disk.
func TestPowerCutInShares(t *testing.T) {
	const n = 6
	fresh := func() *shareCrash {
		return &shareCrash{fs: vfs.NewFault(vfs.NewMem()), asked: map[int64]bool{}, told: map[int64]bool{}, released: map[int64]int16{}}
	}
	whole := fresh()
	if err := whole.live(t, n); err != nil {
		t.Fatal(err)
	}
	whole.close()
	whole.check(t, "without a cut")
	changes := whole.fs.Changes()
	for cut := 1; cut < changes; cut++ {
		w := fresh()
		w.fs.CutAfter(cut)
		_ = w.live(t, n)
		w.close()
		w.fs.PowerCut(uint64(cut))
		w.check(t, fmt.Sprintf("cut after %d of %d changes", cut, changes))
	}
}
