package integration

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/window"
)

// result is what is on the shop's output topics.
type result struct {
	doubled map[string]int              // how often each record is there
	tables  map[string]map[string]int64 // by topic: the last value of each key
}

// want is what must have come out of all the traffic so far.
func (f *traffic) want() result {
	return result{maps.Clone(f.doubled), map[string]map[string]int64{
		"out-kinds": maps.Clone(f.kinds), "out-cities": maps.Clone(f.cities),
		"out-minutes": f.minutes(), "out-visits": f.visits(), "out-paid": f.paid(), "out-offers": f.offers(),
	}}
}

var windowed = window.KeySerde(serde.String)

func windowedKey(user string, start, end int64) string {
	k, err := windowed.Append(nil, window.Key[string]{Key: user, Span: window.Span{StartMS: start, EndMS: end}})
	if err != nil {
		panic(err) // no string is refused
	}
	return string(k)
}

func (f *traffic) minutes() map[string]int64 {
	out := map[string]int64{}
	for _, o := range f.orders {
		start := o.at.Truncate(time.Minute).UnixMilli()
		out[windowedKey(o.user, start, start+60_000)] += amountOf(o.n)
	}
	return out
}

func (f *traffic) visits() map[string]int64 {
	type visit struct{ start, end, n int64 }
	out := map[string]int64{}
	open := map[string]visit{}
	for _, o := range f.orders {
		at := o.at.UnixMilli()
		v, ok := open[o.user]
		if ok && at-v.end > visitGap.Milliseconds() {
			out[windowedKey(o.user, v.start, v.end)] = v.n
			ok = false
		}
		if !ok {
			v = visit{start: at}
		}
		v.end, v.n = at, v.n+1
		open[o.user] = v
	}
	for user, v := range open {
		out[windowedKey(user, v.start, v.end)] = v.n
	}
	return out
}

func (f *traffic) paid() map[string]int64 {
	out := map[string]int64{}
	for _, o := range f.orders {
		for _, p := range f.pays {
			if p.user == o.user && p.at.Sub(o.at).Abs() <= payReach {
				out[o.user]++
			}
		}
	}
	return out
}

func (f *traffic) offers() map[string]int64 {
	out := map[string]int64{}
	for user, city := range f.users {
		plan, ok := f.plans[user]
		if !ok {
			plan = "none"
		}
		out[offerOf(city, plan)]++
	}
	return out
}

// diff is how got differs from what it should be, "" if it doesn't.
func (r result) diff(got result) string {
	var lines []string
	for _, k := range keysOf(r.doubled, got.doubled) {
		if r.doubled[k] != got.doubled[k] {
			lines = append(lines, fmt.Sprintf("out-doubled: %q is there %d times, not %d", k, got.doubled[k], r.doubled[k]))
		}
	}
	for _, topic := range shopOutputs[1:] {
		want, have := r.tables[topic], got.tables[topic]
		for _, k := range keysOf(want, have) {
			if want[k] != have[k] { // a group without rows may be 0 or not there
				lines = append(lines, fmt.Sprintf("%s: %s is %d, not %d", topic, readable(topic, k), have[k], want[k]))
			}
		}
	}
	if more := len(lines) - 20; more > 0 {
		lines = append(lines[:20], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

func keysOf[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

func readable(topic, key string) string {
	if topic == "out-minutes" || topic == "out-visits" {
		if k, err := windowed.Decode([]byte(key)); err == nil {
			return k.String()
		}
	}
	return fmt.Sprintf("%q", key)
}

// take adds a record of an output topic.
func (r *result) take(topic string, key, value []byte) error {
	if value == nil {
		delete(r.tables[topic], string(key))
		return nil
	}
	if len(value) != 8 {
		return fmt.Errorf("%s: a value of %d bytes", topic, len(value))
	}
	n := int64(binary.BigEndian.Uint64(value))
	if topic == "out-doubled" {
		r.doubled[fmt.Sprint(string(key), " ", n)]++
		return nil
	}
	if r.tables[topic] == nil {
		r.tables[topic] = map[string]int64{}
	}
	r.tables[topic][string(key)] = n
	return nil
}

// lacks is what got has less of than it should, "" if nothing. It leaves out
// the offers, which count down as well as up.
func (r result) lacks(got result) string {
	var lines []string
	for k, n := range r.doubled {
		if got.doubled[k] < n {
			lines = append(lines, fmt.Sprintf("out-doubled: %q is there %d times, not %d", k, got.doubled[k], n))
		}
	}
	for topic, rows := range r.tables {
		for k, n := range rows {
			if have := got.tables[topic][k]; have < n && topic != "out-offers" {
				lines = append(lines, fmt.Sprintf("%s: %s is %d, not %d", topic, readable(topic, k), have, n))
			}
		}
	}
	slices.Sort(lines)
	if more := len(lines) - 20; more > 0 {
		lines = append(lines[:20], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}
