package txn

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
)

// What always holds, whatever producers do, when the markers get written and
// when the coordinator starts again.
func TestRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(nil)
		var known []Producer // all that were ever handed out
		decided := map[Producer]batch.Outcome{}
		someone := func() *Producer {
			if len(known) == 0 {
				return nil
			}
			return &known[rapid.IntRange(max(0, len(known)-4), len(known)-1).Draw(t, "who")]
		}
		handed := func(step Step) {
			if step.Code == 0 && step.ProducerID >= 0 {
				known = append(known, Producer{step.ProducerID, step.Epoch})
			}
		}
		// A client speaks one protocol or the other.
		v := rapid.SampledFrom([]partition.TxnVersion{v1, v2}).Draw(t, "version")
		t.Repeat(map[string]func(*rapid.T){
			"init": func(t *rapid.T) {
				var was *Producer
				if rapid.Bool().Draw(t, "goes on") {
					was = someone()
				}
				handed(s.init(was))
			},
			"add": func(t *rapid.T) {
				if p := someone(); p != nil {
					s.add(*p, v, Partition{"t", rapid.Int32Range(0, 2).Draw(t, "partition")})
				}
			},
			"end": func(t *rapid.T) {
				p := someone()
				if p == nil {
					return
				}
				o := rapid.SampledFrom([]batch.Outcome{batch.Commit, batch.Abort}).Draw(t, "outcome")
				step := s.end(*p, o, v)
				handed(step)
				if step.Code != 0 || v == v1 {
					return
				}
				// A producer that is told of one outcome is never told of the other.
				if before, ok := decided[*p]; ok && before != o {
					t.Fatalf("%+v has %s, and had %s", *p, o, before)
				}
				decided[*p] = o
			},
			"markers": func(*rapid.T) { s.complete() },
			"pass": func(t *rapid.T) {
				s.now = s.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
				for _, step := range s.m.TimeOut(s.now) {
					s.apply(step)
				}
			},
			"restart": func(t *rapid.T) {
				before := s.m
				s.restart()
				for _, a := range before.All() {
					b := s.m.Find(a.ID)
					want := *a
					want.LastEpoch = noEpoch // the one thing that isn't stored
					if !reflect.DeepEqual(*b, want) {
						t.Fatalf("%+v is %+v after the restart", want, *b)
					}
				}
			},
			"": func(t *rapid.T) { check(t, s.m.Find("x"), known) },
		})
	})
}

func check(t *rapid.T, x *Txn, known []Producer) {
	if x == nil {
		return
	}
	if x.State.resting() && (len(x.Partitions) > 0 || x.NextProducerID != none) {
		t.Fatalf("nothing is open in %+v", *x)
	}
	if x.State == Ongoing && (len(x.Partitions) == 0 || x.StartedAt < 0) {
		t.Fatalf("%+v", *x)
	}
	// The one who may write is the last that was let in, or nobody is.
	for _, p := range known[:max(0, len(known)-1)] {
		if last := known[len(known)-1]; x.State == Ongoing && p != last && p.ID == x.ProducerID && p.Epoch == x.Epoch {
			t.Fatalf("%+v has a transaction, though %+v came after it: %+v", p, last, *x)
		}
	}
}

func FuzzRestore(f *testing.F) {
	s := newStory(f)
	me := Producer{s.init(nil).ProducerID, 0}
	s.add(me, v2, p0, p1)
	s.end(me, batch.Commit, v2)
	for _, r := range s.log {
		f.Add(r.Key, r.Value)
	}
	f.Add(key("x"), []byte(nil))
	f.Add([]byte{0, 9}, []byte("x"))
	f.Add([]byte{0}, []byte{})
	f.Fuzz(func(t *testing.T, k, v []byte) {
		m := New(s.cfg)
		if err := m.Restore(Record{k, v}); err != nil {
			return
		}
		// What was understood is understood again.
		for _, a := range m.All() {
			again := New(s.cfg)
			r := a.record()
			if err := again.Restore(r); err != nil || !reflect.DeepEqual(again.Find(a.ID), a) {
				t.Errorf("%+v becomes %+v, %v", a, again.Find(a.ID), err)
			}
		}
	})
}
