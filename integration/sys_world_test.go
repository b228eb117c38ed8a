package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/worker"
	"github.com/leatstream/leat/stream"
)

// world is a broker without a port and the instances of one app on it. All of
// it can be in a testing/synctest bubble.
type world struct {
	t          *testing.T
	dir        string // the broker's, "" for memory
	addr       string // where the broker listens, "" for nowhere
	remote     string // the address of a broker that is another process
	partitions int
	topo       *stream.Topology
	log        *slog.Logger
	faults     *broker.Faults // of the broker; nil is none

	mu     sync.Mutex
	broker *broker.Broker // nil while it is down

	feed  *kgo.Client
	admin *kadm.Client
	all   []*instance
}

const appID = "shop"

// newWorld starts a broker and makes the shop's topics. The world must be ended
// by the caller, inside the bubble if there is one.
func newWorld(t *testing.T, dir string, partitions int) *world {
	t.Helper()
	w := &world{t: t, dir: dir, partitions: partitions, topo: shop(usualGrace), log: testLog()}
	w.up()
	w.populate()
	return w
}

// testLog is silent, if nothing else is wished.
func testLog() *slog.Logger {
	if os.Getenv("LEAT_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

// populate makes the topics and the client.
func (w *world) populate() {
	w.t.Helper()
	w.connect()
	w.create()
}

// connect makes the client.
func (w *world) connect() {
	w.t.Helper()
	var err error
	w.feed, err = kgo.NewClient(kgo.SeedBrokers("broker:1"), kgo.Dialer(w.dial), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.admin = kadm.NewClient(w.feed)
}

// create makes the topics.
func (w *world) create() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	forever := "-1"
	resp, err := w.admin.CreateTopics(ctx, int32(w.partitions), 1, map[string]*string{"retention.ms": &forever},
		append(slices.Clone(shopInputs), shopOutputs...)...)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// up starts the broker, on the data that it had.
func (w *world) up() {
	w.t.Helper()
	b, err := broker.Start(broker.Config{Dir: w.dir, Listen: w.addr, DisableAutoCreate: true, Logger: w.log, Faults: w.faults})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broker = b
}

func (w *world) down() {
	w.t.Helper()
	w.mu.Lock()
	b := w.broker
	w.broker = nil
	w.mu.Unlock()
	if b == nil {
		return
	}
	if err := b.Close(); err != nil {
		w.t.Error(err)
	}
}

// end stops what is there still, as after a failure: a bubble is only over when
// everything in it has ended.
func (w *world) end() {
	for _, i := range w.all {
		i.die()
	}
	w.feed.Close()
	w.down()
}

func (w *world) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	if w.remote != "" {
		var d net.Dialer
		return d.DialContext(ctx, network, w.remote)
	}
	w.mu.Lock()
	b := w.broker
	w.mu.Unlock()
	if b == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	return b.Dial(ctx, network, b.Addr())
}

// write produces records, each topic in order, and waits until they are there.
func (w *world) write(in []input) {
	w.t.Helper()
	recs := make([]*kgo.Record, len(in))
	for i, r := range in {
		recs[i] = &kgo.Record{Topic: r.topic, Key: []byte(r.key), Value: r.value, Timestamp: r.at}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := w.feed.ProduceSync(ctx, recs...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// instance is a running instance, with a cable that can be cut.
type instance struct {
	*worker.Instance
	w     *world
	name  string
	dir   string
	cable *cable
	stop  context.CancelFunc
	ended chan struct{}
	err   error // once ended is closed
}

// run starts an instance. Fields of cfg that the world knows are filled in.
func (w *world) run(name, dir string, cfg worker.Config) *instance {
	w.t.Helper()
	i := &instance{w: w, name: name, dir: dir, cable: &cable{to: w.dial}, ended: make(chan struct{})}
	cfg.App, cfg.Plan, cfg.Instance, cfg.StateDir = appID, w.topo.Plan(), name, dir
	cfg.Client = client.Config{Brokers: []string{"broker:1"}, Dial: i.cable.dial}
	cfg.SessionTimeout, cfg.RebalanceTimeout = 6*time.Second, 20*time.Second
	cfg.Logger = w.log.With("instance", name)
	var err error
	if i.Instance, err = worker.New(cfg); err != nil {
		w.t.Fatal(err)
	}
	w.all = append(w.all, i)
	var ctx context.Context
	ctx, i.stop = context.WithCancel(context.Background())
	go func() {
		defer close(i.ended)
		i.err = i.Run(ctx)
	}()
	return i
}

// leave stops the instance in order.
func (i *instance) leave() {
	i.w.t.Helper()
	i.stop()
	<-i.ended
	if i.err != nil {
		i.w.t.Errorf("instance %s: %v", i.name, i.err)
	}
}

// runs is a condition: the instance runs so many tasks.
func (i *instance) runs(tasks int) func() string {
	return func() string {
		n := 0
		for _, t := range i.Status().Tasks {
			if t.Running {
				n++
			}
		}
		if n != tasks {
			return fmt.Sprintf("instance %s runs %d tasks, not %d", i.name, n, tasks)
		}
		return ""
	}
}

// hasEnded is a condition: the instance has ended by itself.
func (i *instance) hasEnded() string {
	select {
	case <-i.ended:
		return ""
	default:
		return fmt.Sprintf("instance %s goes on", i.name)
	}
}

// die cuts the instance off for good and waits for its remains, so that nothing
// it has not committed by now ever is.
func (i *instance) die() {
	i.cable.cut()
	i.stop()
	<-i.ended
}

// cable is an instance's way to the broker.
type cable struct {
	to func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	isCut bool
	drop  func(request []byte) bool
	conns map[*plug]bool
}

func (c *cable) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c.mu.Lock()
	isCut := c.isCut
	c.mu.Unlock()
	if isCut {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}
	}
	conn, err := c.to(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	p := &plug{Conn: conn, cable: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns == nil {
		c.conns = map[*plug]bool{}
	}
	c.conns[p] = true
	return p, nil
}

// cut ends all connections and refuses new ones, until mend.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = true
	for p := range c.conns {
		_ = p.Conn.Close()
	}
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.isCut = false
}

// refuse breaks a connection when a request of the given kind is about to go
// over it.
func (c *cable) refuse(api int16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop = func(b []byte) bool { return len(b) > 8 && int16(b[4])<<8|int16(b[5]) == api }
}

// pass undoes refuse.
func (c *cable) pass() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop = nil
}

// plug is one connection.
type plug struct {
	net.Conn
	cable *cable
}

func (p *plug) Write(b []byte) (int, error) {
	p.cable.mu.Lock()
	drop := p.cable.drop
	p.cable.mu.Unlock()
	if drop != nil && drop(b) {
		_ = p.Conn.Close()
	}
	n, err := p.Conn.Write(b)
	return n, reset("write", err)
}

func (p *plug) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	return n, reset("read", err)
}

// reset gives a cut connection the error that TCP would.
func reset(op string, err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, syscall.ECONNRESET)}
	}
	return err
}

func (p *plug) Close() error {
	p.cable.mu.Lock()
	delete(p.cable.conns, p)
	p.cable.mu.Unlock()
	return p.Conn.Close()
}
