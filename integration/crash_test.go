package integration

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/worker"
)

// The numbers of requests that cables refuse.
const apiOffsetCommit = 8

// crash is a shop with an instance that has committed some records and then
// processed others without.
type crash struct {
	*world
	f      *traffic
	dirs   *folders
	first  *instance
	before result // what was committed for good
	after  func() // what away checks at the end
}

// crashed runs f in a bubble, after the first instance has got that far. Its
// commits are so seldom that there is none by itself.
func crashed(t *testing.T, dir string, f func(*crash)) { crashedWith(t, dir, seldom, f) }

func crashedWith(t *testing.T, dir string, cfg worker.Config, f func(*crash)) {
	t.Helper()
	if !virtual {
		t.Skip("takes up to a minute without virtual time: run with -tags synctests")
	}
	dirs := newFolders(t)
	bubble(t, func(t *testing.T) {
		w := newWorld(t, dir, 3)
		defer w.end()
		c := &crash{world: w, f: newTraffic(7, time.Now()), dirs: dirs}
		warm := w.run("warm", dirs.fresh(), often)
		c.more()
		w.settle()
		warm.leave()
		c.before = c.f.want()
		c.first = w.run("first", warm.dir, cfg)
		c.await("the first instance has all tasks", c.first.runs(12))
		f(c)
	})
}

var (
	often     = worker.Config{Workers: 1, CommitInterval: 100 * time.Millisecond}
	sometimes = worker.Config{Workers: 2, CommitInterval: 5 * time.Second}
	seldom    = worker.Config{Workers: 2, CommitInterval: 24 * time.Hour}
)

// more writes records.
func (c *crash) more() {
	c.t.Helper()
	c.write(c.f.master(12))
	c.write(c.f.sales(120))
}

// processed waits until the first instance has processed what its first
// sub-topology was given, and has not committed.
func (c *crash) processed() {
	c.t.Helper()
	c.await("the instance has processed the records", func() string {
		n := int64(0)
		for _, task := range c.first.Status().Tasks {
			if task.ID.Sub == 0 && task.Stats != nil {
				n += task.Stats.Processed.Load()
			}
		}
		if n < 132 {
			return "too few"
		}
		return ""
	})
}

// hops is how often a record is processed on its way to a topic by tasks that
// count it, or hand it on: each may do that again after a crash.
var hops = map[string]int64{"out-kinds": 2, "out-cities": 2, "out-minutes": 1}

// check compares what came of it: nothing may be missing, and what is counted
// again is at most what was processed and not committed at the crash.
func (c *crash) check(crash result) {
	c.t.Helper()
	want, got := c.f.want(), c.outcome()
	if d := want.lacks(got); d != "" {
		c.t.Errorf("something is missing:\n%s", d)
	}
	most := result{maps.Clone(want.doubled), map[string]map[string]int64{}}
	for k := range want.doubled {
		most.doubled[k] += crash.doubled[k] - c.before.doubled[k]
	}
	have := result{got.doubled, map[string]map[string]int64{}}
	for topic, n := range hops {
		have.tables[topic], most.tables[topic] = got.tables[topic], map[string]int64{}
		for k := range want.tables[topic] {
			most.tables[topic][k] = want.tables[topic][k] + n*(crash.tables[topic][k]-c.before.tables[topic][k])
		}
	}
	if d := have.lacks(most); d != "" {
		c.t.Errorf("what was committed is counted again (the first number is the most there may be, the second is there):\n%s", d)
	}
}

// TestCrashBeforeCommit is an instance that disappears without having committed.
func TestCrashBeforeCommit(t *testing.T) {
	crashed(t, "", func(c *crash) {
		c.more()
		c.processed()
		c.first.die()
		crash := c.f.want()
		last := c.run("last", c.dirs.fresh(), often)
		c.more()
		c.settle()
		last.leave()
		c.check(crash)
	})
}

// TestCrashInCommit is an instance that disappears in its commit, after its
// stores are in the changelogs and before the offsets are.
func TestCrashInCommit(t *testing.T) {
	for name, sameDisk := range map[string]bool{"same disk": true, "another disk": false} {
		t.Run(name, func(t *testing.T) {
			crashed(t, "", func(c *crash) {
				c.more()
				c.processed()
				c.first.cable.refuse(apiOffsetCommit)
				c.first.stop()
				pause(2 * time.Second)
				c.first.die()
				crash, dir := c.f.want(), c.first.dir
				if !sameDisk {
					dir = c.dirs.fresh()
				}
				last := c.run("last", dir, often)
				c.more()
				c.settle()
				last.leave()
				c.check(crash)
			})
		})
	}
}

