package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

func member(id, topic string, opts ...kgo.Opt) *kgo.Client {
	return client(append([]kgo.Opt{kgo.ConsumerGroup(id), kgo.ConsumeTopics(topic), kgo.SessionTimeout(6 * time.Second), kgo.RebalanceTimeout(10 * time.Second),
		kgo.HeartbeatInterval(300 * time.Millisecond), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit()}, opts...)...)
}

func group() error {
	name, id := topic(2), Fresh("g")
	write(name, Numbers(20)...)
	k := member(id, name)
	read(k, 20)
	Must(k.CommitUncommittedOffsets(ctx))
	k.Close()
	write(name, "next")
	k = member(id, name)
	defer k.Close()
	Equal(string(read(k, 1)[0].Value), "next", "after the commit")
	return nil
}

// counter counts the partitions that a member has.
type counter struct {
	mu  sync.Mutex
	has map[int32]bool
}

func (c *counter) opts(topic string) []kgo.Opt {
	c.has = map[int32]bool{}
	change := func(is bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, ps map[string][]int32) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, p := range ps[topic] {
				delete(c.has, p)
				if is {
					c.has[p] = true
				}
			}
		}
	}
	return []kgo.Opt{kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)), kgo.OnPartitionsLost(change(false))}
}

func (c *counter) n() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.has)
}

func rebalance(opts ...kgo.Opt) func() error {
	return func() error {
		name, id := topic(4), Fresh("g")
		var ofA, ofB counter
		a := member(id, name, append(ofA.opts(name), opts...)...)
		defer a.Close()
		b := member(id, name, append(ofB.opts(name), opts...)...)
		Until("two partitions each", func() bool { return ofA.n() == 2 && ofB.n() == 2 })
		b.Close()
		Until("all for the one left", func() bool { return ofA.n() == 4 })
		write(name, Numbers(20)...)
		read(a, 20)
		return a.CommitUncommittedOffsets(ctx)
	}
}

func static() error {
	name, id := topic(2), Fresh("g")
	for range 2 {
		var of counter
		k := member(id, name, append(of.opts(name), kgo.InstanceID("one"))...)
		Until("assigned", func() bool { return of.n() == 2 })
		k.Close()
		Equal(len(Must1(admin.DescribeGroups(ctx, id))[id].Members), 1, "members after close")
	}
	_, err := admin.LeaveGroup(ctx, kadm.LeaveGroup(id).InstanceIDs("one"))
	Must(err)
	Equal(len(Must1(admin.DescribeGroups(ctx, id))[id].Members), 0, "members at last")
	return nil
}

func groups() error {
	name, id := topic(1), Fresh("g")
	write(name, "v")
	k := member(id, name)
	read(k, 1)
	Must(k.CommitUncommittedOffsets(ctx))
	d := Must1(admin.DescribeGroups(ctx, id))[id]
	Equal(d.State+" "+d.ProtocolType, "Stable consumer", "description")
	Holds(slices.Contains(Must1(admin.ListGroups(ctx, "Stable")).Groups(), id), "listed")
	Equal(Must1(admin.Lag(ctx, id))[id].Lag.Total(), int64(0), "lag")
	Holds(errors.Is(Must1(admin.DeleteGroups(ctx, id))[id].Err, kerr.NonEmptyGroup), "a group with members can't be deleted")
	k.Close()
	Must(Must1(admin.DeleteGroups(ctx, id))[id].Err)
	Holds(errors.Is(Must1(admin.DeleteGroups(ctx, id))[id].Err, kerr.GroupIDNotFound), "deleting it again fails")
	return nil
}

func groupOffsets() error {
	name, id := topic(1), Fresh("g")
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: name, At: 5, LeaderEpoch: -1, Metadata: "note"})
	Must(admin.CommitAllOffsets(ctx, id, o))
	got, _ := Must1(admin.FetchOffsets(ctx, id)).Lookup(name, 0)
	Equal(fmt.Sprintf("%d %s", got.At, got.Metadata), "5 note", "committed")
	Must(Must1(admin.DeleteOffsets(ctx, id, kadm.TopicsSet{name: {0: {}}})).Error())
	Equal(len(Must1(admin.FetchOffsets(ctx, id))), 0, "after their deletion")
	return nil
}
