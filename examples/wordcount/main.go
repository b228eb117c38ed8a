// Command wordcount counts the words of the lines it is given, and prints each
// total that changes.
//
//	echo "to be or not to be" | go run ./examples/wordcount
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"strings"

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

// run counts until the lines are at their end.
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
	app, err := stream.New(wordCount, config)
	if err != nil {
		return err
	}
	return talk(ctx, config, app.Run) // sends lines, runs the app, prints totals
}
