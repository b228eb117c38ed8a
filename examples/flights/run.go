package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/stream"
)

// options are the command line.
type options struct {
	brokers    []string // none: run one
	listen     string   // of the embedded broker
	data       string   // directory; "" is memory, for tests
	state      string   // directory of the app's state, if not in data
	files      fs.FS    // the CSV files
	limit      int      // of flights, for tests; 0 is all
	instances  int
	partitions int
	keep       bool

	out      io.Writer // the summary
	progress *progress
	log      *slog.Logger
	look     func(position) // is told how far the app is, for tests
}

// errInterrupted is a run that was told to end before its work was done.
var errInterrupted = errors.New("interrupted")

// run is the whole example: broker, loader and app, until the year is processed.
func run(ctx context.Context, o options) (err error) {
	began := time.Now()
	data, err := readDataset(o.files)
	if err != nil {
		return err
	}
	data.cut(o.limit)
	o.progress.total = int64(len(data[len(data)-1].rows))
	c, stop, err := o.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	fmt.Fprintf(o.out, "broker   %s\n", strings.Join(c.seeds, ","))

	partitions, err := c.createTopics(ctx, o.partitions)
	if err != nil {
		return err
	}
	l, err := newLoader(c, data, partitions)
	if err != nil {
		return err
	}
	return o.work(ctx, c, l, began)
}

// open starts a broker, unless there is one, and connects to it.
func (o options) open() (c *cluster, stop func() error, err error) {
	if len(o.brokers) > 0 {
		if c, err = connect(o.brokers, nil); err != nil {
			return nil, nil, err
		}
		return c, func() error { c.close(); return nil }, nil
	}
	dir := o.data
	if dir != "" {
		dir = filepath.Join(dir, "broker")
	}
	b, err := broker.Start(broker.Config{Dir: dir, Listen: o.listen, Logger: o.log})
	if err != nil {
		return nil, nil, err
	}
	if c, err = connect([]string{b.Addr()}, b.Dial); err != nil {
		return nil, nil, errors.Join(err, b.Close())
	}
	return c, func() error { c.close(); return b.Close() }, nil
}

// work loads and processes, and prints the summary when all is done.
func (o options) work(ctx context.Context, c *cluster, l *loader, began time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	loaded := make(chan struct{})
	finished := false // the goroutine writes it, and is read after Wait
	g.Go(func() error {
		err := l.run(ctx)
		if err == nil {
			close(loaded)
		}
		return err
	})
	g.Go(func() error {
		// The whole year first. A global table is what was there at the start; and
		// the loader writes one partition ahead of another, by days: a task that had
		// caught up with it couldn't know that older flights are still to come.
		if err := l.wait(ctx, l.data); err != nil {
			return err
		}
		apps, err := o.apps(c)
		if err != nil {
			return err
		}
		for _, app := range apps {
			g.Go(func() error { return app.Run(ctx) })
		}
		if err := o.watch(ctx, c, apps, loaded); err != nil {
			return err
		}
		if err := o.summarize(ctx, c, time.Since(began)); err != nil {
			return err
		}
		finished = true
		if o.keep {
			fmt.Fprintf(o.out, "\nBroker and app stay up at %s until Ctrl-C.\n", strings.Join(c.seeds, ","))
			return nil
		}
		cancel()
		return nil
	})
	err := g.Wait()
	switch {
	case err != nil && !errors.Is(err, context.Canceled):
		return err
	case finished:
		return nil
	}
	return errInterrupted
}

// apps are the instances of the app, each with a directory of its own.
func (o options) apps(c *cluster) ([]*stream.App, error) {
	var apps []*stream.App
	for i := range o.instances {
		app, err := stream.New(topology, stream.Config{
			ApplicationID:   appID,
			Brokers:         c.seeds,
			Dial:            c.dial,
			StateDir:        filepath.Join(o.state, "instance-"+strconv.Itoa(i+1)),
			DeadLetterTopic: deadLetters,
			OnError:         o.onError,
			Logger:          o.log,
		})
		if err != nil {
			return nil, err
		}
		apps = append(apps, app)
	}
	return apps, nil
}

// onError puts what isn't a record of ours aside, and stops at anything else.
func (o options) onError(e *stream.RecordError) stream.Action {
	if e.Stage != stream.Decode {
		return stream.Fail
	}
	o.log.Warn("a record can't be read; it goes to "+deadLetters,
		"topic", e.Topic, "partition", e.Partition, "offset", e.Offset, "error", e.Err)
	return stream.DeadLetter
}

// wait waits until the files are loaded, by whichever process.
func (l *loader) wait(ctx context.Context, files dataset) error {
	for {
		done, err := l.loaded(ctx, files)
		if err != nil || done {
			return err
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// lookEvery is the time between two looks at how far the app is.
const lookEvery = 250 * time.Millisecond

// watch shows progress until everything is processed: all is loaded, and in two
// looks in turn nothing was left and nothing came. (One look isn't enough, as it
// sees one topic after the other.)
func (o options) watch(ctx context.Context, c *cluster, apps []*stream.App, loaded <-chan struct{}) error {
	defer o.progress.end()
	var before position
	for {
		at, err := c.position(ctx)
		if err != nil {
			return err
		}
		o.progress.show(at, statusOf(apps))
		if o.look != nil {
			o.look(at)
		}
		select {
		case <-loaded:
			if at.lag == 0 && before.lag == 0 && at.ends == before.ends {
				return nil
			}
			before = at
		default:
			before = position{}
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
