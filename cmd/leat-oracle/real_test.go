package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/topology"
)

// seedOf is LEAT_SEED, or one that differs each time. Every case has random
// numbers of its own, from the seed and its name.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	if s := os.Getenv("LEAT_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("LEAT_SEED: %v", err)
		}
		return seed
	}
	return uint64(time.Now().UnixNano())
}

func random(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// fit are the cases whose answer must come out of any run, by name, with what
// they give in process; those left out are counted by reason.
func fit(t *testing.T) (cases map[string]*testCase, want map[string]*result, out map[string]int) {
	t.Helper()
	cases, want, out = archived(t), map[string]*result{}, map[string]int{}
	for name, c := range cases {
		res, err := runWith(c, way{own: true})
		why := ""
		if err != nil {
			why = "it can't be run: " + err.Error()
		} else {
			why = unfit(c, res.Error != nil)
		}
		if why != "" {
			out[why]++
			delete(cases, name)
			continue
		}
		want[name] = res
	}
	return cases, want, out
}

// few is how many cases a short run takes.
const few = 40

// TestCases_Real runs cases as an app on an embedded broker: with any commit
// interval, size of caches and number of workers; with instances that come and
// go in order, with the state of an earlier one or without; with several
// partitions, where the answer doesn't depend on them; and with tables that emit
// on commit or with each update. What is on the topics at the end must be what it
// is in process. LEAT_SOAK is how many rounds of all cases to run, in place of
// one of a few.
func TestCases_Real(t *testing.T) {
	cases, want, out := fit(t)
	for _, why := range slices.Sorted(maps.Keys(out)) {
		t.Logf("%4d left out: %s", out[why], why)
	}
	t.Logf("%4d are fit", len(cases))
	if len(cases) < 250 {
		t.Errorf("only %d cases are fit", len(cases))
	}
	seed := seedOf(t)
	names := slices.Sorted(maps.Keys(cases))
	rounds := 1
	if s := os.Getenv("LEAT_SOAK"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("LEAT_SOAK is a number of rounds: %v", err)
		}
		rounds = n
	} else {
		random(seed, "").Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		names = names[:few]
	}
	if only := os.Getenv("LEAT_CASE"); only != "" {
		names = slices.DeleteFunc(slices.Sorted(maps.Keys(cases)), func(name string) bool { return !strings.Contains(name, only) })
	}
	for n := range rounds {
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				at := seed + uint64(n)
				root, serial := t.TempDir(), 0
				dirs := func() string { serial++; return fmt.Sprintf("%s/%d", root, serial) }
				bubble(t, func(t *testing.T) { runReal(t, cases[name], want[name], random(at, name), dirs) })
				if t.Failed() {
					t.Logf("repeat with: LEAT_SEED=%d LEAT_CASE=%s go test -tags synctests ./cmd/leat-oracle -run TestCases_Real", at, name)
				}
			})
		}
	}
}

// runReal runs a case as an app.
func runReal(t *testing.T, c *testCase, want *result, rng *rand.Rand, dirs func() string) {
	t.Helper()
	exact := !caches(c)
	if exact && converges(c) && rng.IntN(2) == 0 {
		commit := *c
		commit.Config.Cache = true
		c, exact = &commit, false
	}
	w, err := newWorld(c, rng, dirs)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var got map[string][]output
	if err = w.create(ctx); err == nil {
		if err = w.feed(ctx); err == nil {
			got, err = w.read(ctx)
		}
	}
	if errClose := w.close(); err == nil {
		err = errClose
	}
	if err != nil {
		t.Fatalf("%v (%v)", err, w)
	}
	for name, writers := range sinks(c) {
		for _, d := range differences(want.Topics[name], got[name], exact, writers == 1) {
			t.Errorf("topic %s: %s (%v)", name, d, w)
		}
	}
}

