package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

// object is decoded JSON; numbers are json.Number.
type object = map[string]any

// compare returns where an answer differs from what the case expects: at most a
// few differences a topic. Order between topics doesn't count, nor the order of a
// store's rows; an answer that Kafka's in-memory stores give is as good.
func compare(c *testCase, got *result) []string {
	b, err := json.Marshal(got)
	if err != nil {
		return []string{err.Error()}
	}
	actual, err := decode(b)
	if err != nil {
		return []string{err.Error()}
	}
	var diffs []string
	for _, src := range [...]json.RawMessage{c.Expected, c.ExpectedInMemory} {
		if len(src) == 0 {
			continue
		}
		expected, err := decode(src)
		if err != nil {
			return []string{err.Error()}
		}
		d := &difference{c: c}
		d.results(expected, actual)
		if len(d.found) == 0 {
			return nil
		}
		if diffs == nil {
			diffs = d.found
		}
	}
	return diffs
}

func decode(src []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	var o object
	err := d.Decode(&o)
	return o, err
}

// difference collects what differs.
type difference struct {
	c     *testCase
	found []string
}

func (d *difference) add(format string, args ...any) {
	d.found = append(d.found, fmt.Sprintf(format, args...))
}

func (d *difference) results(want, got object) {
	failed := want["error"] != nil
	if failed != (got["error"] != nil) {
		d.add("error: want %v, got %v", want["error"], got["error"])
	} else if failed {
		w, g := objectOf(want["error"]), objectOf(got["error"])
		if !same(w["phase"], g["phase"]) || !same(w["input"], g["input"]) {
			d.add("error: want %v, got %v", w, g)
		}
	}
	wantTopics, gotTopics := objectOf(want["topics"]), objectOf(got["topics"])
	for name := range gotTopics {
		if _, ok := wantTopics[name]; !ok && len(listOf(gotTopics[name])) > 0 {
			d.add("topic %s: nothing expected, got %s", name, shown(gotTopics[name]))
		}
	}
	for name, w := range wantTopics {
		lenient := slices.Contains(d.c.Lenient, name)
		d.list("topic "+name, inSteps(listOf(w), lenient), inSteps(listOf(gotTopics[name]), lenient))
	}
	d.list("peeks", listOf(want["peeks"]), listOf(got["peeks"]))
	d.queries(listOf(want["queries"]), listOf(got["queries"]))
	if failed {
		return
	}
	stores := objectOf(got["stores"])
	for name, w := range objectOf(want["stores"]) {
		g, ok := stores[name]
		if !ok {
			d.add("store %s: not there", name)
			continue
		}
		d.list("store "+name, byKey(listOf(w)), byKey(listOf(g)))
	}
}

func (d *difference) queries(want, got []any) {
	if len(want) != len(got) {
		d.add("queries: want %d answers, got %d", len(want), len(got))
		return
	}
	for i := range want {
		w, g := objectOf(want[i])["result"], objectOf(got[i])["result"]
		if !same(w, g) {
			d.add("query %d: want %s, got %s", i, shown(w), shown(g))
		}
	}
}

// maxShown is how many differences of one list are told.
const maxShown = 3

func (d *difference) list(name string, want, got []any) {
	told := 0
	for i := range max(len(want), len(got)) {
		var w, g any
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != nil && g != nil && sameRecord(objectOf(w), objectOf(g)) {
			continue
		}
		d.add("%s[%d]: want %s, got %s", name, i, shown(w), shown(g))
		if told++; told == maxShown {
			d.add("%s: … (want %d records, got %d)", name, len(want), len(got))
			return
		}
	}
}

// sameRecord compares all but the step. A header value "*" is any value.
func sameRecord(a, b object) bool {
	for _, field := range [...]string{"id", "key", "value", "ts"} {
		x, okX := a[field]
		y, okY := b[field]
		if okX != okY || !same(x, y) {
			return false
		}
	}
	ha, hb := listOf(a["headers"]), listOf(b["headers"])
	return slices.EqualFunc(ha, hb, func(x, y any) bool {
		l, r := listOf(x), listOf(y)
		return len(l) == 2 && len(r) == 2 && same(l[0], r[0]) && (l[1] == "*" || same(l[1], r[1]))
	})
}

// same is deep equality, with numbers by value.
func same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		n, ok := b.(json.Number)
		if !ok {
			return false
		}
		_, errA := a.Int64()
		_, errB := n.Int64()
		if errA == nil && errB == nil {
			return a == n
		}
		return sameFloat(a, n)
	case object:
		o, ok := b.(object)
		if !ok || len(a) != len(o) {
			return false
		}
		for k, v := range a {
			w, ok := o[k]
			if !ok || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		l, ok := b.([]any)
		return ok && slices.EqualFunc(a, l, same)
	}
	return a == b
}

func objectOf(v any) object { o, _ := v.(object); return o }
func listOf(v any) []any    { l, _ := v.([]any); return l }

func shown(v any) string {
	if v == nil {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// inSteps sorts records within an input step, if their order is free.
func inSteps(recs []any, lenient bool) []any {
	if !lenient {
		return recs
	}
	recs = slices.Clone(recs)
	slices.SortStableFunc(recs, func(a, b any) int {
		x, y := objectOf(a), objectOf(b)
		return cmp.Or(cmp.Compare(stepOf(x), stepOf(y)), cmp.Compare(shown([]any{x["key"], x["value"], x["ts"]}), shown([]any{y["key"], y["value"], y["ts"]})))
	})
	return recs
}

func stepOf(rec object) int64 {
	n, _ := rec["i"].(json.Number)
	i, err := n.Int64()
	if err != nil {
		return -1
	}
	return i
}

func byKey(rows []any) []any {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b any) int { return cmp.Compare(shown(objectOf(a)["key"]), shown(objectOf(b)["key"])) })
	return rows
}
