package integration

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/internal/worker"
)

// TestVirtualHour is a broker and two instances under virtual time.
func TestVirtualHour(t *testing.T) {
	began := time.Now()
	dirs := []string{t.TempDir(), t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "", 3)
		defer w.end()
		f := newTraffic(1, time.Now())
		a := w.run("a", dirs[0], worker.Config{Workers: 1, CommitInterval: time.Second})
		w.write(f.master(10))
		w.write(f.sales(60))
		w.settle()
		b := w.run("b", dirs[1], worker.Config{Workers: 1, CommitInterval: time.Second})
		w.write(f.master(10))
		w.write(f.sales(60))
		time.Sleep(30 * time.Minute)
		a.leave()
		w.write(f.sales(60))
		time.Sleep(30 * time.Minute)
		w.settle()
		b.leave()
		if d := f.want().diff(w.outcome()); d != "" {
			t.Error(d)
		}
	})
	t.Log("real time", time.Since(began))
}
