package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/broker/internal/vfs"
)

// A history is what clients that work at the same time asked of a broker and
// were told, while requests get lost, the broker restarts, and the power goes.
// It is recorded at the clients, and then held against what the logs are to be:
// see history_check_test.go.
type history struct {
	t          *testing.T
	rng        *rand.Rand // of the one who disturbs
	seed       uint64
	fs         *vfs.Fault
	durability Durability
	faults     Faults
	injected   []*Injection
	now        current
	stop       context.Context // no new operations are begun after that
	clients    sync.WaitGroup

	clock atomic.Int64 // of calls and returns: their order is all that counts
	names atomic.Int64

	mu       sync.Mutex
	logs     map[int32][]porcupine.Operation // of logTopic, by partition
	offsets  map[int32][]porcupine.Operation // committed, by partition
	sent     map[string][]*sentRecord        // by producer and partition
	epochs   []epochAt
	ends     map[string][]endAt // by topic, partition and isolation
	txns     map[string]outcome // by transaction
	parts    map[string]int     // how many records a transaction has
	seen     []*sighting
	failed   []string // operations that came to nothing, for who reads a failure
	happened []string
}

// The topics, and how many partitions they have.
const (
	logTopic, logPartitions = "log", int32(2)
	txnTopic, txnPartitions = "txn", int32(3)
	offsetGroup             = "register"
)

// historyRounds is how many disturbances a history has; LEAT_SOAK multiplies
// them.
const historyRounds = 12

// soaked is n, or as many times as much as LEAT_SOAK says.
func soaked(t *testing.T, n int) int {
	t.Helper()
	text := os.Getenv("LEAT_SOAK")
	if text == "" {
		return n
	}
	times, err := strconv.Atoi(text)
	if err != nil || times < 1 {
		t.Fatalf("LEAT_SOAK=%s is no number", text)
	}
	return n * times
}

func TestHistory(t *testing.T) {
	for range soaked(t, 3) {
		seed := rand.Uint64()
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { historyOf(t, seed) })
	}
}

// historyOf makes the history of a seed, as far as a seed decides it, and judges
// it.
func historyOf(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithCancel(t.Context())
		h := &history{
			t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), fs: vfs.NewFault(vfs.NewMem()), stop: stop,
			logs: map[int32][]porcupine.Operation{}, offsets: map[int32][]porcupine.Operation{}, sent: map[string][]*sentRecord{},
			ends: map[string][]endAt{}, txns: map[string]outcome{}, parts: map[string]int{},
		}
		h.durability = []Durability{OS, Fsync, Fsync}[h.rng.IntN(3)]
		h.up()
		for i, topic := range []string{logTopic, txnTopic} {
			n := []int32{logPartitions, txnPartitions}[i]
			// Segments are so small that there are many, or one.
			segment := TopicConfig{"segment.bytes", []string{"500", "3000", "1000000"}[h.rng.IntN(3)]}
			if err := h.now.b.Load().CreateTopic(t.Context(), topic, int(n), segment); err != nil {
				t.Fatal(err)
			}
		}
		h.populate()
		for range historyRounds {
			h.pause(h.rng, 20)
			h.disturb()
		}
		h.pause(h.rng, 20)
		cancel()
		h.clients.Wait()
		defer func() {
			if err := h.now.b.Load().Close(); err != nil {
				t.Error(err)
			}
		}()
		h.judge()
	})
}

// pause lets up to n ticks pass. All wait for ticks of the same clock, so that
// they wake up, and work, at the same time.
func (h *history) pause(rng *rand.Rand, n int) {
	const tick = 10 * time.Millisecond
	<-time.After(time.Duration(rng.IntN(n)) * tick)
}

func (h *history) config() Config {
	return Config{fs: h.fs, Durability: h.durability, MaintenanceInterval: 200 * time.Millisecond, Faults: &h.faults, Set: map[string]string{
		"offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1",
	}}
}

func (h *history) up() {
	b, err := Start(h.config())
	if err != nil {
		h.t.Fatalf("start after %v: %v", h.happened, err)
	}
	h.now.b.Store(b)
}

// kill ends the broker, which changes nothing any more, not even when it is
// closed: it might as well have been killed.
func (h *history) kill(b *Broker) {
	revive := h.fs.Inject(vfs.Rule{Ops: vfs.OpChange, Err: vfs.ErrPowerCut})
	_ = b.Close()
	revive()
}

