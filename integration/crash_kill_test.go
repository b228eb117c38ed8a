package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker"
)

// The tests of this file kill the program `leat broker`, under load, at any
// moment, and look with `leat check` at what it leaves behind.

// kills is how often a broker is killed; LEAT_SOAK multiplies it.
func kills(t *testing.T) int {
	t.Helper()
	const few = 3
	text := os.Getenv("LEAT_SOAK")
	if text == "" {
		return few
	}
	times, err := strconv.Atoi(text)
	if err != nil || times < 1 {
		t.Fatalf("LEAT_SOAK=%s is no number", text)
	}
	return few * times
}

// TestKilled_Broker kills a broker while producers, transactions, a group, a
// share group and topics are at work. What they were told must be true
// afterwards: a killed process loses nothing, whatever its durability.
func TestKilled_Broker(t *testing.T) {
	program := filepath.Join(t.TempDir(), "leat")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/leat").CombinedOutput(); err != nil {
		t.Fatalf("build leat: %v\n%s", err, out)
	}
	for _, durability := range []string{"os", "fsync"} {
		t.Run(durability, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			v := &victim{t: t, program: program, dir: filepath.Join(t.TempDir(), "data"), addr: freeAddr(t), durability: durability}
			v.up()
			l := newLoad(t, v.addr)
			l.prepare()
			l.begin()
			rng := rand.New(rand.NewPCG(seed, 0))
			for range kills(t) {
				l.await(rng)
				v.kill()
				v.check(true)
				v.up()
				l.offsetsAreThere()
			}
			l.await(rng)
			l.end()
			l.judge()
			v.stop()
			v.check(false)
		})
	}
}

// victim is a broker that gets killed.
type victim struct {
	t                              *testing.T
	program, dir, addr, durability string
	process                        *exec.Cmd
	ended                          chan struct{} // closed when it has
	result                         error         // then
	output                         *bytes.Buffer // then
}

// up starts the program and waits until it listens.
func (v *victim) up() {
	v.t.Helper()
	v.process = exec.Command(v.program, "broker", "--data", v.dir, "--listen", v.addr, "--durability", v.durability,
		"--set", "group.share.assignment.interval.ms=0",
		"--set", "group.consumer.min.heartbeat.interval.ms=100", "--set", "group.consumer.heartbeat.interval.ms=100")
	v.output = new(bytes.Buffer)
	v.process.Stdout, v.process.Stderr = v.output, v.output
	v.process.SysProcAttr = dieWithParent()
	if err := v.process.Start(); err != nil {
		v.t.Fatal(err)
	}
	ended, running := make(chan struct{}), v.process
	v.ended = ended
	go func() {
		v.result = running.Wait()
		close(ended)
	}()
	v.t.Cleanup(func() {
		_ = running.Process.Kill() // it may be gone
		<-ended
	})
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Minute)
	defer cancel()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", v.addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-retry.C:
		case <-ended:
			v.t.Fatalf("the broker has ended: %v\n%s", v.result, v.output.String())
		case <-ctx.Done():
			v.t.Fatalf("the broker doesn't listen: %v", err)
		}
	}
}

// kill ends the program without any warning.
func (v *victim) kill() {
	if err := v.process.Process.Signal(syscall.SIGKILL); err != nil {
		v.t.Fatalf("the broker has ended by itself: %v", err)
	}
	<-v.ended
}

// stop ends the program in order.
func (v *victim) stop() {
	if err := v.process.Process.Signal(syscall.SIGTERM); err != nil {
		v.t.Fatal(err)
	}
	if <-v.ended; v.result != nil {
		v.t.Errorf("stop: %v\n%s", v.result, v.output.String())
	}
}

// check looks at the data directory. After a kill there may be what the next
// start repairs, but nothing may be lost.
func (v *victim) check(killed bool) {
	v.t.Helper()
	out, err := exec.Command(v.program, "check", "--json", v.dir).Output()
	code := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code, err = exit.ExitCode(), nil
	}
	var r broker.Report
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		v.t.Fatalf("check: %v: %s", err, out)
	}
	if r.Clean == killed || r.Partitions == 0 || r.Records == 0 {
		v.t.Errorf("check: clean %t, %d partitions, %d records", r.Clean, r.Partitions, r.Records)
	}
	if r.Worst() == broker.Damage || !killed && code != 0 {
		v.t.Errorf("check after a kill (%t) ends with %d: %+v", killed, code, r.Findings)
	}
}

