package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// programs are what is run, and where.
type programs struct {
	leat, kafka, kfake string
	port               int
}

// kind is one of the brokers.
type kind struct {
	name    string
	address string
	command func(dir string) *exec.Cmd
}

// heap is what Kafka's own scripts tell the virtual machine.
const heap = "-Xms1g -Xmx1g -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 " +
	"-XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true"

// brokers are those that there are programs for, in the order of measuring.
func (p programs) brokers() []kind {
	port := strconv.Itoa(p.port)
	address := net.JoinHostPort("127.0.0.1", port)
	leat := func(durability string) func(string) *exec.Cmd {
		return func(dir string) *exec.Cmd {
			return exec.Command(p.leat, "broker", "--listen", address, "--data", filepath.Join(dir, "data"), "--durability", durability)
		}
	}
	all := []kind{{"leat-os", address, leat("os")}, {"leat-fsync", address, leat("fsync")}}
	if p.kafka != "" {
		all = append(all, kind{"kafka", address, func(dir string) *exec.Cmd {
			c := exec.Command(p.kafka, "run", port, filepath.Join(dir, "data"))
			c.Env = append(os.Environ(), "LEAT_KAFKA_JVM="+heap)
			return c
		}})
	}
	if p.kfake != "" {
		all = append(all, kind{"kfake", address, func(string) *exec.Cmd { return exec.Command(p.kfake, port) }})
	}
	return all
}

// process is a broker that runs.
type process struct {
	kind
	cmd   *exec.Cmd
	began time.Time
}

// spawn starts the broker; it isn't ready yet.
func (m *measurer) spawn() (*process, error) {
	if conn, err := net.Dial("tcp", m.kind.address); err == nil {
		conn.Close()
		return nil, fmt.Errorf("something listens on %s already: stop it, or choose another -port", m.kind.address)
	}
	p := &process{kind: m.kind, cmd: m.kind.command(m.dir)}
	out, err := os.OpenFile(m.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the process has its own
	p.cmd.Stdout, p.cmd.Stderr = out, out
	// An interrupt of the terminal is for us, who stop the broker in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// log is where the broker's output goes.
func (m *measurer) log() string { return filepath.Join(m.dir, "log") }

// patience is how long a broker may take to start, or to stop. A first start of
// Kafka may have to fetch it.
const patience = 5 * time.Minute

// begin starts the broker and waits until it takes a record.
func (m *measurer) begin(ctx context.Context) (*process, error) {
	p, err := m.spawn()
	if err != nil {
		return nil, err
	}
	if err := p.ready(ctx); err != nil {
		p.end()
		text, _ := os.ReadFile(m.log())
		return nil, fmt.Errorf("%w; it said:\n%s", err, text[max(0, len(text)-2000):])
	}
	return p, nil
}

// ready waits until the broker has taken a record.
func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.listening(ctx); err != nil {
		return err
	}
	soon := func(int) time.Duration { return 5 * time.Millisecond }
	client, err := kgo.NewClient(kgo.SeedBrokers(p.address), kgo.AllowAutoTopicCreation(), kgo.ProducerLinger(0),
		kgo.MetadataMinAge(10*time.Millisecond), kgo.RetryBackoffFn(soon), kgo.UnknownTopicRetries(-1))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(ctx, &kgo.Record{Topic: "first", Value: []byte("record")}).FirstErr()
}

// listening waits until the broker's port is open.
func (p *process) listening(ctx context.Context) error {
	for {
		conn, err := net.Dial("tcp", p.address)
		if err == nil {
			return conn.Close()
		}
		if _, err := usageOf(p.cmd.Process.Pid); err != nil {
			return errors.New("the broker has ended")
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the broker isn't there: %w", ctx.Err())
		}
	}
}

// end stops the broker, and returns how long that took.
func (p *process) end() time.Duration {
	began := time.Now()
	p.cmd.Process.Signal(syscall.SIGTERM)
	hurry := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer hurry.Stop()
	p.cmd.Wait() // how it ended says nothing: some take the signal for an error
	return time.Since(began)
}

// life measures how long the broker takes to start and stop, and what it takes
// while there is nothing to do.
func (m *measurer) life(ctx context.Context) error {
	// What a broker does once in its life, such as to format its disk, is done.
	p, err := m.begin(ctx)
	if err != nil {
		return err
	}
	p.end()
	if p, err = m.begin(ctx); err != nil {
		return err
	}
	m.add("start to first produce, ms", float64(time.Since(p.began).Microseconds())/1e3)
	before, err := usageOf(p.cmd.Process.Pid)
	if err == nil {
		select {
		case <-time.After(m.plan.idle):
		case <-ctx.Done():
		}
		var after usage
		if after, err = usageOf(p.cmd.Process.Pid); err == nil {
			m.add("idle memory, MB", after.resident)
			m.add("idle CPU, ms per s", 1000*(after.cpu-before.cpu)/m.plan.idle.Seconds())
		}
	}
	took := p.end()
	m.add("stop, ms", float64(took.Microseconds())/1e3)
	return err
}
