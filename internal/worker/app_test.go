package worker

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// The applications of the tests are made by hand of what package task offers,
// so that they show what an instance does with a task and nothing else.

// counts is a store of a number per key, kept whole in memory.
type counts struct {
	t       *task.Task
	index   int
	topic   string
	id      store.ID
	n       map[string]uint64
	dirty   map[string]bool // not in the changelog yet
	pending map[string]bool // not on disk yet
	persist func(*counts)   // called by Persist, may be nil
}

func openCounts(t *task.Task, s *topology.Store, persist func(*counts)) *counts {
	c := &counts{
		t: t, topic: s.ChangelogTopic(t.App()),
		n: map[string]uint64{}, dirty: map[string]bool{}, pending: map[string]bool{}, persist: persist,
	}
	t.OpenStore(s, func(changelog int, db store.DB, id store.ID) (task.Store, error) {
		c.index, c.id = changelog, id
		lo, hi := id.Bounds()
		return c, db.Scan(lo, hi, func(k, v []byte) bool {
			c.n[string(k[store.PrefixLen:])] = binary.BigEndian.Uint64(v)
			return true
		})
	})
	return c
}

func (c *counts) add(key string) uint64 {
	c.n[key]++
	c.dirty[key] = true
	return c.n[key]
}

func (c *counts) value(key string) []byte { return binary.BigEndian.AppendUint64(nil, c.n[key]) }

func (c *counts) Expire() error { return nil }

func (c *counts) Flush() error {
	for _, key := range sorted(c.dirty) {
		o := task.Outgoing{Topic: c.topic, Partition: c.t.Partition(), Key: []byte(key), Value: c.value(key), Changelog: c.index}
		if err := c.t.Send(&o); err != nil {
			return err
		}
		c.pending[key] = true
	}
	clear(c.dirty)
	return nil
}

func (c *counts) Persist(b *store.Batch) {
	if c.persist != nil {
		c.persist(c)
	}
	for _, key := range sorted(c.pending) {
		b.Put(c.id.Key(nil, []byte(key)), c.value(key))
	}
	clear(c.pending)
}

func (c *counts) Restore(recs []record.Record) error {
	for _, r := range recs {
		c.n[string(r.Key)] = binary.BigEndian.Uint64(r.Value)
		c.pending[string(r.Key)] = true
	}
	return nil
}

func sorted(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// countPlan counts the values of topic "in" and writes each new count to "out":
// the value is the key there. With a repartition topic in between, as every
// group-by has.
func countPlan() *task.Plan { return countPlanThat(nil) }

// countPlanThat calls persist whenever a store is about to be written.
func countPlanThat(persist func(*counts)) *task.Plan {
	g := &topology.Graph{}
	in, out := g.Topic(topology.Topic{Name: "in"}), g.Topic(topology.Topic{Name: "out"})
	by := g.Topic(topology.Topic{Name: "by", Role: topology.Repartition})
	s := g.Store(topology.Store{Name: "counts", Kind: topology.KeyValue})
	p := &task.Plan{Graph: g}

	source := g.Add(&topology.Node{Op: "Stream", Kind: topology.Source, Topic: in})
	g.Add(&topology.Node{Op: "By", Kind: topology.Sink, Topic: by, Inputs: []*topology.Node{source}})
	again := g.Add(&topology.Node{Op: "Stream", Kind: topology.Source, Topic: by})
	count := g.Add(&topology.Node{Op: "Count", Kind: topology.Processor, Stores: []*topology.Store{s}, Inputs: []*topology.Node{again}})
	g.Add(&topology.Node{Op: "To", Kind: topology.Sink, Topic: out, Inputs: []*topology.Node{count}})

	p.Make = make([]func(*task.Task), len(g.Nodes))
	p.Make[source.ID] = func(t *task.Task) {
		t.OnSource("in", func(r *record.Record) error {
			return t.Send(&task.Outgoing{Topic: by.Physical(t.App()), Partition: -1, Key: r.Value, Value: []byte{}, Time: r.Time, Changelog: -1})
		})
	}
	p.Make[count.ID] = func(t *task.Task) {
		c := openCounts(t, s, persist)
		t.OnSource(by.Physical(t.App()), func(r *record.Record) error {
			n := c.add(string(r.Key))
			return t.Send(&task.Outgoing{Topic: "out", Partition: -1, Key: r.Key, Value: []byte(fmt.Sprint(n)), Time: r.Time, Changelog: -1})
		})
	}
	return p
}

// mergePlan writes down what comes from "left" and "right", in the order in
// which a task takes it.
func mergePlan(log *orderLog) *task.Plan {
	g := &topology.Graph{}
	p := &task.Plan{Graph: g}
	var sources []*topology.Node
	for _, name := range []string{"left", "right"} {
		t := g.Topic(topology.Topic{Name: name})
		sources = append(sources, g.Add(&topology.Node{Op: "Stream", Kind: topology.Source, Topic: t}))
		p.Make = append(p.Make, func(t *task.Task) {
			t.OnSource(name, func(r *record.Record) error {
				log.add(r.Time)
				return nil
			})
		})
	}
	g.Add(&topology.Node{Op: "Merge", Kind: topology.Processor, Inputs: sources, Copartitioned: true})
	p.Make = append(p.Make, nil)
	return p
}

// orderLog collects times from several goroutines.
type orderLog struct {
	mu    sync.Mutex
	times []int64
}

func (l *orderLog) add(t int64) {
	l.mu.Lock()
	l.times = append(l.times, t)
	l.mu.Unlock()
}

func (l *orderLog) all() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.times)
}
