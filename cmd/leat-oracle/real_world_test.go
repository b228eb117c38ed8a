package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/stream"
)

// world is an embedded broker with a case's topics, and the instances of the
// case's app.
type world struct {
	c          *testCase
	rng        *rand.Rand
	b          *builder
	topo       *stream.Topology
	dirs       func() string // makes a folder for state
	left       []string      // folders of instances that have ended
	settings   stream.Config
	partitions int

	broker  *broker.Broker
	client  *kgo.Client
	admin   *kadm.Client
	running []*instance
}

const appID = "app"

// pick is one of vs.
func pick[T any](rng *rand.Rand, vs ...T) T { return vs[rng.IntN(len(vs))] }

// newWorld builds the case's topology and starts a broker. It must be closed.
func newWorld(c *testCase, rng *rand.Rand, dirs func() string) (*world, error) {
	w := &world{c: c, rng: rng, b: newBuilder(c), dirs: dirs, partitions: 1}
	w.b.peek = func(string, *datum, *datum) {}
	w.b.now = time.Time.UnixMilli
	if partitionable(c) {
		w.partitions = pick(rng, 1, 2, 3)
	}
	w.settings = stream.Config{
		CommitInterval: pick(rng, 5*time.Millisecond, 20*time.Millisecond, 60*time.Millisecond),
		CacheBytes:     pick(rng, int64(1), 500, 20_000, 64<<20),
	}
	var err error
	if w.topo, err = w.b.topology(true); err != nil {
		return nil, err
	}
	w.broker, err = broker.Start(broker.Config{DisableAutoCreate: true, MaintenanceInterval: -1})
	if err != nil {
		return nil, err
	}
	w.client, err = kgo.NewClient(kgo.SeedBrokers("broker:1"), kgo.Dialer(w.dial), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		return nil, errors.Join(err, w.broker.Close())
	}
	w.admin = kadm.NewClient(w.client)
	return w, nil
}

// String is the settings.
func (w *world) String() string {
	return fmt.Sprintf("%d partitions, commits every %v, %d bytes of cache", w.partitions, w.settings.CommitInterval, w.settings.CacheBytes)
}

func (w *world) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return w.broker.Dial(ctx, network, w.broker.Addr())
}

func (w *world) close() error {
	err := w.stop()
	w.client.Close()
	return errors.Join(err, w.broker.Close())
}

// sinks are the topics that the case writes to.
func (w *world) sinks() []string {
	names := slices.Clone(w.b.sinks)
	slices.Sort(names)
	return slices.Compact(names)
}

// create makes the case's topics.
func (w *world) create(ctx context.Context) error {
	names := w.sinks()
	for name := range w.b.inputs {
		names = append(names, name)
	}
	for _, e := range w.c.Inputs {
		if e.Topic != "" {
			names = append(names, e.Topic)
		}
	}
	slices.Sort(names)
	// The cases' timestamps are of 1970.
	forever := "-1"
	resp, err := w.admin.CreateTopics(ctx, int32(w.partitions), 1, map[string]*string{"retention.ms": &forever}, slices.Compact(names)...)
	return cmp.Or(err, resp.Error())
}

// instance is a running instance of the app.
type instance struct {
	dir   string
	leave context.CancelFunc
	ended chan struct{}
	err   error // once ended is closed
}

// start starts an instance, with the state of an earlier one or without.
func (w *world) start() error {
	dir := ""
	if i := w.rng.IntN(len(w.left) + 1); i < len(w.left) {
		dir = w.left[i]
		w.left = slices.Delete(w.left, i, i+1)
	} else {
		dir = w.dirs()
	}
	cfg := w.settings
	cfg.ApplicationID, cfg.Brokers, cfg.Dial, cfg.StateDir = appID, []string{"broker:1"}, w.dial, dir
	cfg.Workers = pick(w.rng, 1, 2, 3)
	app, err := stream.New(w.topo, cfg)
	if err != nil {
		return err
	}
	i := &instance{dir: dir, ended: make(chan struct{})}
	var ctx context.Context
	ctx, i.leave = context.WithCancel(context.Background())
	go func() {
		defer close(i.ended)
		i.err = app.Run(ctx)
	}()
	w.running = append(w.running, i)
	return nil
}

// stop ends an instance in order, or all of them.
func (w *world) stop(which ...int) error {
	var errs []error
	kept := w.running[:0]
	for n, i := range w.running {
		if len(which) > 0 && !slices.Contains(which, n) {
			kept = append(kept, i)
			continue
		}
		i.leave()
		<-i.ended
		errs = append(errs, i.err)
		w.left = append(w.left, i.dir)
	}
	w.running = kept
	return errors.Join(errs...)
}

