package partition

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// txnModel is what a log with transactions must look like to who reads
// committed records: each record, and whether it counts.
type txnModel struct {
	recs  []txnRecord
	open  map[int64]*openModel // by producer
	epoch map[int64]int16
	end   int64
}

type txnRecord struct {
	offset     int64
	key, value string
	fate       fate
	producer   int64
}

type fate uint8

const (
	undecided fate = iota
	committedFate
	abortedFate
)

type openModel struct {
	first int64
	seq   int32
}

// stable is the first offset of the oldest open transaction.
func (m *txnModel) stable() int64 {
	at := m.end
	for _, x := range m.open {
		at = min(at, x.first)
	}
	return at
}

// committed is the records from an offset on that a reader must see, in order.
func (m *txnModel) committed(from int64) []stored {
	var all []stored
	for _, r := range m.recs {
		if r.offset >= from && r.offset < m.stable() && r.fate == committedFate {
			all = append(all, stored{offset: r.offset, key: r.key, value: r.value})
		}
	}
	return all
}

func (m *txnModel) write(t *rapid.T, l *Log, id int64) {
	keys := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 1, 3).Draw(t, "keys")
	x := m.open[id]
	if x == nil {
		x = &openModel{first: m.end}
		m.open[id] = x
	}
	g, _, err := l.BeginTxn(id, m.epoch[id], x.seq, TxnV2)
	if err != nil {
		t.Fatal(err)
	}
	at, err := l.Append(inTxn(tb{t: t}, id, m.epoch[id], x.seq, keys...), AppendArgs{Guard: g})
	if err != nil || at.BaseOffset != m.end {
		t.Fatalf("%+v, %v, want %d", at, err, m.end)
	}
	for i, k := range keys {
		value := fmt.Sprint(k, id, m.epoch[id], int(x.seq)+i)
		m.recs = append(m.recs, txnRecord{m.end + int64(i), k, value, undecided, id})
	}
	x.seq += int32(len(keys))
	m.end += int64(len(keys))
}

func (m *txnModel) plain(t *rapid.T, l *Log) {
	key := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key")
	value := fmt.Sprint("v", m.end)
	b, err := batch.Append(nil, batch.New(), []batch.Record{{Timestamp: base, Key: []byte(key), Value: []byte(value)}})
	if err != nil {
		t.Fatal(err)
	}
	if at, err := l.Append(b, AppendArgs{}); err != nil || at.BaseOffset != m.end {
		t.Fatalf("%+v, %v, want %d", at, err, m.end)
	}
	m.recs = append(m.recs, txnRecord{m.end, key, value, committedFate, -1})
	m.end++
}

func (m *txnModel) finish(t *rapid.T, l *Log, id int64, o batch.Outcome) {
	m.epoch[id]++
	at, err := l.EndTxn(TxnEnd{ProducerID: id, Epoch: m.epoch[id], Outcome: o, Version: TxnV2})
	if err != nil || at.BaseOffset != m.end {
		t.Fatalf("%+v, %v, want %d", at, err, m.end)
	}
	m.end++
	delete(m.open, id)
	for i := range m.recs {
		if r := &m.recs[i]; r.producer == id && r.fate == undecided {
			r.fate = abortedFate
			if o == batch.Commit {
				r.fate = committedFate
			}
		}
	}
}

// tb makes a rapid.T do where helpers want a testing.TB to fail.
type tb struct {
	testing.TB
	t *rapid.T
}

func (b tb) Helper()                      {}
func (b tb) Fatal(args ...any)            { b.t.Fatal(args...) }
func (b tb) Fatalf(s string, args ...any) { b.t.Fatalf(s, args...) }

// Whatever is written, compacted, deleted and restarted: a reader of committed
// records sees those of committed transactions, in order, and none else.
func TestReadersSeeCommittedOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		compact := rapid.Bool().Draw(t, "compact")
		o, clk := testOptions(vfs.NewMem())
		o.TailBytes = rapid.SampledFrom([]int{1, 2000, 0}).Draw(t, "tail")
		c := testConfig()
		c.SegmentBytes = rapid.Int64Range(200, 2000).Draw(t, "segment.bytes")
		c.IndexIntervalBytes = rapid.IntRange(1, 500).Draw(t, "index.interval.bytes")
		c.Compact, c.Delete, c.MinDirtyRatio, c.DeleteRetention = compact, !compact, 0, 10*time.Second
		c.MaxCompactionKeys = rapid.SampledFrom([]int{2, 1000}).Draw(t, "keys at a time")
		m := &txnModel{open: map[int64]*openModel{}, epoch: map[int64]int16{}}
		l := openRapid(t, o, c)
		producer := rapid.Int64Range(1, 3)
		ops := map[string]func(*rapid.T){
			"write": func(t *rapid.T) { m.write(t, l, producer.Draw(t, "producer")) },
			"plain": func(t *rapid.T) { m.plain(t, l) },
			"commit": func(t *rapid.T) {
				m.finish(t, l, producer.Draw(t, "producer"), batch.Commit)
			},
			"abort": func(t *rapid.T) { m.finish(t, l, producer.Draw(t, "producer"), batch.Abort) },
			"maintain": func(t *rapid.T) {
				clk.advance(time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second)
				if _, err := l.Retain(clk.Now()); err != nil {
					t.Fatal(err)
				}
				if _, err := l.Clean(clk.Now()); err != nil {
					t.Fatal(err)
				}
			},
			"reopen": func(t *rapid.T) {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = openRapid(t, o, c)
			},
			"kill and reopen": func(t *rapid.T) { l = openRapid(t, o, c) },
			"":                func(t *rapid.T) { m.check(t, l, compact) },
		}
		if !compact {
			ops["delete records"] = func(t *rapid.T) {
				if _, err := l.DeleteRecords(rapid.Int64Range(0, m.stable()).Draw(t, "before")); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Repeat(ops)
	})
}

func (m *txnModel) check(t *rapid.T, l *Log, compact bool) {
	b := l.Bounds()
	if want := max(m.stable(), b.LogStart); b.LastStable != want || b.LogEnd != m.end {
		t.Fatalf("%+v, want %d stable of %d", b, want, m.end)
	}
	from := rapid.Int64Range(b.LogStart, b.LastStable).Draw(t, "from")
	got, _ := visible(tb{t: t}, l, from, rapid.SampledFrom([]int{1, 300, 1 << 20}).Draw(t, "max bytes"))
	want := m.committed(from)
	if !compact {
		if !slices.Equal(got, want) {
			t.Fatalf("from %d: %+v, want %+v", from, got, want)
		}
		return
	}
	// Compaction takes records away, but none that is the last of its key, and
	// it adds none.
	missing := map[string]int64{}
	i := 0
	for _, w := range want {
		if i < len(got) && got[i] == w {
			delete(missing, w.key)
			i++
			continue
		}
		missing[w.key] = w.offset
	}
	if i < len(got) || len(missing) > 0 {
		t.Fatalf("from %d: %+v of %+v; last of their key were %v", from, got, want, slices.Collect(maps.Values(missing)))
	}
}
