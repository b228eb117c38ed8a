package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/leatstream/leat/stream"
)

// What is in this file is any Kafka client's: it makes the topics, writes lines
// and reads totals.

// talk writes lines and prints totals while run works, and ends it when no more
// come.
func talk(ctx context.Context, config stream.Config, run func(context.Context) error) error {
	client, err := connect(ctx, config)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return run(ctx) })
	g.Go(func() error {
		defer stop()
		if err := send(ctx, client); err != nil {
			return err
		}
		return show(ctx, client)
	})
	return g.Wait()
}

// connect makes the topics, and a client that reads totals from now on.
func connect(ctx context.Context, config stream.Config) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(config.Brokers...),
		kgo.ConsumeTopics(totals.Name()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(time.Now().UnixMilli())),
	}
	if config.Dial != nil {
		opts = append(opts, kgo.Dialer(config.Dial))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	// Which fails for topics that are there, and that is as good.
	_, err = kadm.NewClient(client).CreateTopics(ctx, 4, -1, nil, lines.Name(), totals.Name())
	return client, err
}

// send writes the lines of the standard input.
func send(ctx context.Context, client *kgo.Client) error {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		rec := &kgo.Record{Topic: lines.Name(), Value: []byte(in.Text())}
		if err := client.ProduceSync(ctx, rec).FirstErr(); err != nil {
			return err
		}
	}
	return in.Err()
}

// show prints totals until no more come for a while.
func show(ctx context.Context, client *kgo.Client) error {
	for {
		waiting, stop := context.WithTimeout(ctx, 5*time.Second)
		fetches := client.PollFetches(waiting)
		stop()
		for r := range fetches.RecordsAll() {
			n, err := totals.Value().Decode(r.Value)
			if err != nil {
				return err
			}
			fmt.Printf("%s\t%d\n", r.Key, n)
		}
		switch err := fetches.Err(); {
		case errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
	}
}
