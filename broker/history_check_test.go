package broker

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// logModel is a partition: a list that grows, of which only the length changes.
// What is at its offsets, the log that was read at the end tells.
func logModel(final []string) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return int64(0) },
		Step: func(state, in, out any) (bool, any) {
			n := state.(int64)
			switch in := in.(type) {
			case appendIn:
				at := out.(appendOut).offset
				if at < 0 {
					at = int64(slices.Index(final, in.value)) // nobody was told
				}
				return at == n && at < int64(len(final)) && final[at] == in.value, n + 1
			case readIn:
				got := out.(readOut)
				end := in.offset + int64(len(got.values))
				if got.end != n || len(got.values) == 0 {
					// Records that may not be read yet are there all the same.
					return got.end == n && in.offset >= n, n
				}
				return end <= min(n, int64(len(final))) && slices.Equal(got.values, final[in.offset:end]), n
			case endIn:
				return out.(endOut).end == n, n
			}
			return false, n
		},
	}
}

// offsetModel is a committed offset: what was committed last.
var offsetModel = porcupine.Model{
	Init: func() any { return int64(-1) },
	Step: func(state, in, out any) (bool, any) {
		if c, ok := in.(commitIn); ok {
			return true, c.offset
		}
		return out == state, state
	},
}

// illegal tells where a history goes wrong: of the operations that can't have
// happened one after the other, those that come first. nil is all can.
func illegal(m porcupine.Model, ops []porcupine.Operation) []string {
	if porcupine.CheckOperations(m, ops) {
		return nil
	}
	ops = slices.SortedFunc(slices.Values(ops), func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	text := []string{fmt.Sprintf("there is no order of the %d operations", len(ops))}
	for i, b := range ops {
		for _, a := range ops[:i] {
			if least, _ := lengths(a); len(text) < 10 && a.Return < b.Call && least > 0 {
				if _, most := lengths(b); least > most {
					text = append(text, tell(a)+" before "+tell(b))
				}
			}
		}
	}
	for _, o := range ops {
		_, most := lengths(o)
		if _, offset := o.Output.(int64); offset || o.Output == nil {
			text = append(text, tell(o))
		} else if ok, _ := m.Step(most, o.Input, o.Output); !ok && len(text) < 20 {
			text = append(text, tell(o)+" is never true")
		}
	}
	return text
}

func tell(o porcupine.Operation) string {
	return fmt.Sprintf("%d-%d: %T%+v: %+v", o.Call, o.Return, o.Input, o.Input, o.Output)
}

// lengths are how long a log is at least after an operation, and at most before.
func lengths(o porcupine.Operation) (least, most int64) {
	switch out := o.Output.(type) {
	case appendOut:
		return out.offset + 1, out.offset
	case readOut:
		return out.end, out.end
	case endOut:
		return out.end, out.end
	}
	return 0, 0
}

// judge holds what the clients were told against the logs at the end.
func (h *history) judge() {
	for _, i := range h.injected {
		i.Lift()
	}
	<-time.After(2 * time.Minute) // transactions that nobody has ended time out
	h.mu.Lock()
	defer h.mu.Unlock()
	var wrong []string
	total := 0
	logs := h.final(logTopic, false)
	for p := range logPartitions {
		var final []string
		for _, r := range logs[p] {
			if r.offset != int64(len(final)) {
				wrong = append(wrong, fmt.Sprintf("log-%d: offset %d after %d records", p, r.offset, len(final)))
			}
			final = append(final, r.value)
		}
		h.logs[p], h.offsets[p] = resolved(h.logs[p], final), observed(h.offsets[p])
		total += len(h.logs[p]) + len(h.offsets[p])
		if ops := illegal(logModel(final), h.logs[p]); ops != nil {
			wrong = append(wrong, fmt.Sprintf("log-%d:\n\t%s", p, strings.Join(ops, "\n\t")))
		}
		if ops := illegal(offsetModel, h.offsets[p]); ops != nil {
			wrong = append(wrong, fmt.Sprintf("committed offset of %d:\n\t%s", p, strings.Join(ops, "\n\t")))
		}
		wrong = append(wrong, unordered(final, h.sent, p)...)
	}
	wrong = append(wrong, fenced(h.epochs)...)
	for of, told := range h.ends {
		total += len(told)
		for _, text := range backward(told) {
			wrong = append(wrong, of+": "+text)
		}
	}
	all, visible := h.final(txnTopic, false), h.final(txnTopic, true)
	wrong = append(wrong, undecided(visible, h.txns, h.parts)...)
	for _, s := range h.seen {
		against := all
		if s.committed {
			against = visible
		}
		wrong = append(wrong, s.strays(against)...)
	}
	if len(wrong) > 0 {
		h.t.Errorf("%s\nafter %s\nwhat failed: %s", strings.Join(wrong, "\n"), strings.Join(h.happened, "; "), strings.Join(h.failed, "\n\t"))
	}
	if total < 100 || len(h.txns) < 5 || len(h.epochs) == 0 {
		h.t.Errorf("%d operations, %d transactions, %d epochs: that is no history (%s): %s", total, len(h.txns), len(h.epochs), strings.Join(h.happened, "; "), strings.Join(h.failed, "\n\t"))
	}
	h.t.Logf("%d operations, %d transactions, %d epochs, %d failures; %s", total, len(h.txns), len(h.epochs), len(h.failed), strings.Join(h.happened, "; "))
}

// observed leaves out commits that failed and that nobody saw: whether they were
// done makes no difference but to how long the search takes.
func observed(ops []porcupine.Operation) []porcupine.Operation {
	seen := map[int64]bool{}
	for _, o := range ops {
		if at, ok := o.Output.(int64); ok {
			seen[at] = true
		}
	}
	return slices.DeleteFunc(ops, func(o porcupine.Operation) bool {
		c, ok := o.Input.(commitIn)
		return ok && o.Return == neverReturned && !seen[c.offset]
	})
}

// resolved finds out what became of records whose sending failed: at the end
// they are in the log, or never were. (Had one been there and gone, who read it
// would tell.)
func resolved(ops []porcupine.Operation, final []string) []porcupine.Operation {
	return slices.DeleteFunc(ops, func(o porcupine.Operation) bool {
		return o.Output == any(appendOut{-1}) && !slices.Contains(final, o.Input.(appendIn).value)
	})
}

// unordered tells of records of producers that are lost, are there twice, or
// aren't in the order in which they were sent.
func unordered(final []string, sent map[string][]*sentRecord, p int32) (wrong []string) {
	at := map[string]int64{}
	for offset, value := range final {
		if first, twice := at[value]; twice {
			wrong = append(wrong, fmt.Sprintf("%s is at offset %d and again at %d", value, first, offset))
		}
		at[value] = int64(offset)
	}
	known := 0
	for from, list := range sent {
		if !strings.HasSuffix(from, fmt.Sprint(" to ", p)) {
			continue
		}
		last := int64(-1)
		for _, s := range list {
			offset, there := at[s.value]
			switch {
			case !there && s.offset >= 0:
				wrong = append(wrong, fmt.Sprintf("%s was acknowledged at offset %d and isn't there", s.value, s.offset))
			case there && s.offset >= 0 && s.offset != offset:
				wrong = append(wrong, fmt.Sprintf("%s was acknowledged at offset %d and is at %d", s.value, s.offset, offset))
			case there && offset < last:
				wrong = append(wrong, fmt.Sprintf("%s at offset %d was sent after what is at %d", s.value, offset, last))
			}
			if there {
				known++
				last = max(last, offset)
			}
		}
	}
	if known < len(at) {
		wrong = append(wrong, fmt.Sprintf("%d of %d records were sent by nobody", len(at)-known, len(at)))
	}
	return wrong
}

// fenced tells of epochs that were given to two, or that are older than those
// given before.
func fenced(epochs []epochAt) (wrong []string) {
	newer := func(a, b epochAt) bool { return a.id > b.id || a.id == b.id && a.epoch > b.epoch }
	for i, a := range epochs {
		for _, b := range epochs[i+1:] {
			if a.id == b.id && a.epoch == b.epoch || a.back < b.call && !newer(b, a) || b.back < a.call && !newer(a, b) {
				wrong = append(wrong, fmt.Sprintf("epochs %+v and %+v", a, b))
			}
		}
	}
	return wrong
}

// backward tells of ends that are before those that were told earlier.
func backward(told []endAt) (wrong []string) {
	told = slices.SortedFunc(slices.Values(told), func(a, b endAt) int { return int(a.call - b.call) })
	byBack := slices.SortedFunc(slices.Values(told), func(a, b endAt) int { return int(a.back - b.back) })
	largest := int64(0)
	for _, e := range told {
		for len(byBack) > 0 && byBack[0].back < e.call {
			largest = max(largest, byBack[0].end)
			byBack = byBack[1:]
		}
		if e.end < largest {
			wrong = append(wrong, fmt.Sprintf("%d, after it was %d: %+v", e.end, largest, e))
		}
	}
	return wrong
}

// undecided tells of transactions of which there is what shouldn't be, or not
// all that should.
func undecided(visible map[int32][]seenRecord, txns map[string]outcome, parts map[string]int) (wrong []string) {
	n := map[string]int{}
	for _, list := range visible {
		once := map[string]bool{}
		for _, r := range list {
			if r.value == "" {
				continue // a marker
			}
			if once[r.value] {
				wrong = append(wrong, r.value+" is there twice")
			}
			once[r.value] = true
			n[r.txn()]++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(n)) {
		if _, known := txns[id]; !known {
			wrong = append(wrong, id+" is the transaction of nobody")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(txns)) {
		switch end := txns[id]; {
		case end == committedTxn && n[id] != parts[id], end == abortedTxn && n[id] != 0, n[id] != 0 && n[id] != parts[id]:
			wrong = append(wrong, fmt.Sprintf("of transaction %s, which ended as %d, there are %d of %d records", id, end, n[id], parts[id]))
		}
	}
	return wrong
}

// strays tells of records that a consumer saw and that aren't there at the end,
// and of those that it missed before the last that it saw.
func (s *sighting) strays(final map[int32][]seenRecord) (wrong []string) {
	for p, list := range s.records {
		want := slices.DeleteFunc(slices.Clone(final[p]), func(r seenRecord) bool { return r.value == "" })
		if len(list) > len(want) || !slices.Equal(list, want[:len(list)]) {
			i := 0
			for i < min(len(list), len(want)) && list[i] == want[i] {
				i++
			}
			wrong = append(wrong, fmt.Sprintf("%s saw in partition %d, from the %d-th record on, %v, where there is %v", s.name, p, i, list[i:min(i+3, len(list))], want[i:min(i+3, len(want))]))
		}
	}
	return wrong
}

// TestHistory_Checks has the checks meet what they are there for.
func TestHistory_Checks(t *testing.T) {
	final := []string{"a", "b"}
	told := func(ops ...porcupine.Operation) []porcupine.Operation { return ops }
	for name, c := range map[string]struct {
		model porcupine.Model
		ops   []porcupine.Operation
		ok    bool
	}{
		"appended at the same time": {logModel(final), told(
			porcupine.Operation{Call: 1, Return: 4, Input: appendIn{"b"}, Output: appendOut{1}},
			porcupine.Operation{Call: 2, Return: 3, Input: appendIn{"a"}, Output: appendOut{0}},
			porcupine.Operation{Call: 5, Return: 6, Input: readIn{0}, Output: readOut{final, 2}}), true},
		"appended in the wrong order": {logModel(final), told(
			porcupine.Operation{Call: 1, Return: 2, Input: appendIn{"b"}, Output: appendOut{1}},
			porcupine.Operation{Call: 3, Return: 4, Input: appendIn{"a"}, Output: appendOut{0}}), false},
		"acknowledged and not to be read": {logModel(final), told(
			porcupine.Operation{Call: 1, Return: 2, Input: appendIn{"a"}, Output: appendOut{0}},
			porcupine.Operation{Call: 3, Return: 4, Input: readIn{0}, Output: readOut{nil, 0}},
			porcupine.Operation{Call: 5, Return: 6, Input: appendIn{"b"}, Output: appendOut{1}}), false},
		"read and lost again": {logModel([]string{"b"}), told(
			porcupine.Operation{Call: 1, Return: neverReturned, Input: appendIn{"a"}, Output: appendOut{0}},
			porcupine.Operation{Call: 2, Return: 3, Input: readIn{0}, Output: readOut{[]string{"a"}, 1}},
			porcupine.Operation{Call: 4, Return: 5, Input: appendIn{"b"}, Output: appendOut{0}}), false},
		"a high watermark that goes back": {logModel(final), told(
			porcupine.Operation{Call: 1, Return: 9, Input: appendIn{"a"}, Output: appendOut{0}},
			porcupine.Operation{Call: 2, Return: 3, Input: endIn{}, Output: endOut{1}},
			porcupine.Operation{Call: 4, Return: 5, Input: endIn{}, Output: endOut{0}}), false},
		"a commit that may have been": {offsetModel, told(
			porcupine.Operation{Call: 1, Return: neverReturned, Input: commitIn{5}},
			porcupine.Operation{Call: 2, Return: 3, Input: commitIn{6}},
			porcupine.Operation{Call: 4, Return: 5, Input: lookIn{}, Output: int64(5)}), true},
		"a commit that is forgotten": {offsetModel, told(
			porcupine.Operation{Call: 1, Return: 2, Input: commitIn{5}},
			porcupine.Operation{Call: 3, Return: 4, Input: commitIn{6}},
			porcupine.Operation{Call: 5, Return: 6, Input: lookIn{}, Output: int64(5)}), false},
	} {
		if got := illegal(c.model, c.ops); (got == nil) != c.ok {
			t.Errorf("%s: %v", name, got)
		}
	}

	sent := func(offsets ...int64) map[string][]*sentRecord {
		list := []*sentRecord{{"a", -1}, {"b", -1}}
		for i, o := range offsets {
			list[i].offset = o
		}
		return map[string][]*sentRecord{"w to 0": list}
	}
	for name, wrong := range map[string][]string{
		"lost":       unordered([]string{"a"}, sent(0, 1), 0),
		"twice":      unordered([]string{"a", "b", "a"}, sent(0, 1), 0),
		"elsewhere":  unordered([]string{"a", "b"}, sent(1, 1), 0),
		"swapped":    unordered([]string{"b", "a"}, sent(), 0),
		"of nobody":  unordered([]string{"a", "b", "c"}, sent(0, 1), 0),
		"same epoch": fenced([]epochAt{{1, 4, 7, 3}, {2, 3, 7, 3}}),
		"old epoch":  fenced([]epochAt{{1, 2, 7, 3}, {3, 4, 7, 2}}),
		"backward":   backward([]endAt{{3, 4, 5}, {1, 2, 6}}),
		"half":       undecided(map[int32][]seenRecord{0: {{0, "x/0"}}}, map[string]outcome{"x": maybe}, map[string]int{"x": 2}),
		"aborted":    undecided(map[int32][]seenRecord{0: {{0, "x/0"}}}, map[string]outcome{"x": abortedTxn}, map[string]int{"x": 1}),
		"missing":    undecided(nil, map[string]outcome{"x": committedTxn}, map[string]int{"x": 1}),
		"stray":      (&sighting{records: map[int32][]seenRecord{0: {{4, "x/0"}}}}).strays(nil),
		"skipped":    (&sighting{records: map[int32][]seenRecord{0: {{4, "x/0"}}}}).strays(map[int32][]seenRecord{0: {{3, "y/0"}, {4, "x/0"}}}),
	} {
		if len(wrong) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
	}
	if wrong := unordered([]string{"a", "b"}, sent(0, 1), 0); wrong != nil {
		t.Error(wrong)
	}
	if wrong := backward([]endAt{{1, 4, 5}, {2, 3, 6}, {5, 6, 6}}); wrong != nil {
		t.Error(wrong)
	}
	if wrong := undecided(map[int32][]seenRecord{0: {{0, "x/0"}}, 1: {{0, "x/1"}, {1, ""}}}, map[string]outcome{"x": committedTxn}, map[string]int{"x": 2}); wrong != nil {
		t.Error(wrong)
	}
}
