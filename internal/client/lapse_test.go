package client

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
)

// keepPolling makes a member's callbacks happen, until the test is over.
func keepPolling(t *testing.T, g *Group) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = g.Poll(ctx, 0, nil)
			g.Release()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// beginsAnew expects that a member loses its two partitions, at once and not
// only when it gets them again.
func beginsAnew(t *testing.T, upset func(c *Client, g *Group)) {
	t.Helper()
	cfg, c := connect(t)
	lapsed, lost := make(chan struct{}, 10), make(chan []record.TopicPartition, 10)
	g, e := join(t, cfg, GroupConfig{
		OnLapsed: func() { lapsed <- struct{}{} },
		OnLost:   func(tps []record.TopicPartition) { lost <- tps },
	})
	keepPolling(t, g)
	as := receive(t, e.assigned)
	tp := as[0].TopicPartition
	if err := g.Commit(t.Context(), []Offset{{tp, 0, -1, "first"}}); err != nil {
		t.Fatal(err)
	}
	upset(c, g)
	receive(t, lapsed)
	if had := receive(t, lost); len(had) != 2 {
		t.Errorf("lost %v, want both partitions", had)
	}
	again := receive(t, e.assigned)
	if len(again) != 2 || again[0].TopicPartition != tp || again[0].Metadata != "first" {
		t.Errorf("assigned %v after that, want both partitions and what was committed", again)
	}
	if err := g.Commit(t.Context(), []Offset{{tp, 0, -1, "second"}}); err != nil {
		t.Errorf("commit as a new member: %v", err)
	}
}

func TestAMemberThatWasThrownOutBeginsAnew(t *testing.T) {
	beginsAnew(t, func(c *Client, g *Group) {
		if err := c.Evict(t.Context(), "g", g.Member()); err != nil {
			t.Fatal(err)
		}
		// It is to learn that from the answer to its joining, rather than from
		// a heartbeat.
		g.k.ForceRebalance()
	})
}

func TestRenounce(t *testing.T) {
	beginsAnew(t, func(_ *Client, g *Group) { g.Renounce() })
}

func TestNothingIsCommittedForPartitionsOfOthers(t *testing.T) {
	cfg, _ := connect(t)
	g, e := join(t, cfg, GroupConfig{})
	keepPolling(t, g)
	held := receive(t, e.assigned)[0].TopicPartition
	if err := g.Commit(t.Context(), []Offset{{tp("t", 7), 0, -1, ""}}); !errors.Is(err, ErrFenced) {
		t.Errorf("commit of a partition that was not assigned: %v, want ErrFenced", err)
	}
	g.mu.Lock()
	g.has[held] = "an earlier membership"
	g.mu.Unlock()
	if err := g.Commit(t.Context(), []Offset{{held, 0, -1, ""}}); !errors.Is(err, ErrFenced) {
		t.Errorf("commit of a partition that was assigned to an earlier member: %v, want ErrFenced", err)
	}
}

func TestARecordDroppedWithOthersIsNoCancellation(t *testing.T) {
	cfg, _ := connect(t)
	cfg.Linger = time.Minute // so that both records are in one batch
	c, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, giveUp := context.WithCancel(t.Context())
	one, other := c.Session(ctx, 0), c.Session(t.Context(), 0)
	send(t, one, task.Outgoing{Topic: "t", Value: []byte("given up"), Changelog: -1})
	send(t, other, task.Outgoing{Topic: "t", Value: []byte("wanted"), Changelog: -1})
	giveUp()
	if err := other.Flush(t.Context()); !errors.Is(err, ErrDropped) {
		t.Errorf("the session that goes on says %v, want ErrDropped", err)
	}
	if err := one.Flush(t.Context()); errors.Is(err, ErrDropped) || !errors.Is(err, context.Canceled) {
		t.Errorf("the session that was given up says %v, want %v", err, context.Canceled)
	}
}
