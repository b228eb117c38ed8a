package dsl

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/serde"
	"pgregory.net/rapid"
)

var globalTP = record.TopicPartition{Topic: "g"}

func globalRecord(k string, v int64, ok bool) record.Record {
	r := record.Record{Key: []byte(k)}
	if ok {
		r.Value, _ = serde.Int64.Append(nil, v)
	}
	return r
}

func TestGlobalRows_AreAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGlobalRows(serde.String, serde.Int64)
		model := map[string]int64{}
		for range rapid.IntRange(1, 300).Draw(t, "records") {
			k := fmt.Sprint(rapid.IntRange(0, 150).Draw(t, "key"))
			v, ok := rapid.Int64().Draw(t, "value"), rapid.IntRange(0, 3).Draw(t, "deleted") > 0
			if err := g.Apply(globalTP, []record.Record{globalRecord(k, v, ok)}); err != nil {
				t.Fatal(err)
			}
			if delete(model, k); ok {
				model[k] = v
			}
		}
		if g.Len() != len(model) {
			t.Fatalf("%d rows, want %d", g.Len(), len(model))
		}
		for i := range 151 {
			k := fmt.Sprint(i)
			v, ok := value(g, k)
			if want, has := model[k]; v != want || ok != has {
				t.Fatalf("%s is %d, %t; want %d, %t", k, v, ok, want, has)
			}
		}
	})
}

// value is the value of a row.
func value(g *globalRows[string, int64], k string) (int64, bool) {
	if v := g.get([]byte(k)); v != nil {
		return v.v, true
	}
	return 0, false
}

// Readers see each row go on and never back, while the table grows under them.
func TestGlobalRows_ConcurrentReaders(t *testing.T) {
	const rows, rounds = 300, 20
	g := newGlobalRows(serde.String, serde.Int64)
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			last := map[string]int64{}
			for !done.Load() {
				for i := range rows {
					k := fmt.Sprint(i)
					v, ok := value(g, k)
					if before, had := last[k]; had && (!ok || v < before) {
						t.Errorf("%s was %d and is %d, %t", k, before, v, ok)
						return
					}
					if ok {
						last[k] = v
					}
				}
			}
		})
	}
	for round := range rounds {
		var recs []record.Record
		for i := range rows {
			recs = append(recs, globalRecord(fmt.Sprint(i), int64(round), true))
		}
		if err := g.Apply(globalTP, recs); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	wg.Wait()
	if g.Len() != rows {
		t.Errorf("%d rows, want %d", g.Len(), rows)
	}
}

// A record that can't be decoded is told of; the others are applied.
func TestGlobalRows_Undecodable(t *testing.T) {
	g := newGlobalRows(serde.String, serde.Int64)
	bad := record.Record{Key: []byte("b"), Value: []byte("?"), Offset: 7}
	err := g.Apply(globalTP, []record.Record{globalRecord("a", 1, true), bad, globalRecord("c", 3, true), {Value: []byte("no key")}})
	var f *task.Failure
	if !errors.As(err, &f) || f.Offset != 7 || f.Topic != "g" || f.Kind != task.FailedDecode || f.Task.Sub != -1 {
		t.Errorf("got %v", err)
	}
	if g.Len() != 2 {
		t.Errorf("%d rows, want 2", g.Len())
	}
}
