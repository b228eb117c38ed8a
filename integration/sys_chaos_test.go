package integration

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/worker"
)

// TestChaos runs the shop while instances disappear, are cut off and come back,
// requests don't get through and the broker restarts. Nothing may be missing at
// the end, nor after all state was restored once more.
func TestChaos(t *testing.T) {
	if !virtual {
		t.Skip("takes minutes without virtual time: run with -tags synctests")
	}
	seeds(t, 3, chaosOf)
}

// TestChaosThatWasFatalOnce repeats what has brought bugs to light: a member that
// was thrown out of its group and joined it again with the partitions it had, one
// that dropped records of tasks it still had, and one that couldn't give up a task
// as long as a commit of others didn't get through.
func TestChaosThatWasFatalOnce(t *testing.T) {
	if !virtual {
		t.Skip("takes minutes without virtual time: run with -tags synctests")
	}
	for _, seed := range []uint64{1795367093079242817, 1795367970706426832, 1795368273608355026} {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			dirs := newFolders(t)
			bubble(t, func(t *testing.T) { chaosOf(t, seed, dirs) })
		})
	}
}

// chaosOf is the chaos that a seed stands for.
func chaosOf(t *testing.T, seed uint64, dirs *folders) {
	rng := rand.New(rand.NewPCG(seed, 3))
	dir := ""
	if rng.IntN(3) == 0 {
		dir = dirs.fresh()
	}
	c := &chaos{
		world: newWorld(t, dir, pick(rng, 1, 2, 3)),
		rng:   rng, dirs: dirs, f: newTraffic(seed, time.Now()),
		settings: worker.Config{
			Workers:        pick(rng, 1, 2),
			CommitInterval: pick(rng, 100*time.Millisecond, time.Second, 10*time.Second, time.Minute),
			CacheBytes:     pick(rng, int64(1), 100_000, 64<<20),
			StartTimeout:   time.Hour, // it may begin without a network
		},
	}
	defer c.end()
	c.run()
}

type chaos struct {
	*world
	rng      *rand.Rand
	dirs     *folders
	f        *traffic
	settings worker.Config
	up       []*instance
	old      []string // state directories nobody uses
	done     []string // what was done
}

func (c *chaos) note(format string, args ...any) {
	c.done = append(c.done, fmt.Sprintf(format, args...))
}

func (c *chaos) run() {
	c.join()
	for range 14 {
		c.write(c.f.master(c.rng.IntN(6)))
		c.write(c.f.sales(c.rng.IntN(60)))
		c.happen()
		pause(pick(c.rng, 0, 10*time.Millisecond, 200*time.Millisecond, 2*time.Second, 20*time.Second, time.Minute))
	}
	for _, i := range c.up {
		i.cable.mend()
		i.cable.pass()
	}
	if len(c.up) == 0 {
		c.join()
	}
	c.settle()
	c.lacksNothing("at the end")
	for _, i := range c.up {
		i.leave()
	}
	last := c.world.run("last", c.dirs.fresh(), c.settings)
	c.write(c.f.sales(60))
	c.settle()
	last.leave()
	c.lacksNothing("after everything was restored")
}

func (c *chaos) lacksNothing(when string) {
	c.t.Helper()
	if d := c.f.want().lacks(c.outcome()); d != "" {
		c.t.Errorf("%s something is missing (%d partitions, commits every %v, %d bytes of cache; %v):\n%s",
			when, c.partitions, c.settings.CommitInterval, c.settings.CacheBytes, c.done, d)
	}
}

func (c *chaos) join() {
	dir := c.dirs.fresh()
	if n := len(c.old); n > 0 && c.rng.IntN(3) > 0 {
		dir, c.old = c.old[n-1], c.old[:n-1]
	}
	name := fmt.Sprint("i", len(c.all))
	c.note("%s joins", name)
	c.up = append(c.up, c.world.run(name, dir, c.settings))
}

// happen does something bad, or something usual.
func (c *chaos) happen() {
	if len(c.up) == 0 || len(c.up) < 3 && c.rng.IntN(3) == 0 {
		c.join()
		return
	}
	n := c.rng.IntN(len(c.up))
	i := c.up[n]
	switch c.rng.IntN(8) {
	case 0:
		c.note("%s leaves", i.name)
		i.cable.mend()
		i.cable.pass()
		i.leave()
		c.forget(n)
	case 1:
		c.note("%s dies", i.name)
		i.die()
		c.forget(n)
	case 2, 3:
		c.note("%s is cut off", i.name)
		i.cable.cut()
	case 4, 5:
		c.note("%s comes back", i.name)
		i.cable.mend()
		i.cable.pass()
	case 6:
		api := pick(c.rng, int16(0), apiOffsetCommit)
		c.note("%s can't do %d", i.name, api)
		i.cable.refuse(api)
	case 7:
		if c.dir == "" {
			return
		}
		c.note("the broker restarts")
		c.down()
		pause(pick(c.rng, 0, time.Second, 20*time.Second))
		c.world.up()
	}
}

func (c *chaos) forget(n int) {
	c.old = append(c.old, c.up[n].dir)
	c.up = append(c.up[:n], c.up[n+1:]...)
}
