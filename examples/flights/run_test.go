package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/broker"
)

// testFlights is how much of the year the tests with a broker process.
const testFlights = 30_000

// testBroker starts a broker in memory that several runs can use.
func testBroker(t *testing.T) *cluster {
	t.Helper()
	b, err := broker.Start(broker.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := connect([]string{b.Addr()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func testOptions(t *testing.T, c *cluster) options {
	t.Helper()
	return options{
		brokers: c.seeds, state: t.TempDir(), files: dataFS(t), limit: testFlights,
		instances: 1, partitions: 4,
		out: io.Discard, progress: &progress{w: io.Discard}, log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

func checkResults(t *testing.T, c *cluster) {
	t.Helper()
	got, err := c.readResults(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	compare(t, got, expected(t, testFlights))
	if got.DeadLetters != 0 {
		t.Errorf("%d dead letters", got.DeadLetters)
	}
}

func TestRun_Instances(t *testing.T) {
	t.Parallel()
	c := testBroker(t)
	o := testOptions(t, c)
	o.instances = 3
	var out bytes.Buffer
	o.out = &out
	if err := run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	checkResults(t, c)
	for _, want := range []string{"JetBlue Airways", "BOEING", "America/Chicago", "visibility"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, &out)
		}
	}
}

// TestRun_Restart stops a run as soon as it has processed something, and again
// half-way; what was left is done by a last one, with another directory.
func TestRun_Restart(t *testing.T) {
	t.Parallel()
	c := testBroker(t)
	o := testOptions(t, c)
	for _, stopAt := range []int64{1, testFlights / 2} {
		ctx, cancel := context.WithCancel(t.Context())
		o.look = func(at position) {
			if at.flights >= stopAt {
				cancel()
			}
		}
		if err := run(ctx, o); !errors.Is(err, errInterrupted) {
			t.Fatalf("a run that was interrupted returned %v", err)
		}
		cancel()
	}
	o.look, o.state = nil, t.TempDir()
	if err := run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	checkResults(t, c)
	if err := run(t.Context(), o); err != nil { // has nothing to do
		t.Fatal(err)
	}
	checkResults(t, c)
}

// TestRun_Garbage writes what isn't a flight among the flights.
func TestRun_Garbage(t *testing.T) {
	t.Parallel()
	c := testBroker(t)
	o := testOptions(t, c)
	if _, err := c.createTopics(t.Context(), o.partitions); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"no JSON", `{"carrier":`, `{"dep_delay":"late"}`} {
		rec := &kgo.Record{Topic: flights.Name(), Partition: 1, Value: []byte(value)}
		if err := c.client.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	o.out = &out
	if err := run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	got, err := c.readResults(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	compare(t, got, expected(t, testFlights))
	if got.DeadLetters != 3 || !strings.Contains(out.String(), "3 records could not be read") {
		t.Errorf("%d dead letters, want 3; the summary says\n%s", got.DeadLetters, &out)
	}
}
