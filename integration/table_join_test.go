package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
)

// lastYear is when the records below are from.
var lastYear = time.Now().Add(-365 * 24 * time.Hour).Truncate(time.Second)

// writeAt writes n records of the keys k0, k1, …, each a second after the last.
func (c cluster) writeAt(t *testing.T, topic, value string, n int, at time.Time) {
	t.Helper()
	recs := make([]*kgo.Record, n)
	for i := range recs {
		recs[i] = &kgo.Record{
			Topic: topic, Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "%s%d", value, i),
			Timestamp: at.Add(time.Duration(i) * time.Second),
		}
	}
	if err := c.client(t).ProduceSync(timeout(t, 30*time.Second), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// expectJoined waits until each key has the result that want gives it.
func (c cluster) expectJoined(t *testing.T, what, out string, n int, want func(i int) string) {
	t.Helper()
	wrong := ""
	defer func() {
		if t.Failed() {
			t.Log(wrong)
		}
	}()
	eventually(t, what, func() bool {
		rows := c.table(t, out)
		for i := range n {
			if got := string(rows[fmt.Sprintf("k%d", i)]); got != want(i) {
				wrong = fmt.Sprintf("k%d is %q, want %q", i, got, want(i))
				return false
			}
		}
		return true
	})
}

// TestScenarioTableFirst joins records with rows that were written with later
// timestamps: those that were there when the app started are found all the same.
func TestScenarioTableFirst(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		const n, partitions = 2000, 3
		orders := topic.New(unique("orders"), serde.String, serde.String)
		people := topic.New(unique("people"), serde.String, serde.String)
		out := topic.New(unique("joined"), serde.String, serde.String)
		c.create(t, partitions, orders.Name(), people.Name(), out.Name())
		c.writeAt(t, orders.Name(), "order ", n, lastYear)
		c.writeAt(t, people.Name(), "person ", n, lastYear.Add(24*time.Hour))

		topo := stream.MustBuild(func(b *stream.Builder) {
			b.Stream(orders).LeftJoinTable(b.Table(people, state.New("people", serde.String, serde.String)),
				func(o, p string, known bool) string { return o + " of " + p }, stream.JoinTableFirst()).To(out)
		})
		id := unique("app")
		a := c.start(t, topo, id, t.TempDir())
		want := func(i int) string { return fmt.Sprintf("order %d of person %d", i, i) }
		c.expectJoined(t, "every order finds its person", out.Name(), n, want)
		a.end(t)

		// What was written while nothing ran is read first too.
		c.writeAt(t, people.Name(), "Mx ", n, lastYear.Add(48*time.Hour))
		c.writeAt(t, orders.Name(), "second order ", n, lastYear.Add(time.Hour))
		c.start(t, topo, id, t.TempDir())
		want = func(i int) string { return fmt.Sprintf("second order %d of Mx %d", i, i) }
		c.expectJoined(t, "every second order finds the person's new name", out.Name(), n, want)
	})
}

// TestScenarioVersionedLostDisk asks a versioned table for what it was, before and
// after the app has lost its disk: the history is in the changelog, whose records
// are older than any broker would keep by its clock.
func TestScenarioVersionedLostDisk(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		const n, partitions = 500, 2
		events := topic.New(unique("events"), serde.String, serde.String)
		rates := topic.New(unique("rates"), serde.String, serde.String)
		out := topic.New(unique("joined"), serde.String, serde.String)
		c.create(t, partitions, events.Name(), rates.Name(), out.Name())
		c.writeAt(t, rates.Name(), "old ", n, lastYear)
		c.writeAt(t, rates.Name(), "new ", n, lastYear.Add(10*time.Hour))
		c.writeAt(t, events.Name(), "first ", n, lastYear.Add(5*time.Hour))

		topo := stream.MustBuild(func(b *stream.Builder) {
			table := b.Table(rates, state.New("rates", serde.String, serde.String, state.Versioned(24*time.Hour)))
			b.Stream(events).LeftJoinTable(table, func(e, r string, known bool) string { return e + " at " + r },
				stream.JoinGrace(time.Minute, state.New("waiting", serde.String, serde.String))).To(out)
		})
		id := unique("app")
		a := c.start(t, topo, id, t.TempDir())
		// The last ones wait for their grace period to be over.
		want := func(i int) string { return fmt.Sprintf("first %d at old %d", i, i) }
		c.expectJoined(t, "events are joined as of their time", out.Name(), n-100, want)
		a.end(t)

		c.start(t, topo, id, t.TempDir())
		c.writeAt(t, events.Name(), "second ", n, lastYear.Add(6*time.Hour))
		want = func(i int) string { return fmt.Sprintf("second %d at old %d", i, i) }
		c.expectJoined(t, "events are joined as of their time, with an empty disk", out.Name(), n-100, want)
		c.writeAt(t, events.Name(), "third ", n, lastYear.Add(11*time.Hour))
		want = func(i int) string { return fmt.Sprintf("third %d at new %d", i, i) }
		c.expectJoined(t, "later events are joined with the new rates", out.Name(), n-100, want)
	})
}
