// Command flights runs a stream processing application over a year of departures
// from New York's airports: it loads the data into a Kafka broker of its own, or
// into any cluster, answers five questions about it and prints the answers.
//
// topology.go is the application; the rest is what makes a demo of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	code := make(chan int, 1)
	go func() {
		s := <-signals
		signal.Reset() // a second one ends the process at once
		fmt.Fprintln(os.Stderr, "\nflights: stopping: commit, then hand over (a second signal ends it at once)")
		code <- 128 + int(s.(syscall.Signal))
		cancel()
	}()
	err := command().ExecuteContext(ctx)
	switch {
	case err == nil:
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(os.Stderr, "flights: stopped before the year was over; start it again to go on from here")
		os.Exit(<-code)
	default:
		fmt.Fprintln(os.Stderr, "flights: "+explain(err))
		os.Exit(1)
	}
}

// explain is an error on one line, with what is likely meant first.
func explain(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if errors.Is(err, syscall.ENOSPC) {
		return "no space left on the disk: make room and start again; nothing that was acknowledged is lost: " + text
	}
	return text
}

func command() *cobra.Command {
	o := options{out: os.Stdout}
	var csv, level string
	cmd := &cobra.Command{
		Use:   "flights",
		Short: "A year of departures from New York, processed as streams",
		Long: `A year of departures from New York, processed as streams.

Broker, loader and app run in this process until the year is processed; then a
summary is printed. A run that was stopped goes on where it was when it is
started again with the same data directory; nothing is counted twice.`,
		Example: `  flights
  flights --instances 3 --keep
  flights --brokers localhost:9092 --data data/flights-2   # share the work of another process`,
		Args:          cobra.NoArgs,
		SilenceErrors: true, // main prints them, once
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.start(cmd.Context(), csv, level)
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&o.brokers, "brokers", nil, "`HOST:PORT` of a Kafka cluster to work on, instead of the embedded broker")
	fl.StringVar(&o.listen, "listen", "127.0.0.1:0", "`HOST:PORT` of the embedded broker; port 0 is any free port")
	fl.StringVar(&o.data, "data", filepath.Join("data", "flights"), "`directory` of the broker's and the app's data; one for each process")
	fl.StringVar(&csv, "csv", "", "`directory` of the CSV files to load (default: those in the program)")
	fl.IntVar(&o.instances, "instances", 1, "instances of the app in this process, which share its tasks")
	fl.IntVar(&o.partitions, "partitions", 4, "partitions of the topics that are created")
	fl.StringVar(&level, "log-level", "warn", "what to tell of the inner workings: debug, info, warn or error")
	fl.BoolVar(&o.keep, "keep", false, "keep broker and app up when all is processed")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())
	})
	return cmd
}

// start checks what the flags say, and runs.
func (o options) start(ctx context.Context, csv, level string) (err error) {
	if o.instances < 1 || o.partitions < 1 {
		return errors.New("--instances and --partitions must be at least 1")
	}
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("--log-level %q is not one of debug, info, warn, error", level)
	}
	if o.files, err = fs.Sub(embedded, "data"); err != nil {
		return err
	}
	if csv != "" {
		o.files = os.DirFS(csv)
	}
	o.state = o.data
	o.progress = newProgress(os.Stderr)
	o.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: least}))
	unlock, err := lock(o.data)
	if err != nil {
		return err
	}
	return errors.Join(run(ctx, o), unlock())
}