// send writes records, and waits until they are there.
func (w *world) send(ctx context.Context, events []event) error {
	var recs []*kgo.Record
	for _, e := range events {
		key, value, headers, err := w.b.record(e)
		if err != nil {
			return err
		}
		r := &kgo.Record{Topic: e.Topic, Key: key, Value: value, Timestamp: time.UnixMilli(e.TS)}
		for _, h := range headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		recs = append(recs, r)
	}
	return w.client.ProduceSync(ctx, recs...).FirstErr()
}

// settle waits until the app has committed all there is.
func (w *world) settle(ctx context.Context) error {
	for {
		missing, err := w.behind(ctx)
		if err != nil || missing == "" {
			return err
		}
		for _, i := range w.running {
			select {
			case <-i.ended:
				return fmt.Errorf("an instance has ended: %w", i.err)
			default:
			}
		}
		pause := time.NewTimer(5 * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return fmt.Errorf("%w; still %s", ctx.Err(), missing)
		}
	}
}

// behind says what isn't committed yet.
func (w *world) behind(ctx context.Context) (string, error) {
	var topics []string
	for _, t := range w.topo.Plan().Graph.Topics {
		if name := t.Physical(appID); !w.global(name) && (t.Role == topology.Repartition || w.fed(name)) {
			topics = append(topics, name)
		}
	}
	for _, e := range w.c.Inputs {
		if e.Topic != "" && !w.global(e.Topic) {
			topics = append(topics, e.Topic)
		}
	}
	slices.Sort(topics)
	topics = slices.Compact(topics)
	if len(topics) == 0 {
		return "", nil
	}
	// First what is committed: with ends that are older a backlog might hide.
	committed, err := w.admin.FetchOffsets(ctx, appID)
	if err != nil {
		return "", err
	}
	ends, err := w.admin.ListEndOffsets(ctx, topics...)
	if err := cmp.Or(err, ends.Error()); err != nil {
		return err.Error(), nil // repartition topics may have to be made yet
	}
	var lines []string
	ends.Each(func(e kadm.ListedOffset) {
		c, ok := committed.Lookup(e.Topic, e.Partition)
		if at := max(c.At, 0); e.Offset > 0 && (!ok || at < e.Offset) {
			lines = append(lines, fmt.Sprintf("%s/%d is at %d of %d", e.Topic, e.Partition, at, e.Offset))
		}
	})
	return strings.Join(lines, ", "), nil
}

// fed reports whether a topic is read by a task.
func (w *world) fed(name string) bool { _, ok := w.b.inputs[name]; return ok }

// global reports whether a topic is that of a global table.
func (w *world) global(name string) bool {
	return slices.ContainsFunc(w.c.Topology, func(op operator) bool { return op.Op == "globalTable" && op.Topic == name })
}

// read is what is on the sinks, partition by partition.
func (w *world) read(ctx context.Context) (map[string][]output, error) {
	out := map[string][]output{}
	ends, err := w.admin.ListEndOffsets(ctx, w.sinks()...)
	if err := cmp.Or(err, ends.Error()); err != nil {
		return nil, err
	}
	parts, left := map[string]map[int32]kgo.Offset{}, 0
	ends.Each(func(e kadm.ListedOffset) {
		if e.Offset == 0 {
			return
		}
		if parts[e.Topic] == nil {
			parts[e.Topic] = map[int32]kgo.Offset{}
		}
		parts[e.Topic][e.Partition] = kgo.NewOffset().At(0)
		left++
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers("broker:1"), kgo.Dialer(w.dial), kgo.ConsumePartitions(parts), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	for left > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if end, ok := ends.Lookup(r.Topic, r.Partition); ok && r.Offset+1 == end.Offset {
				left--
			}
			if !r.Attrs.IsControl() {
				o, errRead := w.output(r)
				err = cmp.Or(err, errRead)
				out[r.Topic] = append(out[r.Topic], o)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (w *world) output(r *kgo.Record) (o output, err error) {
	key, value := w.b.written(r.Topic)
	if r.Key != nil {
		if o.Key, err = key.Decode(r.Key); err != nil {
			return o, err
		}
	}
	if r.Value != nil {
		o.Value, err = value.Decode(r.Value)
	}
	o.TS = r.Timestamp.UnixMilli()
	return o, err
}