// load is clients at work, and what they were told.
type load struct {
	t       *testing.T
	addr    string
	ctx     context.Context // of all requests
	running context.Context // until no more is begun
	stop    context.CancelFunc
	clients sync.WaitGroup
	acks    [kinds]chan struct{}

	mu       sync.Mutex
	sent     map[string][]*sentRecord // by producer, topic and partition
	txns     map[string]ending
	offsets  map[int32]int64 // that were committed, of topicLog
	done     map[string]bool // records that the share group has accepted
	topics   map[string]kadm.TopicID
	wrong    []string
	failures int
}

// The topics of a load, all with the same number of partitions.
const (
	topicLog, topicTxn, topicWork = "log", "txn", "work"
	loadPartitions                = 3
)

func newLoad(t *testing.T, addr string) *load {
	l := &load{
		t: t, addr: addr,
		sent: map[string][]*sentRecord{}, txns: map[string]ending{}, offsets: map[int32]int64{}, done: map[string]bool{}, topics: map[string]kadm.TopicID{},
	}
	for k := range l.acks {
		l.acks[k] = make(chan struct{}, 1<<14)
	}
	var cancel context.CancelFunc
	l.ctx, cancel = context.WithTimeout(t.Context(), 9*time.Minute)
	t.Cleanup(cancel)
	l.running, l.stop = context.WithCancel(l.ctx)
	return l
}

// options are those of all clients.
func (l *load) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(l.addr), kgo.MetadataMinAge(50 * time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }), kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.ConsiderMissingTopicDeletedAfter(time.Hour), kgo.UnknownTopicRetries(-1),
	}
}

func (l *load) client(opts ...kgo.Opt) *kgo.Client {
	c, err := kgo.NewClient(append(l.options(), opts...)...)
	if err != nil {
		panic(err) // of the test's own options
	}
	return c
}

func (l *load) prepare() {
	c := l.client()
	defer c.Close()
	adm := kadm.NewClient(c)
	if _, err := adm.CreateTopics(l.ctx, loadPartitions, 1, map[string]*string{"segment.bytes": new("20000")}, topicLog, topicTxn, topicWork, topicCopy); err != nil {
		l.t.Fatal(err)
	}
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	group := kmsg.NewIncrementalAlterConfigsRequestResource()
	group.ResourceType, group.ResourceName = kmsg.ConfigResourceTypeGroupConfig, "share"
	earliest := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	earliest.Name, earliest.Value = "share.auto.offset.reset", new("earliest")
	group.Configs, alter.Resources = append(group.Configs, earliest), append(alter.Resources, group)
	if r, err := alter.RequestWith(l.ctx, c); err != nil || r.Resources[0].ErrorCode != 0 {
		l.t.Fatalf("configure the share group: %+v, %v", r, err)
	}
}

// begin starts the clients.
func (l *load) begin() {
	for i := range 2 {
		l.clients.Go(func() { l.produce(fmt.Sprint("p", i)) })
		l.clients.Go(func() { l.transact(fmt.Sprint("x", i)) })
	}
	l.clients.Go(l.consume)
	l.clients.Go(l.share)
	l.clients.Go(l.create)
	l.clients.Go(l.copyAll)
}

// kind is something that a client is told.
type kind int

const (
	sentKind kind = iota
	txnKind
	commitKind
	shareKind
	topicKind
	copyKind
	kinds
)

// acked tells await of something that a client was told.
func (l *load) acked(k kind) {
	select {
	case l.acks[k] <- struct{}{}:
	default: // it lags behind
	}
}

func (l *load) failed(err error) {
	if err != nil && l.running.Err() == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.failures++
	}
}

// await waits until each kind of client has been told a random number of things
// from now on.
func (l *load) await(rng *rand.Rand) {
	l.t.Helper()
	for _, acks := range l.acks {
		for len(acks) > 0 {
			<-acks
		}
	}
	for k, most := range [kinds]int{sentKind: 5000, txnKind: 20, commitKind: 10, shareKind: 5, topicKind: 3, copyKind: 5} {
		for range 1 + rng.IntN(most) {
			select {
			case <-l.acks[k]:
			case <-l.ctx.Done():
				l.t.Fatalf("there is no progress any more in %d", k)
			}
		}
	}
}

// end lets the clients finish what they have begun.
func (l *load) end() {
	l.stop()
	l.clients.Wait()
}
