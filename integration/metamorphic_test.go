package integration

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/worker"
)

var (
	soak     = flag.Duration("soak", 0, "for how long TestMetamorphic tries further seeds")
	soakSeed = flag.Uint64("soak-seed", 0, "the seed with which TestMetamorphic begins, to repeat a failure; 0 is one that differs each time")
)

// seeds runs f with a few seeds, or with as many as there is time for.
func seeds(t *testing.T, few int, f func(t *testing.T, seed uint64, dirs *folders)) {
	seed, began := *soakSeed, time.Now()
	if seed == 0 {
		seed = uint64(began.UnixNano())
	}
	for n := 0; n < few || time.Since(began) < *soak; n++ {
		ok := t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			dirs := newFolders(t)
			bubble(t, func(t *testing.T) { f(t, seed, dirs) })
		})
		if !ok {
			t.Fatalf("repeat with: go test -tags synctests ./integration -run '^%s$' -args -soak-seed %d", t.Name(), seed)
		}
		seed++
	}
}

// TestMetamorphic runs the shop in many ways: with any number of partitions,
// workers and instances that come and go in order, with large and tiny caches,
// with seldom and frequent commits. The results must be the same, exactly: who
// leaves in order loses nothing and does nothing twice. They are compared with a
// computation that knows nothing of streams.
func TestMetamorphic(t *testing.T) { seeds(t, 3, metamorphosis) }

// folders hands out directories for state: made outside of a bubble, as they
// are removed after it.
type folders struct {
	root string
	n    int
}

func newFolders(t *testing.T) *folders { return &folders{root: t.TempDir()} }

func (f *folders) fresh() string {
	f.n++
	return fmt.Sprintf("%s/state%d", f.root, f.n)
}

// pick is one of vs.
func pick[T any](rng *rand.Rand, vs ...T) T { return vs[rng.IntN(len(vs))] }

func metamorphosis(t *testing.T, seed uint64, dirs *folders) {
	rng := rand.New(rand.NewPCG(seed, 2))
	w := newWorld(t, "", pick(rng, 1, 2, 3, 5))
	defer w.end()
	f := newTraffic(seed, time.Now())
	settings := worker.Config{
		CommitInterval:  pick(rng, 10*time.Millisecond, 200*time.Millisecond, time.Second, 30*time.Second),
		CacheBytes:      pick(rng, int64(1), 20_000, 200_000, 64<<20),
		BufferedRecords: pick(rng, 5, 100, 20_000),
	}
	var running []*instance
	left := []string{dirs.fresh()}
	join := func() {
		dir, cfg := dirs.fresh(), settings
		if i := rng.IntN(len(left) + 1); i < len(left) { // come back with the old state
			dir = left[i]
			left = append(left[:i], left[i+1:]...)
		}
		cfg.Workers = pick(rng, 1, 2, 3)
		running = append(running, w.run(dir[len(dirs.root)+1:], dir, cfg))
	}
	leave := func() {
		i := rng.IntN(len(running))
		running[i].leave()
		left = append(left, running[i].dir)
		running = append(running[:i], running[i+1:]...)
	}
	join()
	for range 12 {
		w.write(f.master(rng.IntN(8)))
		w.write(f.sales(rng.IntN(100)))
		switch n := len(running); {
		case n == 0, n < 3 && rng.IntN(2) == 0:
			join()
		case rng.IntN(2) == 0:
			leave()
		}
		gap := pick(rng, 0, time.Millisecond, 30*time.Millisecond, 300*time.Millisecond, 3*time.Second, time.Minute)
		if !virtual {
			gap = min(gap, 100*time.Millisecond)
		}
		pause(gap)
	}
	if len(running) == 0 {
		join()
	}
	w.settle()
	for _, i := range running {
		i.leave()
	}
	if d := f.want().diff(w.outcome()); d != "" {
		t.Errorf("%d partitions, commits every %v, %d bytes of cache, %d records buffered:\n%s",
			w.partitions, settings.CommitInterval, settings.CacheBytes, settings.BufferedRecords, d)
	}
}
