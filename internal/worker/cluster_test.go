package worker

import (
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/internal/client"
)

// cluster is a broker in this process that can be stopped and started again.
type cluster struct {
	t   *testing.T
	dir string

	mu     sync.Mutex
	broker *broker.Broker // nil while it is down

	refused atomic.Int64 // connections
}

// startCluster starts a broker and returns how to reach it.
func startCluster(t *testing.T, topics map[string]int32) client.Config {
	_, cfg := newCluster(t, topics)
	return cfg
}

func newCluster(t *testing.T, topics map[string]int32) (*cluster, client.Config) {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir()}
	c.up()
	t.Cleanup(c.down)
	for name, n := range topics {
		if err := c.broker.CreateTopic(t.Context(), name, int(n)); err != nil {
			t.Fatal(err)
		}
	}
	return c, client.Config{Brokers: []string{c.broker.Addr()}, Dial: c.dial}
}

func (c *cluster) up() {
	c.t.Helper()
	b, err := broker.Start(broker.Config{Dir: c.dir})
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broker = b
}

func (c *cluster) down() {
	c.mu.Lock()
	b := c.broker
	c.broker = nil
	c.mu.Unlock()
	if b == nil {
		return
	}
	if err := b.Close(); err != nil {
		c.t.Errorf("close the broker: %v", err)
	}
}

func (c *cluster) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	c.mu.Lock()
	b := c.broker
	c.mu.Unlock()
	if b == nil {
		c.refused.Add(1)
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	// It has another address after each start.
	return b.Dial(ctx, network, b.Addr())
}
