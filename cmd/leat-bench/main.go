// Command leat-bench is leat's side of a benchmark of stream processing
// frameworks: one process that runs one workload against a Kafka broker until
// it is told to stop. A measurer starts it, watches the topics and checks the
// results; see docs/performance.md.
//
// It is configured by the environment: BOOTSTRAP, WORKLOAD, GROUP, IN, IN2, OUT,
// THREADS, COMMIT_MS, STATE_DIR, GUARANTEE.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/leatstream/leat/stream"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "leat-bench:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if file := os.Getenv("CPUPROFILE"); file != "" {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if g := os.Getenv("GUARANTEE"); g != "" && g != "at_least_once" {
		return fmt.Errorf("GUARANTEE %q is not supported; at_least_once is", g)
	}
	workload, ok := workloads[os.Getenv("WORKLOAD")]
	if !ok {
		return fmt.Errorf("WORKLOAD %q is not one of W1 to W6", os.Getenv("WORKLOAD"))
	}
	topology, err := stream.Build(workload)
	if err != nil {
		return err
	}
	threads, err := number("THREADS", 0)
	if err != nil {
		return err
	}
	commit, err := number("COMMIT_MS", 1000)
	if err != nil {
		return err
	}
	app, err := stream.New(topology, stream.Config{
		ApplicationID:  os.Getenv("GROUP"),
		Brokers:        strings.Split(os.Getenv("BOOTSTRAP"), ","),
		StateDir:       os.Getenv("STATE_DIR"),
		Workers:        threads,
		CommitInterval: time.Duration(commit) * time.Millisecond,
		CacheBytes:     10 << 20, // what the peers have
		Logger:         slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	go announce(ctx, app)
	return app.Run(ctx)
}

// announce prints that the app runs, when it does.
func announce(ctx context.Context, app *stream.App) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for app.Status().Phase != stream.Running {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	fmt.Println(`{"event":"running"}`)
}

func number(name string, def int) (int, error) {
	s := os.Getenv(name)
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}
