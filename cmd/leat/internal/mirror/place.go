package mirror

import (
	"encoding/json"
	"fmt"
	"slices"
)

// place is how far a partition was copied, and where its records went.
type place struct {
	// Next is the source's offset of the record to copy next.
	Next int64 `json:"next"`
	// Runs say where records went, in the order of their offsets. The first is
	// always that with which the copy began.
	Runs []run `json:"runs,omitempty"`
	// Mark is for records that don't keep a place.
	Mark string `json:"mark,omitempty"`
}

// run is records that follow each other on both sides: the one with offset
// Source+i at the source has Target+i at the target, for i below Count.
type run struct {
	Source int64 `json:"s"`
	Target int64 `json:"t"`
	Count  int64 `json:"n"`
}

// maxRuns is how many runs of a partition are kept. Each transaction makes one,
// as its marker takes an offset at the target.
const maxRuns = 64

// copied notes that a record was copied.
func (p *place) copied(source, target int64) {
	p.Next = source + 1
	if n := len(p.Runs); n > 0 {
		last := &p.Runs[n-1]
		if last.Source+last.Count == source && last.Target+last.Count == target {
			last.Count++
			return
		}
		if target < last.Target+last.Count || source < last.Source+last.Count {
			p.Runs = nil // the topic was made anew on one of the sides
		}
	}
	p.Runs = append(p.Runs, run{source, target, 1})
	if len(p.Runs) > maxRuns {
		p.thin()
	}
}

// thin leaves out every second of the older runs but the first. As that happens
// again and again, there are the fewer runs the older they are.
func (p *place) thin() {
	kept := p.Runs[:1]
	for i, r := range p.Runs[1:] {
		if i%2 == 1 || i >= maxRuns/2 {
			kept = append(kept, r)
		}
	}
	p.Runs = kept
}

// passed notes that the source's offset was read, and had nothing to copy.
func (p *place) passed(source int64) { p.Next = max(p.Next, source+1) }

// translate gives the target's offset for one of the source's: that of the first
// record which a reader who has come to the source's offset hasn't read. Where
// that isn't known any more it gives an earlier one, never a later. It can't tell
// (ok is false) before the offset was reached.
func (p *place) translate(source int64) (target int64, ok bool) {
	if source > p.Next || len(p.Runs) == 0 {
		return 0, false
	}
	after, _ := slices.BinarySearchFunc(p.Runs, source, func(r run, at int64) int {
		if r.Source <= at {
			return -1
		}
		return 1
	})
	if after == 0 {
		return p.Runs[0].Target, true // before all that was copied
	}
	r := p.Runs[after-1]
	return r.Target + min(source-r.Source, r.Count), true
}

// clone is a copy that doesn't change with p.
func (p *place) clone() *place {
	return &place{Next: p.Next, Runs: slices.Clone(p.Runs)}
}

// partition is a partition of a topic of the source.
type partition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

func (p partition) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.Partition) }

// encodePlace gives the record that keeps a place.
func encodePlace(of partition, p *place) (key, value []byte, err error) {
	if key, err = json.Marshal(of); err != nil {
		return nil, nil, err
	}
	value, err = json.Marshal(p)
	return key, value, err
}

// decodePlace reads what encodePlace wrote.
func decodePlace(key, value []byte) (of partition, p *place, err error) {
	p = new(place)
	if err = json.Unmarshal(key, &of); err == nil {
		err = json.Unmarshal(value, p)
	}
	if err == nil && !p.valid() {
		err = fmt.Errorf("the runs of %v are not in order", of)
	}
	return of, p, err
}

// valid reports whether the runs are in order, as translate needs them.
func (p *place) valid() bool {
	last := run{Source: -1, Target: -1, Count: 1}
	for _, r := range p.Runs {
		if r.Count < 1 || r.Source < last.Source+last.Count || r.Target < last.Target+last.Count {
			return false
		}
		last = r
	}
	return p.Next >= last.Source+last.Count
}
