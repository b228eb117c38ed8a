package share

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a share partition as a table of single records: what it should be,
// in the plainest words.
type model struct {
	limits  Limits
	records map[int64]*modelRecord
	now     time.Time
}

type modelRecord struct {
	state State
	count int16
	owner string
	until time.Time
}

func (m *model) of(o int64) *modelRecord {
	r := m.records[o]
	if r == nil {
		r = &modelRecord{}
		m.records[o] = r
	}
	return r
}

// check compares a partition with the model.
func (m *model) check(t *rapid.T, p *Partition) {
	t.Helper()
	next := p.start
	for i, s := range p.spans {
		if s.first != next || s.last < s.first {
			t.Fatalf("span %d is %d-%d, want it to begin at %d", i, s.first, s.last, next)
		}
		next = s.last + 1
		for o := s.first; o <= s.last; o++ {
			r := m.of(o)
			if s.state != r.state || s.count != r.count || s.owner != r.owner || !s.until.Equal(r.until) {
				t.Fatalf("offset %d: %+v, want %+v", o, s, *r)
			}
		}
	}
	if next != p.end {
		t.Fatalf("the spans end at %d, the partition at %d", next, p.end)
	}
	if len(p.spans) > 0 && p.spans[0].state.final() {
		t.Fatalf("the start %d is done", p.start)
	}
	for o, r := range m.records {
		if o < p.start && !r.state.final() {
			t.Fatalf("the start passed offset %d, which is %+v", o, *r)
		}
		if o >= p.end && *r != (modelRecord{}) {
			t.Fatalf("offset %d is beyond the end, and %+v", o, *r)
		}
	}
}

// replayed compares a partition with what its stored changes give.
func replayed(t *rapid.T, p, q *Partition) {
	t.Helper()
	if p.start != q.start || !slices.Equal(p.stored(), q.stored()) {
		t.Fatalf("replayed: start %d, %+v, want start %d, %+v", q.start, q.stored(), p.start, p.stored())
	}
}

var members = []string{"a", "b", "c"}

// Every record goes to one member at a time, until one has accepted or rejected
// it or it was delivered too often; and the stored changes replay to the same.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			limits:  Limits{Records: rapid.IntRange(1, 40).Draw(t, "max"), Deliveries: int16(rapid.IntRange(2, 6).Draw(t, "deliveries")), Lock: 10 * time.Second, Renewal: true},
			records: map[int64]*modelRecord{}, now: time.Unix(1000, 0),
		}
		start := rapid.Int64Range(0, 5).Draw(t, "start")
		p, stored := New(start), New(start)
		keep := func(c Change) {
			b := Stored{Change: c}
			rec := b.Encode()
			s, ok, err := Decode(rec)
			if !ok || err != nil {
				t.Fatalf("decode: %t, %v", ok, err)
			}
			stored.Replay(s.Change)
		}
		t.Repeat(map[string]func(*rapid.T){
			"acquire":     func(t *rapid.T) { keep(m.acquire(t, p)) },
			"acknowledge": func(t *rapid.T) { keep(m.acknowledge(t, p)) },
			"expire": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(0, 12).Draw(t, "s")) * time.Second)
				keep(p.Expire(m.now, m.limits))
				m.takeBack(func(r *modelRecord) bool { return !r.until.After(m.now) })
			},
			"release": func(t *rapid.T) {
				who := rapid.SampledFrom(members).Draw(t, "member")
				keep(p.ReleaseAll(who, m.limits))
				m.takeBack(func(r *modelRecord) bool { return r.owner == who })
			},
			"advance": func(t *rapid.T) {
				to := p.start + rapid.Int64Range(-2, 5).Draw(t, "by")
				keep(p.Advance(to))
				for o := range to {
					*m.of(o) = modelRecord{state: Archived}
				}
			},
			"restart": func(t *rapid.T) {
				p = Load(p.start, p.Snapshot())
				for o, r := range m.records {
					if r.state == Acquired {
						*r = modelRecord{count: r.count - 1}
					}
					if o >= p.end {
						delete(m.records, o)
					}
				}
			},
			"": func(t *rapid.T) { m.check(t, p); replayed(t, p, stored) },
		})
	})
}

func (m *model) takeBack(which func(*modelRecord) bool) {
	for _, r := range m.records {
		if r.state == Acquired && which(r) {
			if r.state = Available; r.count >= m.limits.Deliveries {
				r.state = Archived
			}
			r.owner, r.until = "", time.Time{}
		}
	}
}

