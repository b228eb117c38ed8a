package integration

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/worker"
)

// The tests of this file kill processes: this test binary, run again with
// TestChild only. They run in real time, over TCP.

const (
	childRole = "LEAT_TEST_CHILD" // "broker" or "instance"
	childAddr = "LEAT_TEST_ADDR"
	childDir  = "LEAT_TEST_DIR"
)

// TestChild is what a child process does, until it is killed.
func TestChild(t *testing.T) {
	addr, dir := os.Getenv(childAddr), os.Getenv(childDir)
	switch os.Getenv(childRole) {
	case "":
		t.Skip("it is for processes that other tests start")
	case "broker":
		if _, err := broker.Start(broker.Config{Dir: dir, Listen: addr, DisableAutoCreate: true}); err != nil {
			t.Fatal(err)
		}
		select {}
	case "instance":
		in, err := worker.New(worker.Config{
			App: appID, Plan: shop(usualGrace).Plan(), StateDir: dir, Workers: 1, CommitInterval: 200 * time.Millisecond,
			Client: client.Config{Brokers: []string{addr}}, SessionTimeout: 6 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Fatal(in.Run(context.Background()))
	}
}

// child starts a process; kill ends it without any warning.
func child(t *testing.T, role, addr, dir string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childRole+"="+role, childAddr+"="+addr, childDir+"="+dir)
	cmd.Stderr = os.Stderr
	// It dies with this process, even if that is killed.
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := false
	kill = func() {
		if done {
			return
		}
		done = true
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Errorf("kill the %s: %v", role, err)
		}
		_ = cmd.Wait() // it was killed
	}
	t.Cleanup(kill)
	return kill
}

// freeAddr is an address on which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestKilledInstance kills an app's process in the middle of its work, twice.
// The next one continues on its state.
func TestKilledInstance(t *testing.T) {
	addr, dir := freeAddr(t), t.TempDir()
	w := &world{t: t, addr: addr, partitions: 3, topo: shop(usualGrace), log: testLog()}
	w.up()
	w.populate()
	defer w.end()
	c := &crash{world: w, f: newTraffic(3, time.Now())}
	for range 2 {
		kill := child(t, "instance", addr, dir)
		c.more()
		w.await("most is committed", func() string {
			if missing := w.behind(); strings.Count(missing, "\n") > 3 {
				return missing
			}
			return ""
		})
		c.more()
		kill()
	}
	child(t, "instance", addr, dir)
	c.more()
	w.settle()
	c.lacksNothing("after two kills")
}

// TestKilledBroker kills the process of a broker that an app works on. What it
// has acknowledged is in its files.
func TestKilledBroker(t *testing.T) {
	addr, dir := freeAddr(t), t.TempDir()
	kill := child(t, "broker", addr, dir)
	w := &world{t: t, remote: addr, partitions: 3, topo: shop(usualGrace), log: testLog()}
	w.await("the broker listens", func() string {
		conn, err := w.dial(t.Context(), "tcp", addr)
		if err != nil {
			return err.Error()
		}
		_ = conn.Close()
		return ""
	})
	w.populate()
	defer w.end()
	c := &crash{world: w, f: newTraffic(4, time.Now())}
	app := w.run("app", t.TempDir(), often)
	for range 2 {
		c.more()
		kill()
		kill = child(t, "broker", addr, dir)
		c.more()
	}
	w.settle()
	app.leave()
	c.lacksNothing("after two kills")
}
