package partition

import (
	"fmt"
	"testing"
	"time"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// txnCrash is a life of a log with transactions that ends with a power cut,
// and what was promised of each until then.
type txnCrash struct {
	fs     *vfs.Fault
	o      Options
	c      Config
	ended  map[string]batch.Outcome // by the transaction's key
	tried  map[string]batch.Outcome // whose end may have become durable
	writes int
}

func newTxnCrash(compact bool) *txnCrash {
	r := &txnCrash{fs: vfs.NewFault(vfs.NewMem()), c: testConfig(), ended: map[string]batch.Outcome{}, tried: map[string]batch.Outcome{}}
	r.o, _ = testOptions(r.fs)
	r.o.Durability = Fsync
	r.c.SegmentBytes, r.c.IndexIntervalBytes = 500, 200
	r.c.Compact, r.c.MinDirtyRatio, r.c.DeleteRetention = compact, 0, 0
	return r
}

// live runs transactions of two producers, of which one is always open.
func (r *txnCrash) live(t *testing.T, steps int) {
	r.o.Syncer = NewSyncer(1)
	defer r.o.Syncer.Close()
	l, err := Open(r.o, r.c)
	if err != nil {
		return
	}
	defer l.Close()
	for i := range steps {
		if err := r.step(t, l, i); err != nil {
			return
		}
	}
}

func (r *txnCrash) step(t *testing.T, l *Log, i int) error {
	id, epoch := int64(1+i%2), int16(i/2)
	key := fmt.Sprintf("k%d", i)
	g, _, err := l.BeginTxn(id, epoch, 0, TxnV2)
	if err != nil {
		return err
	}
	for seq := range int32(2) {
		if _, err := l.Append(inTxn(t, id, epoch, seq, fmt.Sprint(key, "-", seq)), AppendArgs{Guard: g}); err != nil {
			return err
		}
	}
	r.writes = i + 1
	if i == 0 {
		return nil
	}
	// The transaction before this one ends.
	id, epoch, key = int64(1+(i-1)%2), int16((i-1)/2), fmt.Sprintf("k%d", i-1)
	o := batch.Commit
	if i%3 == 0 {
		o = batch.Abort
	}
	r.tried[key] = o
	at, err := l.EndTxn(TxnEnd{ProducerID: id, Epoch: epoch + 1, Outcome: o, Version: TxnV2})
	if err == nil && i%2 == 0 {
		if err = l.WaitDurable(t.Context(), at.LastOffset+1); err == nil {
			for k, o := range r.tried {
				r.ended[k] = o
			}
		}
	}
	if err == nil && i%5 == 4 {
		_, err = l.Retain(time.UnixMilli(base + int64(i)))
	}
	if err == nil && i%7 == 6 && r.c.Compact {
		_, err = l.Clean(time.UnixMilli(base + int64(i)))
	}
	return err
}

// check opens the log after the cut: what was promised holds, and of a
// transaction either all records count or none.
func (r *txnCrash) check(t *testing.T, what string) {
	r.o.Syncer = NewSyncer(1)
	defer r.o.Syncer.Close()
	l, err := Open(r.o, r.c)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer l.Close()
	recs, next := visible(t, l, 0, 300)
	if next != l.Bounds().LastStable {
		t.Fatalf("%s: read to %d of %+v", what, next, l.Bounds())
	}
	seen := map[string]int{}
	for _, rec := range recs {
		seen[rec.key]++
	}
	for i := range r.writes {
		key := fmt.Sprintf("k%d", i)
		n := seen[key+"-0"] + seen[key+"-1"]
		ended, done := r.ended[key]
		tried, asked := r.tried[key]
		switch {
		case done && ended == batch.Commit && n != 2,
			n > 0 && (!asked || tried == batch.Abort),
			n != 0 && n != 2:
			t.Fatalf("%s: %d records of %s (ended %t %s, tried %t %s); %+v", what, n, key, done, ended, asked, tried, l.Bounds())
		}
	}
	for _, p := range l.Producers() {
		if p.TxnStart >= 0 {
			if _, err := l.EndTxn(TxnEnd{ProducerID: p.ID, Epoch: p.Epoch + 1, Version: TxnV2}); err != nil {
				t.Fatalf("%s: end of what is open: %v", what, err)
			}
		}
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	if b := l.Bounds(); b.LastStable != b.LogEnd {
		t.Fatalf("%s: %+v with nothing open", what, b)
	}
}

// The power is cut at each change that a life makes to the disk.
func TestPowerCutInTransactions(t *testing.T) {
	const steps = 24
	for _, compact := range []bool{false, true} {
		whole := newTxnCrash(compact)
		whole.live(t, steps)
		changes := whole.fs.Changes()
		if changes < 100 || len(whole.ended) < steps/2 {
			t.Fatalf("%d changes, %d transactions: too small a life", changes, len(whole.ended))
		}
		for cut := 1; cut <= changes; cut++ {
			r := newTxnCrash(compact)
			r.fs.CutAfter(cut)
			r.live(t, steps)
			r.fs.PowerCut(uint64(cut))
			r.o.Unclean = true
			r.check(t, fmt.Sprintf("compaction %t, cut at %d of %d", compact, cut, changes))
		}
	}
}