func (m *model) acquire(t *rapid.T, p *Partition) Change {
	r := Request{
		Member: rapid.SampledFrom(members).Draw(t, "member"), Mode: Mode(rapid.IntRange(0, 1).Draw(t, "mode")),
		Records: rapid.IntRange(1, 12).Draw(t, "records"), BatchSize: rapid.IntRange(0, 5).Draw(t, "batch size"),
	}
	var ok bool
	if r.Offset, ok = p.Next(m.limits); !ok {
		return Change{Start: -1}
	}
	at := r.Offset - rapid.Int64Range(-3, 3).Draw(t, "base")
	for range rapid.IntRange(1, 3).Draw(t, "batches") {
		last := at + rapid.Int64Range(0, 6).Draw(t, "size")
		if last >= r.Offset {
			r.Batches = append(r.Batches, Range{max(at, 0), last})
			if rapid.IntRange(0, 5).Draw(t, "aborted") == 0 {
				r.Aborted = append(r.Aborted, r.Batches[len(r.Batches)-1])
			}
		}
		at = last + 1 + rapid.Int64Range(0, 2).Draw(t, "gap")
	}
	if len(r.Batches) == 0 {
		return Change{Start: -1}
	}
	before := p.Clone()
	got, c := p.Acquire(m.now, m.limits, &r)
	m.deliver(t, before, p, &r, got)
	return c
}

// deliver checks what was acquired, and does it in the model.
func (m *model) deliver(t *rapid.T, before, p *Partition, r *Request, got []Delivery) {
	// What isn't in the log any more is done with.
	for o := r.Offset; o < r.Batches[0].First; o++ {
		if s := m.of(o); s.state == Available {
			s.state = Archived
		}
	}
	total, last := 0, int64(-1)
	for _, d := range got {
		if d.First <= last || d.Last < d.First {
			t.Fatalf("deliveries %v", got)
		}
		last = d.Last
		for o := d.First; o <= d.Last; o++ {
			total++
			s := m.of(o)
			if s.state != Available {
				t.Fatalf("%s was given offset %d, which is %+v", r.Member, o, *s)
			}
			s.state, s.owner, s.until = Acquired, r.Member, m.now.Add(m.limits.Lock)
			if s.count++; s.count != d.Count || s.count > m.limits.Deliveries {
				t.Fatalf("offset %d is delivered for the %d. time, and says %d.", o, s.count, d.Count)
			}
		}
	}
	if r.Mode == RecordLimit && total > r.Records {
		t.Fatalf("%d records of %d", total, r.Records)
	}
	for _, a := range r.Aborted {
		for o := max(a.First, r.Offset); o <= min(a.Last, p.end-1); o++ {
			if s := m.of(o); s.state == Acquired && s.owner == r.Member && s.until.Equal(m.now.Add(m.limits.Lock)) && slices.ContainsFunc(got, func(d Delivery) bool { return d.First <= o && o <= d.Last }) {
				t.Fatalf("offset %d of an aborted transaction was delivered", o)
			}
			if st := p.stateOf(o); st == Archived || o < p.start {
				if s := m.of(o); s.state == Available {
					s.state = Archived
				}
			}
		}
	}
	if len(got) == 0 && len(r.Aborted) == 0 && r.Batches[0].First <= r.Offset && p.end == before.end && p.start == before.start {
		t.Fatalf("nothing was acquired at %d of %v (%+v)", r.Offset, r.Batches, before)
	}
}

func (p *Partition) stateOf(o int64) State {
	if i := p.at(o); i < len(p.spans) && p.spans[i].first <= o {
		return p.spans[i].state
	}
	return Available
}

func (m *model) acknowledge(t *rapid.T, p *Partition) Change {
	who := rapid.SampledFrom(members).Draw(t, "member")
	var acks []Acknowledgement
	want := error(nil)
	at := p.start + rapid.Int64Range(-2, 10).Draw(t, "first")
	say := map[int64]Type{}
	for range rapid.IntRange(1, 3).Draw(t, "acks") {
		a := Acknowledgement{Range: Range{max(at, 0), max(at, 0) + rapid.Int64Range(0, 8).Draw(t, "size")}}
		for range rapid.SampledFrom([]int64{1, a.Last - a.First + 1}).Draw(t, "types") {
			a.Types = append(a.Types, Type(rapid.IntRange(0, 4).Draw(t, "type")))
		}
		for o := a.First; o <= a.Last; o++ {
			say[o] = a.Types[min(int(o-a.First), len(a.Types)-1)]
			if o < p.start {
				delete(say, o)
			} else if r := m.of(o); r.state != Acquired || r.owner != who {
				want = ErrState
			}
		}
		acks = append(acks, a)
		at = a.Last + 1 + rapid.Int64Range(0, 2).Draw(t, "gap")
	}
	c, err := p.Acknowledge(m.now, m.limits, who, acks)
	if (err == nil) != (want == nil) {
		t.Fatalf("%s acknowledges %v: %v, want %v", who, acks, err, want)
	}
	if err != nil {
		if !c.Empty() {
			t.Fatalf("a failed acknowledgement changed %+v", c)
		}
		return c
	}
	for o, kind := range say {
		r := m.of(o)
		if kind == Renew {
			r.until = m.now.Add(m.limits.Lock)
			continue
		}
		r.owner, r.until = "", time.Time{}
		switch {
		case kind == Accept:
			r.state = Acknowledged
		case kind == Release && r.count < m.limits.Deliveries:
			r.state = Available
		default:
			r.state = Archived
		}
	}
	return c
}