// feed runs the app over the inputs. The tasks see them in the order that they
// have in the case.
func (w *world) feed(ctx context.Context) error {
	events := slices.DeleteFunc(slices.Clone(w.c.Inputs), func(e event) bool { return e.Topic == "" })
	for len(events) > 0 {
		n := min(w.batch(), len(events))
		if w.global(events[0].Topic) {
			// Nobody says how far an instance is with global tables, but when it
			// starts it reads all there is.
			n = 1
			if err := w.stop(); err != nil {
				return err
			}
		} else if err := w.change(); err != nil {
			return err
		}
		if err := w.send(ctx, events[:n]); err != nil {
			return err
		}
		if len(w.running) > 0 {
			if err := w.settle(ctx); err != nil {
				return err
			}
		}
		events = events[n:]
	}
	return w.stop()
}

// change lets an instance come or go, now and then; one is there afterwards.
func (w *world) change() error {
	n := len(w.running)
	switch {
	case n == 0:
		return w.start()
	case w.rng.IntN(8) > 0:
		return nil
	case n == 1 && w.rng.IntN(2) == 0:
		return w.start()
	}
	if err := w.stop(w.rng.IntN(n)); err != nil {
		return err
	}
	if len(w.running) == 0 {
		return w.start()
	}
	return nil
}

// batch is how many inputs are sent at once: several, if there is just one order
// in which they can be taken.
func (w *world) batch() int {
	read := 0
	for _, t := range w.topo.Plan().Graph.Topics {
		if t.Role == topology.Repartition || t.Pattern != nil || w.fed(t.Name) {
			read++
		}
	}
	if w.partitions > 1 || read > 1 {
		return 1
	}
	return pick(w.rng, 1, 3, 10, 30)
}

// differences are those between what is on a topic and what should be: the last
// row of each key, and if exact every record of a key, in order if ordered.
func differences(want, got []output, exact, ordered bool) (found []string) {
	w, g := byKeys(want), byKeys(got)
	for key := range g {
		if _, ok := w[key]; !ok {
			w[key] = nil
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w)) {
		a, b := w[key], g[key]
		switch {
		case !exact && key == "null": // of no row, and in any partition
			continue
		case !exact:
			a, b = last(a), last(b)
		case !ordered || key == "null":
			slices.Sort(a)
			slices.Sort(b)
		}
		if !slices.Equal(a, b) {
			found = append(found, fmt.Sprintf("key %s: want %v, got %v", key, a, b))
		}
	}
	return found
}

// byKeys is the records of each key, as text: value and timestamp.
func byKeys(recs []output) map[string][]string {
	by := map[string][]string{}
	for _, r := range recs {
		key := shown(r.Key)
		by[key] = append(by[key], fmt.Sprintf("%s@%d", shown(r.Value), r.TS))
	}
	return by
}

// last is the value of the last record. No record is as good as a deletion.
func last(recs []string) []string {
	if len(recs) == 0 {
		return nil
	}
	value := recs[len(recs)-1]
	value = value[:strings.LastIndexByte(value, '@')]
	if value == "null" {
		return nil
	}
	return []string{value}
}

// TestCases_RandomRestarts restarts the tasks now and then, with empty databases.
func TestCases_RandomRestarts(t *testing.T) {
	cases, want, _ := fit(t)
	seed := seedOf(t)
	for name, c := range cases {
		rng := random(seed, name)
		often := pick(rng, 2, 5, 20)
		restart := func() bool { return rng.IntN(often) == 0 }
		res, err := runWith(c, way{restart: restart, own: true})
		if err != nil {
			t.Errorf("%s: %v (LEAT_SEED=%d)", name, err, seed)
			continue
		}
		for topic, writers := range sinks(c) {
			for _, d := range differences(want[name].Topics[topic], res.Topics[topic], true, writers == 1) {
				t.Errorf("%s: topic %s: %s (LEAT_SEED=%d)", name, topic, d, seed)
			}
		}
	}
}
