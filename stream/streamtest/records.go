package streamtest

import (
	"time"

	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
)

// Record is a record that the topology wrote.
type Record[K, V any] struct {
	Key     K
	Value   V
	Time    time.Time
	Headers []stream.Header
	NoKey   bool // it has no key
	NoValue bool // it is a tombstone
}

// Records returns the records that were written to a topic since the last
// Records or Read of it, in order.
func (d *Driver) Records[K, V any](from topic.Topic[K, V]) []Record[K, V] {
	d.t.Helper()
	l := d.log(from.Name())
	var recs []Record[K, V]
	for ; l.read < len(l.recs); l.read++ {
		raw := &l.recs[l.read]
		r := Record[K, V]{
			Time: time.UnixMilli(raw.Time).UTC(), Headers: raw.Headers,
			NoKey: raw.Key == nil, NoValue: raw.Value == nil,
		}
		var err error
		if !r.NoKey {
			if r.Key, err = from.Key().Decode(raw.Key); err != nil {
				d.t.Fatalf("streamtest: decode the key of record %d of %s: %v", l.read, from, err)
			}
		}
		if !r.NoValue {
			if r.Value, err = from.Value().Decode(raw.Value); err != nil {
				d.t.Fatalf("streamtest: decode the value of record %d of %s: %v", l.read, from, err)
			}
		}
		recs = append(recs, r)
	}
	return recs
}