// Members that take and give back whatever comes end up with every record done:
// none is forgotten.
func TestEveryRecordIsDelivered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Limits{Records: rapid.IntRange(1, 20).Draw(t, "max"), Deliveries: 5, Lock: time.Second, Renewal: true}
		p := New(0)
		const end = 60
		now := time.Unix(0, 0)
		seen := map[int64]int{}
		for round := 0; p.Start() < end; round++ {
			if round > 10_000 {
				t.Fatalf("stuck at %d: %+v", p.Start(), p.spans)
			}
			now = now.Add(time.Millisecond)
			at, ok := p.Next(l)
			if !ok || at >= end {
				now = now.Add(l.Lock)
				p.Expire(now, l)
				continue
			}
			base := at / 10 * 10
			got, _ := p.Acquire(now, l, &Request{Member: "m", Records: 7, Mode: Mode(round % 2), Offset: at, Batches: []Range{{base, base + 9}}})
			for _, d := range got {
				for o := d.First; o <= d.Last; o++ {
					seen[o]++
				}
				kind := Type(rapid.IntRange(1, 4).Draw(t, "type"))
				if _, err := p.Acknowledge(now, l, "m", []Acknowledgement{{d.Range, []Type{kind}}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for o := range int64(end) {
			if seen[o] < 1 || seen[o] > 5 {
				t.Fatalf("offset %d was delivered %d times", o, seen[o])
			}
		}
	})
}

func TestAcknowledge_Errors(t *testing.T) {
	l := Limits{Records: 100, Deliveries: 5, Lock: time.Second}
	p := New(10)
	one := func(first, last int64, types ...Type) []Acknowledgement {
		return []Acknowledgement{{Range{first, last}, types}}
	}
	if _, err := p.Acknowledge(time.Time{}, l, "m", one(10, 10, Accept)); !errors.Is(err, ErrState) {
		t.Errorf("before anything was acquired: %v", err)
	}
	p.Acquire(time.Time{}, l, &Request{Member: "m", Records: 5, Offset: 10, Batches: []Range{{10, 19}}})
	for _, x := range []struct {
		member string
		acks   []Acknowledgement
		want   error
	}{
		{"m", one(15, 20, Accept), ErrRange},
		{"m", one(10, 10, 5), ErrType},
		{"m", one(10, 10, Renew), ErrRenewal},
		{"m", one(10, 10), ErrType},
		{"n", one(10, 19, Accept), ErrState},
		{"m", one(2, 5, Accept), nil}, // gone
		{"m", one(5, 12, Accept), nil},
		{"m", one(11, 14, Accept), nil}, // what is left of it
		{"m", one(15, 19, Release), nil},
		{"m", one(15, 19, Accept), ErrState},
	} {
		if _, err := p.Acknowledge(time.Time{}, l, x.member, x.acks); !errors.Is(err, x.want) {
			t.Errorf("%s says %v: %v, want %v", x.member, x.acks, err, x.want)
		}
	}
}

// A record that fails again and again is delivered alone on its last attempt.
func TestLastAttemptIsAlone(t *testing.T) {
	l := Limits{Records: 100, Deliveries: 5, Lock: time.Second}
	p := New(0)
	var sizes []string
	for range 12 {
		got, _ := p.Acquire(time.Time{}, l, &Request{Member: "m", Records: 100, Offset: 0, Batches: []Range{{0, 7}}})
		for _, d := range got {
			sizes = append(sizes, fmt.Sprintf("%d-%d:%d", d.First, d.Last, d.Count))
			p.Acknowledge(time.Time{}, l, "m", []Acknowledgement{{d.Range, []Type{Release}}})
		}
	}
	if want := "[0-7:1 0-7:2 0-7:3 0-3:4 0-0:5 1-1:5 2-2:5 3-3:5 4-7:4 4-4:5 5-5:5 6-6:5]"; fmt.Sprint(sizes) != want {
		t.Errorf("%v, want %s", sizes, want)
	}
}

func FuzzDecode(f *testing.F) {
	s := Stored{Key: Key{Group: "g", Partition: 3}, Snapshot: true, Done: 2, Change: Change{Start: 5, Batches: []Batch{{Range{5, 9}, Archived, 2}, {Range{12, 12}, Available, 1}}}}
	r := s.Encode()
	f.Add(r.Key, r.Value)
	s.Snapshot, s.Done = false, noCount
	r = s.Encode()
	f.Add(r.Key, r.Value)
	f.Add(r.Key, []byte(nil))
	f.Add([]byte{0, 1, 0x7f, 0xff}, []byte{0, 0, 1})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		s, ok, err := Decode(Record{key, value})
		if err != nil || !ok {
			if err != nil && !errors.Is(err, ErrRecord) {
				t.Fatal(err)
			}
			return
		}
		p := Load(max(s.Start, 0), s.Batches)
		if p.start > p.end || len(p.spans) > 2*len(s.Batches)+1 {
			t.Fatalf("%+v", p)
		}
		again, ok, err := Decode(s.Encode())
		if err != nil || !ok || again.Key != s.Key || !slices.Equal(again.Batches, s.Batches) {
			t.Fatalf("%+v, then %+v (%v)", s, again, err)
		}
	})
}
