package task

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/internal/record"
)

// written is a partition that several tasks write to, in whatever order their
// records get there.
type written struct {
	recs      []record.Record
	perWriter map[int][]int64 // offsets
	// moved says that writers caught up and fell behind again, as when their tasks
	// move: the order between them is not kept then.
	moved bool
}

// drawWritten makes writers with records of their own times, some late, and mixes
// them at random.
func drawWritten(t *rapid.T) (w written, peers []ID) {
	w.perWriter = map[int][]int64{}
	type writer struct{ now int64 }
	writers := make([]writer, rapid.IntRange(1, 4).Draw(t, "writers"))
	for i := range writers {
		peers = append(peers, ID{0, int32(i)})
	}
	add := func(r record.Record) {
		r.Offset = int64(len(w.recs))
		w.recs = append(w.recs, r)
	}
	tell := func(i int, live bool) {
		p := Progress{ID: peers[i], Live: live, Time: writers[i].now}
		add(record.Record{Headers: []record.Header{{Key: HeaderProgress, Value: p.encode()}}})
	}
	w.moved = rapid.Bool().Draw(t, "writers move")
	for range rapid.IntRange(0, 200).Draw(t, "steps") {
		i := rapid.IntRange(0, len(writers)-1).Draw(t, "writer")
		s := &writers[i]
		if rapid.IntRange(0, 4).Draw(t, "tells") == 0 {
			tell(i, w.moved && rapid.Bool().Draw(t, "live"))
			continue
		}
		at := s.now + rapid.Int64Range(-20, 50).Draw(t, "time")
		at = max(at, 0)
		s.now = max(s.now, at)
		r := record.Record{Key: []byte{byte(i)}, Value: []byte{1}, Time: at}
		if at != s.now {
			task := &Task{streamTime: s.now, teller: newTeller(map[string]int32{"r": 1})}
			o := Outgoing{Topic: "r", Time: at}
			task.stampOutgoing(&o)
			r.Headers = o.Headers
		}
		w.perWriter[i] = append(w.perWriter[i], int64(len(w.recs)))
		add(r)
	}
	for i := range writers {
		tell(i, true)
	}
	return w, peers
}

// reader is an input that takes what it may, a few records at a time.
type reader struct {
	in    *input
	flow  *Flow
	taken []int64
}

func newReader(peers []ID, limit int64) *reader {
	flow := NewFlow(limit, []string{"r"})
	return &reader{in: &input{tp: record.TopicPartition{Topic: "r"}, order: newOrder("r", peers, flow, 0)}, flow: flow}
}

func (r *reader) add(recs []record.Record) {
	recs = r.in.arrange(slices.Clone(recs), 0, 0)
	if len(recs) > 0 {
		r.in.chunks = append(r.in.chunks, chunk{recs: recs})
		r.in.count += len(recs)
	}
}

func (r *reader) take(limit int) {
	for n := 0; n < limit && r.in.ready(); n++ {
		r.taken = append(r.taken, r.in.head().Offset)
		r.in.pop()
	}
}

// checkReached fails if a record that is still to come has its place before what the
// reader says has been reached.
func (r *reader) checkReached(t *rapid.T, w written) {
	if !r.in.exhausted() || w.moved {
		return
	}
	reached := r.in.order.reached()
	if waits := r.in.order.waits; waits != never {
		reached = max(reached, waits)
	}
	for _, rec := range w.recs {
		if _, told := progressOf(&rec); told || slices.Contains(r.taken, rec.Offset) {
			continue
		}
		if at := effective(rec); at < reached {
			t.Fatalf("record %d of stream time %d is to come, but %d was reached", rec.Offset, at, reached)
		}
	}
}

// effective is the stream time at which a record was written.
func effective(r record.Record) int64 {
	return writtenAt(&r)
}

