package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/store"
)

// manual is the system's clock, but what was to happen after a time happens when
// the test says so.
type manual struct {
	clock.Clock
	mu  sync.Mutex
	due []func()
}

func newManual() *manual { return &manual{Clock: clock.System} }

func (m *manual) AfterFunc(_ time.Duration, f func()) clock.Timer {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.due = append(m.due, f)
	return noTimer{}
}

// fire runs what is due and says how much that was.
func (m *manual) fire() int {
	m.mu.Lock()
	due := m.due
	m.due = nil
	m.mu.Unlock()
	for _, f := range due {
		f()
	}
	return len(due)
}

type noTimer struct{}

func (noTimer) C() <-chan time.Time      { return nil }
func (noTimer) Stop() bool               { return true }
func (noTimer) Reset(time.Duration) bool { return true }

// crashed copies the files of an open database that has nothing to do: what the
// next process finds after a kill.
func crashed(tb testing.TB, dir string) string {
	tb.Helper()
	to := filepath.Join(tb.TempDir(), "crashed")
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o777)
		}
		return copyFile(path, filepath.Join(to, rel))
	})
	if err != nil {
		tb.Fatal(err)
	}
	return to
}

// copyFile leaves holes where there are zeros, as logs have many.
func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	data := bytes.TrimRight(b, "\x00")
	return errors.Join(os.WriteFile(to, data, 0o666), os.Truncate(to, int64(len(b))))
}

// quiet are small options with a clock of the test's, under the given boot.
func quiet(tb testing.TB, boot string) (store.Options, *manual) {
	o, c := small(tb), newManual()
	o.Clock = c
	o.BootID = func() string { return boot }
	return o, c
}

func TestUnclean_SameBoot(t *testing.T) {
	o, _ := quiet(t, "boot-1")
	dir := t.TempDir()
	db := open(t, dir, o)
	defer closeDB(t, db)
	id, key := addRow(t, db, 7)
	after := open(t, crashed(t, dir), o)
	defer closeDB(t, after)
	if got := after.Opened(); got != (store.Opened{}) {
		t.Errorf("Opened = %+v", got)
	}
	if off, ok := after.Checkpoint(id); off != 7 || !ok {
		t.Errorf("checkpoint = %d, %t", off, ok)
	}
	if v, ok, err := after.Get(key); string(v) != "v" || !ok || err != nil {
		t.Errorf("Get = %q, %t, %v", v, ok, err)
	}
}

func TestUnclean_OtherBoot(t *testing.T) {
	for _, boot := range []string{"boot-2", ""} {
		t.Run(boot, func(t *testing.T) {
			o, timers := quiet(t, "boot-1")
			dir := t.TempDir()
			db := open(t, dir, o)
			defer closeDB(t, db)
			id, key := addRow(t, db, 7)

			o2, _ := quiet(t, boot)
			unsynced := open(t, crashed(t, dir), o2)
			defer closeDB(t, unsynced)
			wantEmpty(t, unsynced, id, key)

			if n := timers.fire(); n != 1 {
				t.Fatalf("%d syncs due", n)
			}
			addRow(t, db, 9) // after the sync: not to be believed
			lost := crashed(t, dir)
			safe := open(t, lost, o2)
			if got := safe.Opened(); got != (store.Opened{Safe: true}) {
				t.Errorf("Opened = %+v", got)
			}
			if off, ok := safe.Checkpoint(id); off != 7 || !ok {
				t.Errorf("safe checkpoint = %d, %t, want 7", off, ok)
			}
			// A crash right now finds the same, on this boot and on the next.
			for _, next := range []string{boot, "boot-3"} {
				o3, _ := quiet(t, next)
				again := open(t, crashed(t, lost), o3)
				if off, ok := again.Checkpoint(id); off != 7 || !ok {
					t.Errorf("boot %q: checkpoint = %d, %t, want 7", next, off, ok)
				}
				closeDB(t, again)
			}
			closeDB(t, safe)
		})
	}
}

func TestUnclean_CleanCloseSurvivesBoot(t *testing.T) {
	dir := t.TempDir()
	id, _ := filled(t, dir)
	o, _ := quiet(t, "boot-2")
	db := open(t, dir, o)
	defer closeDB(t, db)
	if got := db.Opened(); got != (store.Opened{}) {
		t.Errorf("Opened = %+v", got)
	}
	// The clean close has synced all, so its checkpoint is safe from the start.
	o3, _ := quiet(t, "boot-3")
	after := open(t, crashed(t, dir), o3)
	defer closeDB(t, after)
	if off, ok := after.Checkpoint(id); off != 7 || !ok || !after.Opened().Safe {
		t.Errorf("checkpoint = %d, %t, %+v", off, ok, after.Opened())
	}
}

