package partition

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// sentBy makes a batch of n records of a producer.
func sentBy(t testing.TB, id int64, epoch int16, seq int32, n int) []byte {
	h := batch.New()
	h.ProducerID, h.ProducerEpoch, h.BaseSequence = id, epoch, seq
	recs := make([]batch.Record, n)
	for i := range recs {
		recs[i] = batch.Record{Timestamp: base, Key: []byte("k"), Value: fmt.Append(nil, id, epoch, int(seq)+i)}
	}
	return encode(t, h, recs...)
}

// The answers are those of Kafka 4.3 to the same requests.
func TestIdempotence(t *testing.T) {
	o, _ := testOptions(vfs.NewMem())
	l := mustOpen(t, o, testConfig())
	for range 6 {
		mustAppend(t, l, records(t, "x"))
	}
	for _, test := range []struct {
		what  string
		epoch int16
		seq   int32
		want  *kerr.Error
		at    Appended
	}{
		{"unknown producer, any sequence", 0, 7, nil, Appended{6, 6, -1, 0, false}},
		{"", 0, 8, nil, Appended{7, 7, -1, 0, false}},
		{"", 0, 9, nil, Appended{8, 8, -1, 0, false}},
		{"", 0, 10, nil, Appended{9, 9, -1, 0, false}},
		{"", 0, 11, nil, Appended{10, 10, -1, 0, false}},
		{"", 0, 12, nil, Appended{11, 11, -1, 0, false}},
		{"", 0, 13, nil, Appended{12, 12, -1, 0, false}},
		{"", 0, 14, nil, Appended{13, 13, -1, 0, false}},
		{"duplicate of the last", 0, 14, nil, Appended{13, 13, base, 0, true}},
		{"duplicate of the 5th back", 0, 10, nil, Appended{9, 9, base, 0, true}},
		{"duplicate of the 6th back", 0, 9, kerr.OutOfOrderSequenceNumber, Appended{-1, -1, -1, 0, false}},
		{"gap", 0, 20, kerr.OutOfOrderSequenceNumber, Appended{-1, -1, -1, 0, false}},
		{"next epoch, not from 0", 1, 3, kerr.OutOfOrderSequenceNumber, Appended{-1, -1, -1, 0, false}},
		{"next epoch", 1, 0, nil, Appended{14, 14, -1, 0, false}},
		{"old epoch", 0, 15, kerr.InvalidProducerEpoch, Appended{-1, -1, -1, -1, false}},
		{"old epoch, once a duplicate", 0, 14, kerr.InvalidProducerEpoch, Appended{-1, -1, -1, -1, false}},
	} {
		at, err := l.Append(sentBy(t, 5, test.epoch, test.seq, 1), AppendArgs{})
		if at != test.at || (test.want == nil) != (err == nil) || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s (epoch %d, sequence %d): %+v, %v; want %+v, %v", test.what, test.epoch, test.seq, at, err, test.at, test.want)
		}
	}
	if got := fmt.Sprintf("%+v", l.Producers()); got != fmt.Sprintf("[{ID:5 Epoch:1 LastSequence:0 LastOffset:14 LastTimestamp:%d CoordinatorEpoch:-1 TxnStart:-1}]", int64(base)) {
		t.Errorf("producers %s", got)
	}
}

func TestSequenceWrapsAround(t *testing.T) {
	o, _ := testOptions(vfs.NewMem())
	l := mustOpen(t, o, testConfig())
	mustAppend(t, l, sentBy(t, 1, 0, math.MaxInt32-1, 3)) // the last two are MaxInt32 and 0
	if at := mustAppend(t, l, sentBy(t, 1, 0, math.MaxInt32-1, 3)); !at.Duplicate || at.BaseOffset != 0 || at.LastOffset != 2 {
		t.Errorf("duplicate over the wrap: %+v", at)
	}
	if at := mustAppend(t, l, sentBy(t, 1, 0, 1, 1)); at.BaseOffset != 3 {
		t.Errorf("after the wrap: %+v", at)
	}
}

