package main

import (
	"io/fs"
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

func dataFS(t testing.TB) fs.FS {
	sub, err := fs.Sub(embedded, "data")
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// TestTopology sends the year through the topology and compares the outputs with
// an independent computation.
func TestTopology(t *testing.T) {
	t.Parallel()
	data, err := readDataset(dataFS(t))
	if err != nil {
		t.Fatal(err)
	}
	d := streamtest.New(t, topology)
	for _, f := range data {
		for _, r := range f.rows {
			fields, err := f.fields(r)
			if err != nil {
				t.Fatal(err)
			}
			value, err := f.value(fields)
			if err != nil {
				t.Fatal(err)
			}
			d.SendRaw(f.topic, f.keyOf(fields), value, time.UnixMilli(r.at))
		}
	}
	got := newResults()
	collect(t, d, got, carrierDays)
	collect(t, d, got, makers)
	collect(t, d, got, destZones)
	collect(t, d, got, rotations)
	collect(t, d, got, visibility)
	compare(t, got, expected(t, math.MaxInt))
	if n := d.Dropped("late"); n != 0 {
		t.Errorf("%d records were dropped as late", n)
	}
}

// collect applies what the driver has of a topic to the results.
func collect[K, V any](t *testing.T, d *streamtest.Driver, into *results, from topic.Topic[K, V]) {
	t.Helper()
	for _, r := range d.Records(from) {
		rec := &kgo.Record{Topic: from.Name()}
		var err error
		if rec.Key, err = from.Key().Append(nil, r.Key); err != nil {
			t.Fatal(err)
		}
		if !r.NoValue {
			if rec.Value, err = from.Value().Append(nil, r.Value); err != nil {
				t.Fatal(err)
			}
		}
		if err := into.apply(rec); err != nil {
			t.Fatal(err)
		}
	}
}