// TestCutOff is an instance that is away for longer than its session lasts, and
// then comes back.
func TestCutOff(t *testing.T) {
	crashedWith(t, "", sometimes, func(c *crash) {
		second := c.run("second", c.dirs.fresh(), often)
		c.more()
		pause(2 * time.Second)
		c.first.cable.cut()
		pause(30 * time.Second)
		c.more()
		c.settle()
		c.first.cable.mend()
		pause(30 * time.Second)
		c.more()
		c.settle()
		c.first.leave()
		second.leave()
		c.lacksNothing("after the instance has come back")
		// What it wrote when it was back must not have spoilt the changelogs.
		last := c.run("last", c.dirs.fresh(), often)
		c.more()
		c.settle()
		last.leave()
		c.lacksNothing("after everything was restored")
	})
}

func (c *crash) lacksNothing(when string) {
	c.t.Helper()
	if d := c.f.want().lacks(c.outcome()); d != "" {
		c.t.Errorf("%s something is missing:\n%s", when, d)
	}
}

// TestBrokerRestart restarts the broker in the middle of everything.
func TestBrokerRestart(t *testing.T) {
	crashed(t, t.TempDir(), func(c *crash) {
		second := c.run("second", c.dirs.fresh(), often)
		for range 3 {
			c.more()
			c.down()
			pause(3 * time.Second)
			c.up()
		}
		c.first.leave()
		c.settle()
		second.leave()
		c.lacksNothing("after the broker was restarted")
	})
}

// TestStateLost starts from a state directory that was deleted, and from one
// that is older than the changelogs.
func TestStateLost(t *testing.T) {
	t.Run("deleted", func(t *testing.T) {
		crashed(t, "", func(c *crash) {
			c.more()
			c.first.leave()
			if err := os.RemoveAll(c.first.dir); err != nil {
				c.t.Fatal(err)
			}
			c.goOn(c.first.dir)
		})
	})
	t.Run("old copy", func(t *testing.T) {
		crashed(t, "", func(c *crash) {
			c.more()
			c.first.leave()
			old := c.dirs.fresh()
			if err := os.CopyFS(old, os.DirFS(c.first.dir)); err != nil {
				c.t.Fatal(err)
			}
			next := c.run("next", c.first.dir, often)
			c.more()
			c.settle()
			next.leave()
			c.goOn(old)
		})
	})
}

// goOn runs an instance on a state directory; since all others left in order,
// the result must be exact.
func (c *crash) goOn(dir string) {
	c.t.Helper()
	c.more()
	last := c.run("last", dir, often)
	c.settle()
	last.leave()
	c.exact()
}

// exact checks that nothing is missing and nothing counted twice.
func (c *crash) exact() {
	c.t.Helper()
	if d := c.f.want().diff(c.outcome()); d != "" {
		c.t.Error(d)
	}
}

// TestSharedStateDir starts a second instance on a state directory: it must say
// what is wrong, and the first one go on.
func TestSharedStateDir(t *testing.T) {
	crashedWith(t, "", often, func(c *crash) {
		second := c.run("second", c.first.dir, often)
		c.await("the second instance has ended", second.hasEnded)
		if second.err == nil || !strings.Contains(second.err.Error(), c.first.dir) {
			c.t.Errorf("the second instance ended with %v, not with an error that names the directory in use", second.err)
		}
		c.more()
		c.settle()
		c.first.leave()
		c.exact()
	})
}

// TestStateInUse has an instance wait in vain for a task's database, which
// another process has open. It must say so, and what it got done counts.
func TestStateInUse(t *testing.T) {
	crashedWith(t, "", often, func(c *crash) {
		c.first.leave()
		dir := filepath.Join(c.first.dir, appID, "0_1")
		other, err := store.Open(dir, store.Options{})
		if err != nil {
			c.t.Fatal(err)
		}
		c.more()
		second := c.run("second", c.first.dir, often)
		c.await("the second instance has ended", second.hasEnded)
		if !errors.Is(second.err, store.ErrLocked) || !strings.Contains(second.err.Error(), dir) {
			c.t.Errorf("the second instance ended with %v, not with an error that names the directory in use", second.err)
		}
		if err := other.Close(); err != nil {
			c.t.Error(err)
		}
		c.goOn(c.first.dir)
	})
}
