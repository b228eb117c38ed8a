// Command wordcount counts the words of the lines it is given, and prints each
// total that changes.
//
//	echo "to be or not to be" | go run ./examples/wordcount
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
)

var (
	lines  = topic.New("lines", serde.String, serde.String)
	words  = topic.New("words", serde.String, serde.String) // between the two halves
	totals = topic.New("totals", serde.String, serde.Int64)
	counts = state.New("counts", serde.String, serde.Int64)
)

var wordCount = stream.MustBuild(func(b *stream.Builder) {
	b.Stream(lines).
		FlatMapValues(strings.FieldsSeq).
		GroupBy(func(_, word string) string { return word }, words).
		Count(counts).
		To(totals)
})

func main() {
	brokers := flag.String("brokers", "", "`HOST:PORT` of a Kafka cluster (default: a broker in this process)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *brokers); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, address string) error {
	config := stream.Config{ApplicationID: "wordcount", Brokers: []string{address}}
	if address == "" {
		b, err := broker.Start(broker.Config{}) // in memory
		if err != nil {
			return err
		}
		defer b.Close()
		config.Brokers, config.Dial = []string{b.Addr()}, b.Dial
		if config.StateDir, err = os.MkdirTemp("", "wordcount"); err != nil {
			return err
		}
		defer os.RemoveAll(config.StateDir)
	}
	client, err := connect(ctx, config)
	if err != nil {
		return err
	}
	defer client.Close()
	app, err := stream.New(wordCount, config)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return app.Run(ctx) })
	g.Go(func() error {
		defer stop() // ends the app
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
