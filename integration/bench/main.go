package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// plan is how much is measured.
type plan struct {
	partitions int
	rates      []load
	latency    time.Duration // of each of the two
	warmUp     time.Duration // before it
	connected  int           // connections with one record in flight each
	perSecond  int           // records, of the other
	idle       time.Duration // before memory is looked at
	scale      scale
}

// load is a number of records of one size.
type load struct {
	name    string
	size    int // bytes of a value
	records int
}

func full() plan {
	return plan{
		partitions: 6,
		rates:      []load{{"100 B", 100, 5_000_000}, {"1 KiB", 1 << 10, 1_000_000}},
		latency:    15 * time.Second, warmUp: 5 * time.Second, connected: 8, perSecond: 20_000,
		idle: 10 * time.Second, scale: scale{partitions: 10_000, connections: 5_000, members: 500},
	}
}

// quick looks whether all works, and a little at how fast it is.
func quick() plan {
	p := full()
	p.rates[0].records, p.rates[1].records = 1_000_000, 200_000
	p.latency, p.warmUp, p.idle = 3*time.Second, time.Second, 3*time.Second
	p.scale = scale{partitions: 1_000, connections: 500, members: 50}
	return p
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	fl := flag.NewFlagSet("bench", flag.ContinueOnError)
	var at programs
	fl.StringVar(&at.leat, "leat", "bin/leat", "leat's `command`")
	fl.StringVar(&at.kafka, "kafka", "", "the `script` that runs a Kafka broker; empty measures none")
	fl.StringVar(&at.kfake, "kfake", "", "the `program` that runs kfake; empty measures none")
	fl.IntVar(&at.port, "port", 29092, "`port` of the broker measured, with a free one behind it")
	only := fl.String("only", "", "measure only these `brokers`, of leat-os, leat-fsync, kafka, kfake")
	what := fl.String("what", "start,rates,latency", "measure only these `things`, of start, rates, latency, scale")
	rounds := fl.Int("rounds", 3, "`number` of rounds")
	small := fl.Bool("quick", false, "measure little: for a look whether all works")
	dir := fl.String("dir", "", "`folder` for the brokers' data (default a temporary one)")
	lines := fl.String("json", "", "`file` that a line of JSON is added to for each measurement")
	if err := fl.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	p := full()
	if *small {
		p = quick()
	}
	brokers := at.brokers()
	if *only != "" {
		names := strings.Split(*only, ",")
		brokers = slices.DeleteFunc(brokers, func(b kind) bool { return !slices.Contains(names, b.name) })
	}
	if len(brokers) == 0 {
		return errors.New("there is no broker to measure")
	}
	work, err := os.MkdirTemp(*dir, "leat-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	log, err := newResults(*lines)
	if err != nil {
		return err
	}
	for n := range *rounds {
		for _, b := range brokers {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", n+1, *rounds, b.name)
			m := &measurer{plan: p, kind: b, dir: filepath.Join(work, b.name), add: log.of(n+1, b.name)}
			if err := m.round(ctx, strings.Split(*what, ",")); err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			if err := os.RemoveAll(m.dir); err != nil {
				return err
			}
		}
	}
	log.table(os.Stdout)
	log.targets(os.Stdout)
	return log.close()
}

// measurer measures one broker in one round.
type measurer struct {
	plan plan
	kind kind
	dir  string
	add  func(metric string, value float64)
}

// round measures what is asked for.
func (m *measurer) round(ctx context.Context, what []string) error {
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return err
	}
	if slices.Contains(what, "start") {
		if err := m.life(ctx); err != nil {
			return err
		}
	}
	if slices.Contains(what, "scale") {
		if err := openFiles(m.plan.scale.connections + 3*m.plan.scale.members + 100); err != nil {
			return err
		}
		if err := m.many(ctx); err != nil {
			return err
		}
	}
	rates, latency := slices.Contains(what, "rates"), slices.Contains(what, "latency")
	if !rates && !latency {
		return nil
	}
	p, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer p.end()
	if rates {
		if err := m.rates(ctx, p); err != nil {
			return err
		}
	}
	if latency {
		if err := m.latencies(ctx, p); err != nil {
			return err
		}
	}
	return ctx.Err()
}