// cutPower cuts the power after n changes, and then perhaps again while a broker
// recovers from that.
func (h *history) cutPower(n int) {
	h.fs.CutAfter(n)
	h.pause(h.rng, 30)
	h.kill(h.now.b.Load())
	h.fs.PowerCut(h.rng.Uint64())
	for h.rng.IntN(2) == 0 {
		n := 1 + h.rng.IntN(30)
		h.note("and again after %d", n)
		h.fs.CutAfter(n)
		if b, err := Start(h.config()); err == nil {
			h.kill(b)
		}
		h.fs.PowerCut(h.rng.Uint64())
	}
}

// disturb does something that no client may notice but by waiting.
func (h *history) disturb() {
	switch h.rng.IntN(5) {
	case 0:
		h.note("restart")
		if err := h.now.b.Load().Close(); err != nil {
			h.t.Errorf("close: %v", err)
		}
		h.pause(h.rng, 20)
		h.up()
	case 1:
		n := 1 + h.rng.IntN(40)
		h.note("killed, with %s a power cut after %d changes", h.durability, n)
		// Clients fetch again at once after an error: time would stand still.
		slow := h.faults.Inject(Fault{APIs: []API{Fetch}, Delay: 10 * time.Millisecond})
		if h.durability == Fsync {
			h.cutPower(n)
		} else {
			h.kill(h.now.b.Load())
		}
		slow.Lift()
		h.up()
	default:
		apis := []API{Produce, Fetch, ListOffsets, Metadata, OffsetCommit, OffsetFetch, InitProducerID, AddPartitionsToTxn, EndTxn}
		f := Fault{
			APIs: []API{apis[h.rng.IntN(len(apis))]}, Skip: h.rng.IntN(3), Times: 1 + h.rng.IntN(3),
			Effect: []Effect{Answer, Disconnect, LoseAnswer, Silence}[h.rng.IntN(4)],
			Delay:  time.Duration(h.rng.IntN(30)) * 10 * time.Millisecond,
		}
		h.note("%v: effect %d after %v", f.APIs[0], f.Effect, f.Delay)
		h.injected = append(h.injected, h.faults.Inject(f))
	}
}

func (h *history) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.happened = append(h.happened, fmt.Sprintf(format, args...))
}

// populate starts the clients.
func (h *history) populate() {
	for i := range 3 {
		h.run(fmt.Sprint("w", i), h.write)
		h.run(fmt.Sprint("c", i), h.commitOffsets)
	}
	for i := range 2 {
		h.run(fmt.Sprint("r", i), h.readLog)
		h.run(fmt.Sprint("l", i), h.listEnds)
		h.run(fmt.Sprint("e", i), h.claimEpochs)
		h.run(fmt.Sprint("x", i), h.transact)
		h.run(fmt.Sprint("s", i), func(name string, rng *rand.Rand) { h.follow(name, i == 0) })
	}
}

// run runs one client until the history ends.
func (h *history) run(name string, client func(name string, rng *rand.Rand)) {
	rng := rand.New(rand.NewPCG(h.seed, uint64(100+h.names.Add(1))))
	h.clients.Go(func() { client(name, rng) })
}

// client connects to whatever broker there is.
func (h *history) client(name string, opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers("leat:9092"), kgo.Dialer(h.dial), kgo.ClientID(name),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.UnknownTopicRetries(-1), kgo.RequestTimeoutOverhead(time.Second),
	}, opts...)...)
	if err != nil {
		panic(err) // of the test's own options
	}
	return c
}

// dial takes a moment to fail: clients that look for a producer id try again at
// once, and time would stand still.
func (h *history) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := h.now.dial(ctx, network, addr)
	if err != nil {
		<-time.After(10 * time.Millisecond)
	}
	return c, err
}

// once is a client that asks once: what fails may have been done, or not.
func (h *history) once(name string) *kgo.Client {
	return h.client(name, kgo.RequestRetries(0), kgo.RetryTimeout(time.Nanosecond))
}

func (h *history) ended() bool { return h.stop.Err() != nil }

// never is the time of a return that didn't come: the operation may take effect
// at any time.
const neverReturned = 1 << 60

// op records an operation that began at call.
func (h *history) op(of map[int32][]porcupine.Operation, p int32, call int64, in, out any, err error) {
	back := h.clock.Add(1)
	if err != nil {
		back = neverReturned
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	of[p] = append(of[p], porcupine.Operation{Input: in, Output: out, Call: call, Return: back})
}

// lost notes an operation that failed.
func (h *history) lost(name, what string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = append(h.failed, fmt.Sprintf("%s: %s: %v", name, what, err))
}