// Retries of all five batches are recognised after any kind of restart.
func TestDuplicatesAfterRestart(t *testing.T) {
	for _, kind := range []string{"orderly", "killed", "killed without snapshots"} {
		fsys := vfs.NewMem()
		o, _ := testOptions(fsys)
		c := testConfig()
		c.SegmentBytes = 300
		l := mustOpen(t, o, c)
		for i := range int32(10) {
			mustAppend(t, l, sentBy(t, 9, 2, i*2, 2))
		}
		switch kind {
		case "orderly":
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		case "killed without snapshots":
			offsets, err := l.snapshots()
			if err != nil || len(offsets) == 0 {
				t.Fatalf("snapshots %v, %v", offsets, err)
			}
			for _, at := range offsets {
				if err := l.removeSnapshot(at); err != nil {
					t.Fatal(err)
				}
			}
		}
		l = mustOpen(t, o, c)
		for i := int32(5); i < 10; i++ {
			at, err := l.Append(sentBy(t, 9, 2, i*2, 2), AppendArgs{})
			if err != nil || !at.Duplicate || at.BaseOffset != int64(i*2) {
				t.Errorf("%s: retry of %d: %+v, %v", kind, i*2, at, err)
			}
		}
		if at := mustAppend(t, l, sentBy(t, 9, 2, 20, 1)); at.BaseOffset != 20 {
			t.Errorf("%s: next batch: %+v", kind, at)
		}
	}
}

func TestProducersExpire(t *testing.T) {
	o, clk := testOptions(vfs.NewMem())
	l := mustOpen(t, o, testConfig())
	mustAppend(t, l, sentBy(t, 1, 0, 0, 1))
	clk.advance(23 * time.Hour)
	mustAppend(t, l, sentBy(t, 2, 0, 0, 1))
	clk.advance(2 * time.Hour)
	if r, err := l.Retain(clk.Now()); err != nil || r.Expired != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if p := l.Producers(); len(p) != 1 || p[0].ID != 2 {
		t.Errorf("producers left: %+v", p)
	}
	mustAppend(t, l, sentBy(t, 1, 0, 77, 1)) // it is unknown again
}

func TestSnapshotRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := newProducers()
		for range rapid.IntRange(0, 40).Draw(t, "batches") {
			h := batch.Header{
				ProducerID:      rapid.Int64Range(-1, 5).Draw(t, "id"),
				ProducerEpoch:   rapid.Int16Range(0, 2).Draw(t, "epoch"),
				BaseSequence:    rapid.Int32Range(0, math.MaxInt32).Draw(t, "sequence"),
				LastOffsetDelta: rapid.Int32Range(0, 100).Draw(t, "delta"),
				BaseOffset:      rapid.Int64().Draw(t, "offset"),
				MaxTimestamp:    rapid.Int64().Draw(t, "timestamp"),
			}
			now := rapid.Int64().Draw(t, "now")
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				h.Attributes, h.BaseOffset = batch.Transactional, max(h.BaseOffset, 0)
				ps.note(&h, now)
			case 1:
				if h.ProducerID >= 0 {
					ps.end(&h, batch.Marker{CoordinatorEpoch: rapid.Int32().Draw(t, "coordinator epoch")}, now)
				}
			default:
				ps.note(&h, now)
			}
		}
		b := ps.encode()
		got, err := decodeProducers(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.encode(), b) || len(got.m) != len(ps.m) {
			t.Fatalf("%d producers decode to %d", len(ps.m), len(got.m))
		}
		for _, x := range got.txns {
			if ps.m[x.producer].txnStart != x.first {
				t.Fatalf("transaction %+v of %+v", x, ps.m[x.producer])
			}
		}
		if len(b) > snapshotHeader {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "damage")] ^= 4
			if _, err := decodeProducers(b); err == nil {
				t.Fatal("damage was not noticed")
			}
		}
	})
}

func FuzzDecodeProducers(f *testing.F) {
	ps := newProducers()
	ps.note(&batch.Header{ProducerID: 1, BaseSequence: 3}, 5)
	f.Add(ps.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if ps, err := decodeProducers(b); err == nil && len(ps.encode()) > len(b) {
			t.Errorf("%d bytes decode to more than they hold", len(b))
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add(checkpoint{start: 1, synced: syncedTo{2, 3, 4}, cleanedTo: 5}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := parseCheckpoint(s); err == nil {
			if again, err := parseCheckpoint(c.String()); err != nil || again != c {
				t.Errorf("%+v becomes %+v, %v", c, again, err)
			}
		}
	})
}

func FuzzParseEpochs(f *testing.F) {
	f.Add(formatEpochs([]epoch{{0, 0}, {3, 17}}))
	f.Add("0\n99999999\n")
	f.Fuzz(func(t *testing.T, s string) {
		if list, err := parseEpochs(s); err == nil {
			if again, err := parseEpochs(formatEpochs(list)); err != nil || fmt.Sprint(again) != fmt.Sprint(list) {
				t.Errorf("%v becomes %v, %v", list, again, err)
			}
		}
	})
}
