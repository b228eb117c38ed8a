package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

// member is a member of a group.
type member struct {
	g      sarama.ConsumerGroup
	got    chan *sarama.ConsumerMessage
	mark   bool
	cancel context.CancelFunc
	ended  chan struct{}

	mu  sync.Mutex
	has int
}

func join(c *sarama.Config, id, topic string) *member {
	m := &member{g: Must1(sarama.NewConsumerGroup(addr, id, c)), got: make(chan *sarama.ConsumerMessage, 1000), mark: true, ended: make(chan struct{})}
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(m.ended)
		for ctx.Err() == nil {
			if err := m.g.Consume(ctx, []string{topic}, m); err != nil {
				return
			}
		}
	}()
	return m
}

func (m *member) leave() {
	m.cancel()
	<-m.ended
	m.g.Close()
}

func (m *member) assigned() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.has
}

// Setup notes what is assigned.
func (m *member) Setup(s sarama.ConsumerGroupSession) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.has = 0
	for _, p := range s.Claims() {
		m.has += len(p)
	}
	return nil
}

// Cleanup does nothing.
func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim gathers records.
func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for r := range c.Messages() {
		m.got <- r
		s.MarkMessage(r, "note")
	}
	return nil
}

func group() error {
	name, id := topic(2), Fresh("g")
	send(config(), messages(name, Numbers(20)...)...)
	m := join(config(), id, name)
	take(m.got, 20)
	m.leave()
	send(config(), messages(name, "next")...)
	m = join(config(), id, name)
	defer m.leave()
	Equal(string(take(m.got, 1)[0].Value), "next", "after the commit")
	return nil
}

func rebalance(s sarama.BalanceStrategy) func() error {
	return func() error {
		c := config()
		c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{s}
		name, id := topic(4), Fresh("g")
		a := join(c, id, name)
		defer a.leave()
		b := join(c, id, name)
		Until("two partitions each", func() bool { return a.assigned() == 2 && b.assigned() == 2 })
		b.leave()
		Until("all for the one left", func() bool { return a.assigned() == 4 })
		send(config(), messages(name, Numbers(20)...)...)
		take(a.got, 20)
		return nil
	}
}

func static() error {
	c := config()
	c.Consumer.Group.InstanceId = "one"
	name, id := topic(2), Fresh("g")
	for range 2 {
		m := join(c, id, name)
		Until("assigned", func() bool { return m.assigned() == 2 })
		d := Must1(admin.DescribeConsumerGroups([]string{id}))
		Equal(len(d[0].Members), 1, "members")
		m.leave()
	}
	return nil
}

func groups() error {
	name, id := topic(1), Fresh("g")
	m := join(config(), id, name)
	Until("assigned", func() bool { return m.assigned() == 1 })
	d := Must1(admin.DescribeConsumerGroups([]string{id}))
	Equal(d[0].State, "Stable", "state")
	Equal(Must1(admin.ListConsumerGroups())[id], "consumer", "type in the list")
	Holds(errors.Is(admin.DeleteConsumerGroup(id), sarama.ErrNonEmptyGroup), "a group with members can't be deleted")
	m.leave()
	return admin.DeleteConsumerGroup(id)
}

func offsetManager() error {
	name, id := topic(1), Fresh("g")
	k := Must1(sarama.NewClient(addr, config()))
	defer k.Close()
	o := Must1(sarama.NewOffsetManagerFromClient(id, k))
	p := Must1(o.ManagePartition(name, 0))
	p.MarkOffset(5, "note")
	o.Commit()
	Must(p.Close())
	Must(o.Close())
	r := Must1(admin.ListConsumerGroupOffsets(id, map[string][]int32{name: {0}}))
	b := r.GetBlock(name, 0)
	Equal(fmt.Sprintf("%d %s", b.Offset, b.Metadata), "5 note", "committed")
	Must(admin.DeleteConsumerGroupOffset(id, name, 0))
	r = Must1(admin.ListConsumerGroupOffsets(id, map[string][]int32{name: {0}}))
	Equal(r.GetBlock(name, 0).Offset, int64(-1), "after its deletion")
	return nil
}