func TestClear_ForgetsSafeCheckpoint(t *testing.T) {
	o, timers := quiet(t, "boot-1")
	dir := t.TempDir()
	db := open(t, dir, o)
	defer closeDB(t, db)
	id, _ := addRow(t, db, 7)
	other, err := db.Prefix("other")
	if err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	b.Checkpoint(other, 3)
	if err := db.Write(&b); err != nil {
		t.Fatal(err)
	}
	timers.fire()
	if err := db.Clear(id); err != nil {
		t.Fatal(err)
	}
	o2, _ := quiet(t, "boot-2")
	after := open(t, crashed(t, dir), o2)
	defer closeDB(t, after)
	if off, ok := after.Checkpoint(id); ok {
		t.Errorf("checkpoint %d of a cleared store", off)
	}
	if off, ok := after.Checkpoint(other); off != 3 || !ok {
		t.Errorf("checkpoint of the other store = %d, %t", off, ok)
	}
}

// TestPowerCut_HoleInLog loses the end of a log while the next one is whole, as
// a power cut does: Badger opens such a database without a word. What the safe
// checkpoint covers must be there, and replaying the rest must mend everything.
func TestPowerCut_HoleInLog(t *testing.T) {
	o, timers := quiet(t, "boot-1")
	dir := t.TempDir()
	db := open(t, dir, o)
	defer closeDB(t, db)
	c := newChangelog(t, db)
	const safe = 2000
	c.apply(db, 0, safe)
	if n := timers.fire(); n != 1 {
		t.Fatalf("%d syncs due", n)
	}
	lost := crashed(t, dir) // what has been synced
	first := logs(t, dir)
	end := safe
	for slices.Equal(logs(t, dir)[len(logs(t, dir))-1:], first[len(first)-1:]) {
		c.apply(db, end, end+500)
		end += 500
	}
	c.apply(db, end, end+500) // surely into the new log
	end += 500
	newest := logs(t, dir)[len(logs(t, dir))-1]
	if err := copyFile(filepath.Join(dir, "db", newest), filepath.Join(lost, "db", newest)); err != nil {
		t.Fatal(err)
	}

	// That the local checkpoint can't be trusted here is why all this exists.
	naive := open(t, crashed(t, lost), o)
	defer closeDB(t, naive)
	if off, _ := naive.Checkpoint(c.id); off != int64(end) {
		t.Errorf("checkpoint in the newest log = %d, want %d", off, end)
	}
	if n := c.stale(naive, end); n == 0 {
		t.Error("there is no hole, so this test shows nothing")
	}

	o2, _ := quiet(t, "boot-2")
	after := open(t, lost, o2)
	defer closeDB(t, after)
	if off, ok := after.Checkpoint(c.id); !ok || off != safe {
		t.Fatalf("checkpoint = %d, %t, want %d", off, ok, safe)
	}
	if n := c.stale(after, safe); n != 0 {
		t.Errorf("%d keys are older than the checkpoint", n)
	}
	c.apply(after, safe, end)
	if n := c.stale(after, end); n != 0 {
		t.Errorf("%d keys are stale after the replay", n)
	}
}

// changelog is one of which record i sets key i % changelogKeys to i.
type changelog struct {
	t     testing.TB
	id    store.ID
	batch store.Batch
}

const changelogKeys = 1500

func newChangelog(t testing.TB, db store.DB) *changelog {
	t.Helper()
	id, err := db.Prefix("s")
	if err != nil {
		t.Fatal(err)
	}
	return &changelog{t: t, id: id}
}

func (c *changelog) key(i int) []byte {
	return binary.BigEndian.AppendUint32(c.id.Key(nil), uint32(i%changelogKeys))
}

func changelogValue(i int) []byte { return fmt.Appendf(nil, "%0100d", i) }

// apply writes the records [from, to), and their checkpoint, as one commit.
func (c *changelog) apply(db store.DB, from, to int) {
	c.t.Helper()
	c.batch.Reset()
	for i := from; i < to; i++ {
		c.batch.Put(c.key(i), changelogValue(i))
	}
	c.batch.Checkpoint(c.id, int64(to))
	if err := db.Write(&c.batch); err != nil {
		c.t.Fatal(err)
	}
}

// stale counts the keys whose value is older than the records before end.
func (c *changelog) stale(db store.DB, end int) (n int) {
	c.t.Helper()
	for i := max(0, end-changelogKeys); i < end; i++ {
		v, ok, err := db.Get(c.key(i))
		if err != nil {
			c.t.Fatal(err)
		}
		if !ok || bytes.Compare(v, changelogValue(i)) < 0 {
			n++
		}
	}
	return n
}

// logs lists the logs of memtables, oldest first.
func logs(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "db", "*.mem"))
	if err != nil || len(names) == 0 {
		t.Fatalf("logs: %v, %v", names, err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	slices.Sort(names)
	return names
}