// Every record is taken once, each writer's in its own order, and none before a
// record of another that was written at an earlier stream time, nor is time said to
// have come further than that of a record still to come, though the reader is stopped and goes on elsewhere from what it committed.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, peers := drawWritten(t)
		r := newReader(peers, math.MaxInt64)
		at, start := int64(0), int64(0)
		for at < int64(len(w.recs)) {
			n := rapid.Int64Range(1, 20).Draw(t, "fetched")
			end := min(at+n, int64(len(w.recs)))
			r.add(w.recs[at:end])
			at = end
			r.take(rapid.IntRange(0, 20).Draw(t, "limit"))
			r.checkReached(t, w)
			if rapid.IntRange(0, 5).Draw(t, "moves") == 0 {
				next, queued := start, int64(never)
				if r.in.order.seen > 0 {
					next = r.in.order.first()
				}
				if len(r.in.chunks) > 0 {
					next = r.in.head().Offset
					queued = next
				}
				meta := r.in.order.metadata(queued)
				taken := r.taken
				r = newReader(peers, math.MaxInt64)
				r.taken = taken
				r.in.order.recall(timesVersion+meta, 0)
				at, start = next, next
				r.checkReached(t, w)
			}
		}
		r.take(math.MaxInt)
		checkTaken(t, w, r.taken)
	})
}

func checkTaken(t *rapid.T, w written, taken []int64) {
	perWriter := map[int][]int64{}
	high := int64(-1)
	for _, offset := range taken {
		rec := w.recs[offset]
		perWriter[int(rec.Key[0])] = append(perWriter[int(rec.Key[0])], offset)
		if at := effective(rec); at < high && !w.moved {
			t.Fatalf("record %d of stream time %d was taken after one of %d", offset, at, high)
		} else {
			high = at
		}
	}
	if got, want := fmt.Sprint(perWriter), fmt.Sprint(w.perWriter); got != want {
		t.Fatalf("taken %v, want %v", got, want)
	}
}

// What can't be held is let go: nothing is stuck, and nothing lost.
func TestOrder_Full(t *testing.T) {
	peers := []ID{{0, 0}, {0, 1}}
	r := newReader(peers, 10*112)
	for i := range int64(100) {
		r.add([]record.Record{{Key: []byte{0}, Value: []byte{1}, Time: i, Offset: i}})
		r.take(10)
	}
	if n := len(r.taken); n < 80 || !slices.IsSorted(r.taken) {
		t.Errorf("%d records taken: %v", n, r.taken)
	}
	if r.flow.OutOfOrder() != int64(len(r.taken)) {
		t.Errorf("%d counted as out of order, of %d", r.flow.OutOfOrder(), len(r.taken))
	}
}

// A writer that is never heard of is not waited for for ever.
func TestOrder_Forget(t *testing.T) {
	r := newReader([]ID{{0, 0}, {0, 1}}, math.MaxInt64)
	r.add([]record.Record{{Key: []byte{0}, Value: []byte{1}, Time: 5}})
	if r.take(1); len(r.taken) != 0 {
		t.Fatal("it didn't wait")
	}
	if _, lost := r.in.order.forget(unheardWait.Milliseconds()); lost {
		t.Error("it gave up too early")
	}
	if _, lost := r.in.order.forget(unheardWait.Milliseconds() + 1); !lost {
		t.Error("it didn't give up")
	}
	if r.take(1); len(r.taken) != 1 {
		t.Error("it still waits")
	}
}

// FuzzProgress reads arbitrary bytes as what a task tells of itself, and as the
// metadata of a commit.
func FuzzProgress(f *testing.F) {
	f.Add(Progress{ID: ID{3, 7}, Live: true, Time: 12345}.encode(), "leat1 o=a.b.c p=0.1.z,1.2.-1")
	f.Add([]byte{1}, "leat1 p=")
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, value []byte, metadata string) {
		p, is := progressOf(&record.Record{Headers: []record.Header{{Key: HeaderProgress, Value: value}}})
		if !is {
			t.Error("it is taken for a record of the user's")
		}
		if p.ID.Sub >= 0 {
			again, _ := progressOf(&record.Record{Headers: []record.Header{{Key: HeaderProgress, Value: p.encode()}}})
			if again != p {
				t.Errorf("%+v became %+v", p, again)
			}
		}
		o := newOrder("r", []ID{{0, 1}, {1, 2}}, NewFlow(1, nil), 0)
		o.recall(metadata, 0)
		o.recall(timesVersion+o.metadata(never), 0)
	})
}
