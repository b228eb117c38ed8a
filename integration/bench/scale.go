package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"
)

// scale is how much of everything there is at a time.
type scale struct {
	partitions  int
	connections int
	members     int // of one group
}

// many measures what a broker does with many partitions and connections.
func (m *measurer) many(ctx context.Context) error {
	p, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { p.end() }()
	if err := m.manyPartitions(ctx, p); err != nil {
		return err
	}
	// Nothing waits for connections to end, or for requests.
	m.add("stop with the partitions, ms", float64(p.end().Microseconds())/1e3)
	if p, err = m.again(ctx, "restart after a stop"); err != nil {
		return err
	}
	if err := m.writeEverywhere(ctx, p); err != nil {
		return err
	}
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	p.end()
	if p, err = m.again(ctx, "restart after kill -9"); err != nil {
		return err
	}
	if err := m.manyConnections(ctx, p); err != nil {
		return err
	}
	return m.manyMembers(ctx, p)
}

// again starts the broker on what it has.
func (m *measurer) again(ctx context.Context, what string) (*process, error) {
	p, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	m.add(what+", ms", float64(time.Since(p.began).Microseconds())/1e3)
	return p, m.quiet(ctx, p, what+": ")
}

// quiet measures what the broker takes while nothing happens.
func (m *measurer) quiet(ctx context.Context, p *process, what string) error {
	pid := p.cmd.Process.Pid
	before, err := usageOf(pid)
	if err != nil {
		return err
	}
	select {
	case <-time.After(m.plan.idle):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := usageOf(pid)
	if err != nil {
		return err
	}
	m.add(what+"idle memory, MB", after.resident)
	m.add(what+"idle CPU, ms per s", 1000*(after.cpu-before.cpu)/m.plan.idle.Seconds())
	files, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "fd"))
	m.add(what+"open files", float64(len(files)))
	return err
}

// wide is the topic with many partitions.
const wide = "wide"

// timed tells how long something took.
func (m *measurer) timed(metric string, do func() error) error {
	began := time.Now()
	err := do()
	m.add(metric+", ms", float64(time.Since(began).Microseconds())/1e3)
	return err
}

func (m *measurer) manyPartitions(ctx context.Context, p *process) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(p.address))
	if err != nil {
		return err
	}
	defer client.Close()
	n := m.plan.scale.partitions
	err = m.timed("create a topic with all partitions", func() error {
		request := kmsg.NewPtrCreateTopicsRequest()
		request.TimeoutMillis = int32(patience.Milliseconds())
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = wide, int32(n), 1
		request.Topics = append(request.Topics, topic)
		answer, err := request.RequestWith(ctx, client)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(answer.Topics[0].ErrorCode)
	})
	if err != nil {
		return err
	}
	admin := kadm.NewClient(client)
	for range 3 { // the first is also for the pools to fill
		err = m.timed("metadata of all partitions", func() error {
			found, err := admin.ListTopics(ctx, wide)
			if err == nil && len(found[wide].Partitions) != n {
				err = fmt.Errorf("%d partitions instead of %d", len(found[wide].Partitions), n)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return m.quiet(ctx, p, "all partitions empty: ")
}

// writeEverywhere puts records into each partition, and reads them all.
func (m *measurer) writeEverywhere(ctx context.Context, p *process) error {
	n := m.plan.scale.partitions
	all := load{"", 1 << 10, 10 * n}
	err := m.timed("10 records of 1 KiB to each partition", func() error { return write(ctx, p.address, wide, n, all) })
	if err != nil {
		return err
	}
	err = m.timed("reading them", func() error { return read(ctx, p.address, wide, n, all) })
	if err != nil {
		return err
	}
	return m.quiet(ctx, p, "all partitions written: ")
}

// manyMembers measures how long a group takes to get its assignment.
func (m *measurer) manyMembers(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n := m.plan.scale.members
	clients := make([]*kgo.Client, n)
	defer func() {
		for _, c := range clients {
			if c != nil {
				c.CloseAllowingRebalance()
			}
		}
	}()
	given, topic := newShares(n), "crowd"
	admin, err := kgo.NewClient(kgo.SeedBrokers(p.address))
	if err != nil {
		return err
	}
	defer admin.Close()
	if _, err := kadm.NewClient(admin).CreateTopic(ctx, int32(n), 1, nil, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return err
	}
	return m.timed(fmt.Sprintf("a group of %d members has its assignment", n), func() error {
		for i := range clients {
			share := func(_ context.Context, _ *kgo.Client, got map[string][]int32) { given.set(i, len(got[topic])) }
			lost := func(context.Context, *kgo.Client, map[string][]int32) { given.set(i, 0) }
			var err error
			clients[i], err = kgo.NewClient(kgo.SeedBrokers(p.address), kgo.ConsumeTopics(topic), kgo.ConsumerGroup("crowd"),
				kgo.Balancers(kgo.RangeBalancer()), kgo.RebalanceTimeout(time.Minute), kgo.SessionTimeout(time.Minute),
				kgo.OnPartitionsAssigned(share), kgo.OnPartitionsRevoked(lost), kgo.OnPartitionsLost(lost))
			if err != nil {
				return err
			}
		}
		return given.wait(ctx)
	})
}

// manyConnections measures what connections take that do nothing, and that write
// a record now and then.
func (m *measurer) manyConnections(ctx context.Context, p *process) error {
	n := m.plan.scale.connections
	lone, err := usageOf(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	peers := make([]*peer, n)
	defer func() {
		for _, c := range peers {
			if c != nil {
				c.conn.Close()
			}
		}
	}()
	err = m.timed("all connections at once, with a first answer", func() error {
		var group errgroup.Group
		for i := range peers {
			group.Go(func() (err error) {
				peers[i], err = connect(p.address)
				return err
			})
		}
		return group.Wait()
	})
	if err != nil {
		return err
	}
	if err := m.quiet(ctx, p, "all connections idle: "); err != nil {
		return err
	}
	if err := m.perConnection(p, "an idle connection", lone); err != nil {
		return err
	}
	if err := m.trickles(ctx, p, peers, "all connections write a record a second"); err != nil {
		return err
	}
	if err := m.perConnection(p, "a connection that has written", lone); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	client, err := kgo.NewClient(kgo.SeedBrokers(p.address), kgo.ConsumeTopics(wide), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
	if err != nil {
		return err
	}
	defer client.Close()
	var group errgroup.Group
	group.Go(func() error {
		for ctx.Err() == nil {
			client.PollFetches(ctx)
		}
		return nil
	})
	err = m.trickles(ctx, p, peers, "and one consumer reads all partitions")
	stop()
	return errors.Join(err, group.Wait())
}

// trickles has each connection write a record a second.
func (m *measurer) trickles(ctx context.Context, p *process, peers []*peer, name string) error {
	l := &latency{counted: time.Now().Add(m.plan.warmUp)}
	l.until = l.counted.Add(m.plan.latency)
	began := time.Now()
	before, err := usageOf(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, c := range peers {
		group.Go(func() error { return c.trickle(ctx, i, m.plan, l) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	after, err := usageOf(p.cmd.Process.Pid)
	l.tell(m.add, name)
	m.add(name+": CPU, ms per s", 1000*(after.cpu-before.cpu)/time.Since(began).Seconds())
	return err
}

// perConnection tells what each connection takes.
func (m *measurer) perConnection(p *process, what string, lone usage) error {
	u, err := usageOf(p.cmd.Process.Pid)
	m.add("memory of "+what+", KB", (u.resident-lone.resident)*1e3/float64(m.plan.scale.connections))
	return err
}
