package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

func transactions() error {
	name := topic(2)
	k := client(kgo.TransactionalID(Fresh("x")), kgo.DefaultProduceTopic(name))
	defer k.Close()
	for i := range 6 {
		Must(k.BeginTransaction())
		for range 10 {
			k.Produce(ctx, kgo.StringRecord(fmt.Sprint(i)), nil)
		}
		Must(k.Flush(ctx))
		Must(k.EndTransaction(ctx, kgo.TransactionEndTry(i%2 == 0)))
	}
	for _, r := range readAll(name, 30, kgo.FetchIsolationLevel(kgo.ReadCommitted())) {
		Holds((r.Value[0]-'0')%2 == 0, "no record of an aborted transaction")
	}
	readAll(name, 60)
	return nil
}

func session() error {
	source, target, id := topic(3), topic(1), Fresh("g")
	write(source, Numbers(500)...)
	for range 2 {
		s := Must1(kgo.NewGroupTransactSession(kgo.SeedBrokers(addr), kgo.TransactionalID(Fresh("x")), kgo.ConsumerGroup(id), kgo.ConsumeTopics(source),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DefaultProduceTopic(target), kgo.RequireStableFetchOffsets()))
		for round := 0; ; round++ {
			c, cancel := context.WithTimeout(ctx, 3*time.Second)
			f := s.PollRecords(c, 50)
			cancel()
			if len(f.Records()) == 0 {
				break
			}
			Must(s.Begin())
			f.EachRecord(func(r *kgo.Record) { s.Produce(ctx, kgo.SliceRecord(r.Value), nil) })
			Must1(s.End(ctx, kgo.TransactionEndTry(round%3 != 1)))
		}
		s.Close()
	}
	seen := map[string]bool{}
	for _, r := range readAll(target, 500, kgo.FetchIsolationLevel(kgo.ReadCommitted())) {
		seen[string(r.Value)] = true
	}
	Equal(len(seen), 500, "different values")
	return nil
}

func fencing() error {
	name, id := topic(1), Fresh("x")
	a, b := client(kgo.TransactionalID(id), kgo.DefaultProduceTopic(name)), client(kgo.TransactionalID(id), kgo.DefaultProduceTopic(name))
	defer a.Close()
	defer b.Close()
	Must(a.BeginTransaction())
	Must(a.ProduceSync(ctx, kgo.StringRecord("old")).FirstErr())
	Must(b.BeginTransaction())
	Must(b.ProduceSync(ctx, kgo.StringRecord("new")).FirstErr())
	Must(b.EndTransaction(ctx, kgo.TryCommit))
	Holds(a.EndTransaction(ctx, kgo.TryCommit) != nil, "the first can't commit")
	Equal(string(readAll(name, 1, kgo.FetchIsolationLevel(kgo.ReadCommitted()))[0].Value), "new", "committed")
	return nil
}

func describeTxn() error {
	name, id := topic(1), Fresh("x")
	k := client(kgo.TransactionalID(id), kgo.DefaultProduceTopic(name))
	defer k.Close()
	Must(k.BeginTransaction())
	Must(k.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr())
	Equal(Must1(admin.DescribeTransactions(ctx, id))[id].State, "Ongoing", "state")
	l := Must1(admin.ListTransactions(ctx, nil, []string{"Ongoing"}))
	Equal(l[id].State, "Ongoing", "state in the list")
	p := Must1(admin.DescribeProducers(ctx, kadm.TopicsSet{name: {0: {}}}))
	Equal(len(p.SortedProducers()), 1, "producers")
	return k.EndTransaction(ctx, kgo.TryCommit)
}
