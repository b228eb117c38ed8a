package mirror

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestPlace_Translate holds a place against the list of all records: nobody may
// skip a record by a translated offset, and near the end nobody reads one twice.
func TestPlace_Translate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type pair struct{ source, target int64 }
		var all []pair
		var p place
		source, target := rapid.Int64Range(0, 5).Draw(t, "source"), rapid.Int64Range(0, 5).Draw(t, "target")
		for range rapid.IntRange(1, 300).Draw(t, "records") {
			p.copied(source, target)
			all = append(all, pair{source, target})
			source += 1 + int64(rapid.SampledFrom([]int{0, 0, 0, 3}).Draw(t, "source gap"))
			target += 1 + int64(rapid.SampledFrom([]int{0, 0, 1}).Draw(t, "target gap"))
		}
		if len(p.Runs) > maxRuns || !p.valid() {
			t.Fatalf("%d runs, valid %v", len(p.Runs), p.valid())
		}
		end := all[len(all)-1]
		if _, ok := p.translate(end.source + 2); ok {
			t.Fatal("an offset was translated that isn't copied yet")
		}
		for at := int64(0); at <= end.source+1; at++ {
			exact := end.target + 1
			for i := len(all) - 1; i >= 0 && all[i].source >= at; i-- {
				exact = all[i].target
			}
			got, ok := p.translate(at)
			if !ok || got > exact {
				t.Fatalf("offset %d: %d %v, but the first record not read is at %d", at, got, ok, exact)
			}
			if p.Runs[len(p.Runs)-1].Source <= at && got < exact-1 {
				t.Fatalf("offset %d in the last run: %d, want %d", at, got, exact)
			}
		}
	})
}

func TestPlace_MadeAnew(t *testing.T) {
	var p place
	p.copied(0, 10)
	p.copied(1, 11)
	p.copied(2, 0)
	if want := (place{Next: 3, Runs: []run{{2, 0, 1}}}); !reflect.DeepEqual(p, want) {
		t.Errorf("after the target's topic was made anew: %+v, want %+v", p, want)
	}
}

func FuzzDecodePlace(f *testing.F) {
	key, value, err := encodePlace(partition{"t", 3}, &place{Next: 9, Runs: []run{{1, 2, 3}, {7, 9, 2}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key, value, int64(5))
	f.Add([]byte(`{}`), []byte(`{"next":-1}`), int64(0))
	f.Add([]byte(`{"topic":"t"}`), []byte(`{"next":5,"runs":[{"s":0,"t":0,"n":9}]}`), int64(3))
	f.Fuzz(func(t *testing.T, key, value []byte, at int64) {
		of, p, err := decodePlace(key, value)
		if err != nil {
			return
		}
		if target, ok := p.translate(at); ok && target < 0 {
			t.Errorf("%d is translated to %d", at, target)
		}
		k, v, err := encodePlace(of, p)
		if err != nil {
			t.Fatal(err)
		}
		of2, p2, err := decodePlace(k, v)
		if err != nil || of2 != of || p2.Next != p.Next || len(p2.Runs) != len(p.Runs) {
			t.Errorf("%+v %+v come back as %+v %+v, %v", of, p, of2, p2, err)
		}
	})
}
