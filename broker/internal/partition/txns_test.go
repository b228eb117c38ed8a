package partition

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// inTxn makes a batch of a producer's transaction, with a record a key.
func inTxn(t testing.TB, id int64, epoch int16, seq int32, keys ...string) []byte {
	h := batch.New()
	h.Attributes = batch.Transactional
	h.ProducerID, h.ProducerEpoch, h.BaseSequence = id, epoch, seq
	recs := make([]batch.Record, len(keys))
	for i, k := range keys {
		recs[i] = batch.Record{Timestamp: base, Key: []byte(k), Value: fmt.Append(nil, k, id, epoch, int(seq)+i)}
	}
	return encode(t, h, recs...)
}

// transact appends a batch of a transaction that its coordinator knows of.
func transact(t testing.TB, l *Log, id int64, epoch int16, seq int32, keys ...string) Appended {
	t.Helper()
	g, _, err := l.BeginTxn(id, epoch, seq, TxnV2)
	if err != nil {
		t.Fatal(err)
	}
	at, err := l.Append(inTxn(t, id, epoch, seq, keys...), AppendArgs{Guard: g})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// end ends a transaction as the second protocol does.
func end(t testing.TB, l *Log, id int64, epoch int16, o batch.Outcome) Appended {
	t.Helper()
	at, err := l.EndTxn(TxnEnd{ProducerID: id, Epoch: epoch + 1, Outcome: o, Version: TxnV2})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// visible reads as a consumer does that wants committed records only, in
// fetches of maxBytes, and returns them and where the next fetch would begin.
func visible(t testing.TB, l *Log, offset int64, maxBytes int) (all []stored, next int64) {
	t.Helper()
	for {
		r, err := l.ReadCommitted(nil, offset, maxBytes, AtLeastOne)
		if err != nil {
			t.Fatal(err)
		}
		if r.Size == 0 {
			return all, offset
		}
		var recs []stored
		recs, offset = consume(t, r, offset)
		all = append(all, recs...)
		r.Release()
	}
}

// consume sorts out one fetch by its list of aborted transactions.
func consume(t testing.TB, r ReadResult, offset int64) (all []stored, next int64) {
	ahead := slices.Clone(r.Aborted)
	slices.SortFunc(ahead, func(a, b Aborted) int { return int(a.FirstOffset - b.FirstOffset) })
	dropped := map[int64]bool{}
	for _, data := range r.Data {
		for len(data) > 0 {
			h, b, rest, err := batch.Cut(data)
			if err != nil {
				t.Fatal(err)
			}
			data, next = rest, h.NextOffset()
			if h.LastOffset() >= r.LastStable {
				t.Fatalf("batch up to %d at last stable offset %d", h.LastOffset(), r.LastStable)
			}
			for len(ahead) > 0 && ahead[0].FirstOffset <= h.LastOffset() {
				dropped[ahead[0].ProducerID] = true
				ahead = ahead[1:]
			}
			if h.Attributes.Has(batch.Control) {
				if m, ok, err := batch.ParseMarker(b); err != nil {
					t.Fatal(err)
				} else if ok && m.Outcome == batch.Abort {
					delete(dropped, h.ProducerID)
				}
				continue
			}
			if h.Attributes.Has(batch.Transactional) && dropped[h.ProducerID] {
				continue
			}
			for rec, err := range batch.All(b) {
				if err != nil {
					t.Fatal(err)
				}
				if at := h.BaseOffset + int64(rec.OffsetDelta); at >= offset {
					all = append(all, stored{at, string(rec.Key), string(rec.Value), rec.Value == nil})
				}
			}
		}
	}
	return all, next
}

func TestLastStableOffset(t *testing.T) {
	o, _ := testOptions(vfs.NewMem())
	l := mustOpen(t, o, testConfig())
	stable := func(want int64) {
		t.Helper()
		if b := l.Bounds(); b.LastStable != want || b.HighWatermark != b.LogEnd {
			t.Fatalf("%+v, want %d stable", b, want)
		}
	}
	mustAppend(t, l, records(t, "a")) // 0
	transact(t, l, 1, 0, 0, "k")      // 1
	stable(1)
	transact(t, l, 2, 0, 0, "k", "k") // 2, 3
	transact(t, l, 1, 0, 1, "k")      // 4
	mustAppend(t, l, records(t, "b")) // 5
	if n := l.AvailableCommitted(1); n != 0 {
		t.Errorf("%d bytes that are not stable", n)
	}
	if n, want := l.AvailableCommitted(0), len(records(t, "a")); n != want {
		t.Errorf("%d bytes are stable, want %d", n, want)
	}
	end(t, l, 1, 0, batch.Commit) // 6
	stable(2)
	end(t, l, 2, 0, batch.Abort) // 7
	stable(8)
	recs, next := visible(t, l, 0, 1)
	if got := fmt.Sprint(values(recs)); got != "[a k1 0 0 k1 0 1 b]" || next != 8 {
		t.Errorf("committed: %s, next %d", got, next)
	}
	// Who reads all gets all.
	if got := len(readAll(t, l, 0, 1000)); got != 8 {
		t.Errorf("%d records and markers", got)
	}
	r, err := l.ReadCommitted(nil, 3, 1<<20, AtLeastOne)
	if err != nil || len(r.Aborted) != 1 || r.Aborted[0] != (Aborted{2, 2}) {
		t.Errorf("a transaction that began before the offset: %+v, %v", r.Aborted, err)
	}
	r, err = l.ReadCommitted(nil, 0, 1, AtLeastOne)
	if err != nil || len(r.Aborted) != 0 {
		t.Errorf("a transaction that begins after what was read: %+v, %v", r.Aborted, err)
	}
}

// The answers are those of Kafka 4.3 to the same requests.
func TestTransactionChecks(t *testing.T) {
	o, _ := testOptions(vfs.NewMem())
	l := mustOpen(t, o, testConfig())
	refused := func(what string, err error, want *kerr.Error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	_, err := l.Append(inTxn(t, 1, 3, 0, "k"), AppendArgs{})
	refused("no guard", err, kerr.InvalidTxnState)
	_, err = l.Append(inTxn(t, 1, 3, 0, "k"), AppendArgs{Guard: 99})
	refused("another guard", err, kerr.InvalidTxnState)
	g, needed, err := l.BeginTxn(1, 3, 5, TxnV2)
	if err != nil || !needed {
		t.Fatal(g, needed, err)
	}
	_, err = l.Append(inTxn(t, 1, 3, 5, "k"), AppendArgs{Guard: g})
	refused("not from 0", err, kerr.OutOfOrderSequenceNumber)
	transact(t, l, 1, 3, 0, "k")
	if _, needed, err := l.BeginTxn(1, 3, 1, TxnV2); err != nil || needed {
		t.Errorf("it has begun: %t, %v", needed, err)
	}
	_, err = l.Append(sentBy(t, 1, 3, 1, 1), AppendArgs{})
	refused("not in the transaction", err, kerr.InvalidTxnState)
	_, err = l.EndTxn(TxnEnd{ProducerID: 1, Epoch: 3, Version: TxnV2})
	refused("marker without the next epoch", err, kerr.InvalidProducerEpoch)
	end(t, l, 1, 3, batch.Commit)
	if _, err = l.EndTxn(TxnEnd{ProducerID: 1, Epoch: 4, Version: TxnV2}); err != nil {
		t.Errorf("the same marker, with nothing open: %v", err)
	}
	_, err = l.Append(inTxn(t, 1, 3, 1, "k"), AppendArgs{Guard: g})
	refused("late batch", err, kerr.InvalidProducerEpoch)
	_, _, err = l.BeginTxn(1, 3, 1, TxnV2)
	refused("late transaction", err, kerr.InvalidProducerEpoch)

	transact(t, l, 1, 4, 0, "k")
	_, err = l.EndTxn(TxnEnd{ProducerID: 1, Epoch: 4, Version: TxnV2})
	refused("the same marker, late", err, kerr.InvalidProducerEpoch)
	end(t, l, 1, 4, batch.Abort)

	// The first protocol keeps the epoch, and numbers go on.
	transact1 := func(seq int32) error {
		g, _, err := l.BeginTxn(2, 0, seq, TxnV1)
		if err == nil {
			_, err = l.Append(inTxn(t, 2, 0, seq, "k"), AppendArgs{Guard: g})
		}
		return err
	}
	for seq := range int32(3) {
		if err := transact1(seq); err != nil {
			t.Fatal(err)
		}
		if _, err := l.EndTxn(TxnEnd{ProducerID: 2, Outcome: batch.Commit, CoordinatorEpoch: 4, Version: TxnV1}); err != nil {
			t.Fatal(err)
		}
	}
	refused("gap", transact1(7), kerr.OutOfOrderSequenceNumber)
	_, err = l.EndTxn(TxnEnd{ProducerID: 2, CoordinatorEpoch: 3, Version: TxnV1})
	refused("older coordinator", err, kerr.TransactionCoordinatorFenced)
	if b := l.Bounds(); b.LastStable != b.LogEnd {
		t.Errorf("%+v", b)
	}
}

// What the coordinator says of an attempt is worth nothing once a marker has
// come.
func TestMarkerEndsAttempt(t *testing.T) {
	o, _ := testOptions(vfs.NewMem())
	l := mustOpen(t, o, testConfig())
	g, _, err := l.BeginTxn(1, 0, 0, TxnV1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.EndTxn(TxnEnd{ProducerID: 1, Version: TxnV1}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(inTxn(t, 1, 0, 0, "k"), AppendArgs{Guard: g}); !errors.Is(err, kerr.InvalidTxnState) {
		t.Errorf("the batch came after the end: %v", err)
	}
	again, needed, err := l.BeginTxn(1, 0, 0, TxnV1)
	if err != nil || !needed || again == g {
		t.Errorf("guard %d after %d, %t, %v", again, g, needed, err)
	}
	// A later number must not pass the one that was refused.
	if _, _, err := l.BeginTxn(1, 0, 1, TxnV1); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(inTxn(t, 1, 0, 1, "k"), AppendArgs{Guard: again}); !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		t.Errorf("out of order: %v", err)
	}
}

// Nobody can make the log remember any number of producers.
func TestAttemptsAreLimited(t *testing.T) {
	o, clk := testOptions(vfs.NewMem())
	l := mustOpen(t, o, testConfig())
	for id := range int64(maxAttempts) {
		if _, _, err := l.BeginTxn(id, 0, 0, TxnV1); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := l.BeginTxn(maxAttempts, 0, 0, TxnV1); !errors.Is(err, kerr.NotEnoughReplicas) {
		t.Errorf("one more: %v", err)
	}
	clk.advance(2 * time.Minute)
	if _, _, err := l.BeginTxn(maxAttempts, 0, 0, TxnV1); err != nil || len(l.producers.attempts) != 1 {
		t.Errorf("later: %d, %v", len(l.producers.attempts), err)
	}
}

func TestOpenTransactionSurvivesRestart(t *testing.T) {
	for _, kind := range []string{"orderly", "killed", "killed without snapshots"} {
		o, clk := testOptions(vfs.NewMem())
		c := testConfig()
		c.SegmentBytes = 300
		l := mustOpen(t, o, c)
		transact(t, l, 1, 0, 0, "a")
		end(t, l, 1, 0, batch.Abort)
		mustAppend(t, l, records(t, "x", "y"))
		transact(t, l, 2, 0, 0, "b")
		for i := range int32(5) {
			transact(t, l, 3, 0, i, "c")
		}
		end(t, l, 3, 0, batch.Commit)
		if _, err := l.Retain(clk.Now()); err != nil {
			t.Fatal(err)
		}
		transact(t, l, 2, 0, 1, "d")
		want := l.Bounds()
		switch kind {
		case "orderly":
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		case "killed without snapshots":
			offsets, err := l.snapshots()
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range offsets {
				if err := l.removeSnapshot(at); err != nil {
					t.Fatal(err)
				}
			}
		}
		l = mustOpen(t, o, c)
		if b := l.Bounds(); b != want || b.LastStable != 4 {
			t.Errorf("%s: %+v, want %+v", kind, b, want)
		}
		end(t, l, 2, 0, batch.Abort)
		l = mustOpen(t, o, c)
		recs, _ := visible(t, l, 0, 100)
		if got := fmt.Sprint(values(recs)); got != "[x y c3 0 0 c3 0 1 c3 0 2 c3 0 3 c3 0 4]" {
			t.Errorf("%s: %s", kind, got)
		}
		// The epochs of producers without a batch left of their own.
		if _, _, err := l.BeginTxn(2, 0, 2, TxnV2); !errors.Is(err, kerr.InvalidProducerEpoch) {
			t.Errorf("%s: old epoch after the restart: %v", kind, err)
		}
	}
}

func TestOpenTransactionKeepsProducer(t *testing.T) {
	o, clk := testOptions(vfs.NewMem())
	l := mustOpen(t, o, testConfig())
	transact(t, l, 1, 0, 0, "a")
	clk.advance(48 * time.Hour)
	if r, err := l.Retain(clk.Now()); err != nil || r.Expired != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	end(t, l, 1, 0, batch.Commit)
	if got := fmt.Sprintf("%+v", l.Producers()); got != fmt.Sprintf("[{ID:1 Epoch:1 LastSequence:-1 LastOffset:-1 LastTimestamp:%d CoordinatorEpoch:0 TxnStart:-1}]", clk.ms) {
		t.Error(got)
	}
}

// With Fsync a transaction holds the last stable offset until its marker is
// durable.
func TestMarkerBecomesDurable(t *testing.T) {
	o, _ := testOptions(vfs.NewMem())
	o.Durability, o.Syncer = Fsync, NewSyncer(1)
	defer o.Syncer.Close()
	l := mustOpen(t, o, testConfig())
	defer l.Close()
	transact(t, l, 1, 0, 0, "a")
	at := end(t, l, 1, 0, batch.Commit)
	if err := l.WaitDurable(t.Context(), at.LastOffset+1); err != nil {
		t.Fatal(err)
	}
	if b := l.Bounds(); b.LastStable != 2 {
		t.Errorf("%+v", b)
	}
}

func FuzzDecodeAborted(f *testing.F) {
	f.Add(encodeAborted([]abortedTxn{{1, 2, 5, 3}, {7, 3, 9, 10}}))
	f.Add([]byte{})
	f.Add(make([]byte, abortedEntry))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeAborted(b)
		if err == nil && string(encodeAborted(list)) != string(b) {
			t.Errorf("%x becomes %x", b, encodeAborted(list))
		}
	})
}

// What compaction does to transactions: the records of aborted ones go at once,
// a marker only when nothing of its transaction is left, and not before
// delete.retention.ms.
func TestCompactionOfTransactions(t *testing.T) {
	o, clk := testOptions(vfs.NewMem())
	c := testConfig()
	c.Compact, c.Delete, c.MinDirtyRatio, c.DeleteRetention = true, false, 0, time.Minute
	l := mustOpen(t, o, c)
	clean := func() {
		t.Helper()
		// Something new makes a round worth it.
		mustAppend(t, l, records(t, "x"))
		l.mu.Lock()
		err := l.roll()
		l.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if r, err := l.Clean(clk.Now()); err != nil || r.Segments == 0 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	left := func(want string) {
		t.Helper()
		got := ""
		for _, r := range readAll(t, l, 0, 1<<20) {
			switch {
			case len(r.key) == 4 && r.key[3] == byte(batch.Abort):
				got += fmt.Sprint(" abort@", r.offset)
			case len(r.key) == 4:
				got += fmt.Sprint(" commit@", r.offset)
			case r.key != "k":
				got += fmt.Sprint(" ", r.key, "@", r.offset)
			}
		}
		if got != want {
			t.Errorf("left:%s, want%s", got, want)
		}
	}
	transact(t, l, 1, 0, 0, "a")  // 0
	transact(t, l, 2, 0, 0, "b")  // 1
	end(t, l, 1, 0, batch.Abort)  // 2
	end(t, l, 2, 0, batch.Commit) // 3
	transact(t, l, 1, 1, 0, "b")  // 4
	end(t, l, 1, 1, batch.Commit) // 5
	transact(t, l, 3, 0, 0, "c")  // 6
	end(t, l, 3, 0, batch.Abort)  // 7
	left(" a@0 b@1 abort@2 commit@3 b@4 commit@5 c@6 abort@7")
	clean() // drops a and c, and the first b
	left(" abort@2 commit@3 b@4 commit@5 abort@7")
	if n := len(l.aborted); n != 2 {
		t.Errorf("%d aborted transactions have batches left to tell of", n)
	}
	clean() // marks the markers of transactions that have nothing left
	if n := len(l.aborted); n != 0 {
		t.Errorf("%d aborted transactions are still told of", n)
	}
	left(" abort@2 commit@3 b@4 commit@5 abort@7")
	clk.advance(2 * time.Minute)
	clean()
	// That of 1 is followed by another; those of 2 and 3 tell of their epochs
	// after a restart, and stay without their records.
	left(" b@4 commit@5")
	l = mustOpen(t, o, c)
	left(" b@4 commit@5")
	for id, epoch := range map[int64]int16{1: 2, 2: 1, 3: 1} {
		if _, _, err := l.BeginTxn(id, epoch-1, 0, TxnV2); !errors.Is(err, kerr.InvalidProducerEpoch) {
			t.Errorf("producer %d, epoch %d: %v", id, epoch-1, err)
		}
	}
	if recs, _ := visible(t, l, 0, 100); recs[0].value != "b1 1 0" {
		t.Errorf("%+v", recs)
	}
}
