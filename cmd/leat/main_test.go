package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// run runs the command line until it ends or ctx is done.
func run(ctx context.Context, stderr io.Writer, args ...string) (string, error) {
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

func TestVersion(t *testing.T) {
	out, err := run(t.Context(), io.Discard, "version")
	if err != nil || !regexp.MustCompile(`^leat \S.* \(go1\.\S+ \w+/\w+\)\n$`).MatchString(out) {
		t.Errorf("%q, %v", out, err)
	}
}

func TestMistakesAreToldOnOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for want, args := range map[string]string{
		"unknown command":              "brokr",
		"unknown flag: --lisen":        "broker --lisen x",
		"neither os, fsync":            "broker --durability sometimes",
		"--log-level":                  "broker --log-level loud",
		"--partitions is 0":            "broker --partitions 0",
		"want HOST:PORT":               "broker --listen 9092",
		"(--allow-insecure-listeners)": "broker --listen 0.0.0.0:0",
		"the address is in use":        "broker --listen " + taken.Addr().String(),
		"clients can't connect":        "broker --allow-insecure-listeners --listen 0.0.0.0:0",
		"the data directory /dev/n":    "broker --listen 127.0.0.1:0 --data /dev/null/x",
	} {
		_, err := run(t.Context(), io.Discard, strings.Fields(args)...)
		if err == nil || !strings.Contains(oneLine(err), want) || strings.Contains(oneLine(err), "\n") {
			t.Errorf("leat %s: %v, want %q", args, err, want)
		}
	}
}

func TestOneLine_NoSpace(t *testing.T) {
	got := oneLine(errors.Join(syscall.ENOSPC, errors.New("more")))
	if !strings.HasPrefix(got, "no space left on the disk: ") || strings.Contains(got, "\n") {
		t.Errorf("%q", got)
	}
}

func TestBroker_ServesUntilInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := run(ctx, w, "broker", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--durability", "fsync")
		w.Close()
		ended <- err
	}()
	log := bufio.NewScanner(r)
	address := ""
	for address == "" && log.Scan() {
		if m := regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(log.Text()); m != nil {
			address = m[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()

	c, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wait, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.ProduceSync(wait, &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
		t.Error(err)
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}
