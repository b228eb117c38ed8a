package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/leatstream/leat/broker"
)

// asProgram makes the test binary be the program: with it in the environment,
// TestMain calls main.
const asProgram = "FLIGHTS_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is a running process of the example.
type program struct {
	*exec.Cmd
	address string // of its broker
	lines   chan string
	stderr  *bytes.Buffer
}

// startProgram starts a process, and waits until it says where its broker is.
func startProgram(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{Cmd: exec.Command(os.Args[0], args...), lines: make(chan string, 1000), stderr: &bytes.Buffer{}}
	p.Env = append(os.Environ(), asProgram+"=1")
	p.Stderr = p.stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Process.Kill() // most have ended long ago
		if t.Failed() {
			t.Logf("%v:\n%s", args, p.stderr)
		}
	})
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	p.address = strings.TrimSpace(strings.TrimPrefix(p.waitFor(t, "broker "), "broker "))
	return p
}

// waitFor waits for a line that begins with prefix.
func (p *program) waitFor(t *testing.T, prefix string) string {
	t.Helper()
	for line := range p.lines {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	p.Wait()
	t.Fatalf("the process ended (%v) without a line that begins with %q:\n%s", p.ProcessState, prefix, p.stderr)
	return ""
}

// end waits for the end of the process and returns its exit code.
func (p *program) end(t *testing.T) int {
	t.Helper()
	for range p.lines { // to the end of its output
	}
	if err := p.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

func (p *program) connect(t *testing.T) *cluster {
	t.Helper()
	c, err := connect([]string{p.address}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// reach waits until the app has processed and committed n flights.
func (c *cluster) reach(t *testing.T, n int64) position {
	t.Helper()
	for {
		at, err := c.position(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if at.flights >= n {
			return at
		}
		if err := sleep(t.Context(), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// writeFiles writes CSV files with the first flights of the year only.
func writeFiles(t *testing.T) string {
	t.Helper()
	data, err := readDataset(dataFS(t))
	if err != nil {
		t.Fatal(err)
	}
	data.cut(testFlights)
	dir := t.TempDir()
	for _, f := range data {
		text := []byte(strings.Join(f.columns, ",") + "\n")
		for _, r := range f.rows {
			text = append(text, f.text[r.lo:r.end]...)
		}
		if err := os.WriteFile(filepath.Join(dir, f.file+".csv"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestProgram_Terminated(t *testing.T) {
	t.Parallel()
	args := []string{"--csv", writeFiles(t), "--data", t.TempDir(), "--keep"}
	p := startProgram(t, args...)
	p.connect(t).reach(t, 1)
	p.Process.Signal(syscall.SIGTERM)
	if code := p.end(t); code != 128+int(syscall.SIGTERM) || !strings.Contains(p.stderr.String(), "start it again") {
		t.Fatalf("after SIGTERM the exit code is %d:\n%s", code, p.stderr)
	}
	p = startProgram(t, args...)
	p.waitFor(t, "Broker and app stay up at "+p.address)
	checkResults(t, p.connect(t))
	p.Process.Signal(os.Interrupt)
	if code := p.end(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.stderr)
	}
}

func TestProgram_Killed(t *testing.T) {
	t.Parallel()
	args := []string{"--csv", writeFiles(t), "--data", t.TempDir(), "--keep"}
	p := startProgram(t, args...)
	c := p.connect(t)
	c.reach(t, 1)
	committed, err := c.admin.FetchOffsets(t.Context(), appID)
	if err != nil {
		t.Fatal(err)
	}
	p.Process.Kill()
	p.end(t)
	p = startProgram(t, args...)
	p.waitFor(t, "Broker and app stay up")
	c = p.connect(t)
	got, err := c.readResults(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ends, err := c.admin.ListEndOffsets(t.Context(), flights.Name(), internal(byCarrier.Name()), internal(byMaker.Name()),
		internal(byZone.Name()), internal(byOrigin.Name()), internal(byVisibility.Name()))
	if err != nil {
		t.Fatal(err)
	}
	p.Process.Signal(os.Interrupt)
	if code := p.end(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.stderr)
	}
	// What may be counted twice is what may have been processed without being
	// committed, at each of the steps to an output. An internal topic holds more
	// than the flights: what tasks tell of their progress.
	spare := func(topics ...string) (n int64) {
		for _, topic := range topics {
			for _, o := range ends[topic] {
				n += o.Offset
			}
			for _, o := range committed[topic] {
				n -= max(0, o.At)
			}
		}
		return n
	}
	want := expected(t, testFlights)
	in := flights.Name()
	atLeast(t, "carrier-days", got.CarrierDays, want.CarrierDays, spare(in, internal(byCarrier.Name())), func(d CarrierDay) int64 { return d.Flights })
	atLeast(t, "makers", got.Makers, want.Makers, spare(in, internal(byMaker.Name())), func(m Maker) int64 { return m.Flights })
	atLeast(t, "dest-zones", got.DestZones, want.DestZones, spare(in, internal(byZone.Name())), func(z Zone) int64 { return z.Flights })
	atLeast(t, "rotations", got.Rotations, want.Rotations, spare(in), func(r Rotation) int64 { return r.Legs })
	atLeast(t, "visibility", got.Visibility, want.Visibility, spare(in, internal(byOrigin.Name()), internal(byVisibility.Name())), func(d Departures) int64 { return d.Flights })
}

// atLeast checks that every count is there and none too low, and that all of them
// together are too high by no more than spare.
func atLeast[V any](t *testing.T, topic string, got, want map[string]V, spare int64, count func(V) int64) {
	t.Helper()
	excess := int64(0)
	for key, w := range want {
		g, ok := got[key]
		if !ok || count(g) < count(w) {
			t.Errorf("%s: %s is %+v (there: %t), want at least %+v", topic, key, g, ok, w)
		}
		excess += count(g) - count(w)
	}
	if len(got) != len(want) || excess > spare {
		t.Errorf("%s: %d keys, want %d; %d flights were counted twice, of %d that may be", topic, len(got), len(want), excess, spare)
	}
	t.Logf("%s: %d flights were counted twice", topic, excess)
}

// TestProgram_Three runs three processes on one broker, of which one is stopped.
func TestProgram_Three(t *testing.T) {
	t.Parallel()
	c, csv := testBroker(t), writeFiles(t)
	var all []*program
	for range 3 {
		all = append(all, startProgram(t, "--csv", csv, "--data", t.TempDir(), "--brokers", c.seeds[0]))
	}
	c.reach(t, 1)
	all[0].Process.Signal(os.Interrupt)
	if code := all[0].end(t); code != 128+int(syscall.SIGINT) {
		t.Errorf("the one that was stopped: exit code %d", code)
	}
	for _, p := range all[1:] {
		if code := p.end(t); code != 0 {
			t.Errorf("exit code %d:\n%s", code, p.stderr)
		}
	}
	checkResults(t, c)
}

// TestProgram_Mistakes checks that what a user can do wrong is said in one line.
func TestProgram_Mistakes(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := t.TempDir()
	unlock, err := lock(busy)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	served := t.TempDir()
	b, err := broker.Start(broker.Config{Dir: filepath.Join(served, "broker")})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	broken := writeFiles(t)
	cut(t, filepath.Join(broken, "weather.csv"))
	for _, test := range []struct{ args, want string }{
		{"--cows 3", "unknown flag: --cows"},
		{"more", `unknown command "more"`},
		{"--instances 0", "--instances"},
		{"--log-level loud", "--log-level"},
		{"--data " + t.TempDir() + " --listen " + taken.Addr().String(), "the address is in use"},
		{"--data " + busy, busy + ": another process uses it"},
		{"--data " + served, served},
		{"--data " + t.TempDir() + " --csv " + broken, "weather.csv: record on line"},
		{"--data " + t.TempDir() + " --brokers 127.0.0.1:1", "127.0.0.1:1"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, os.Args[0], strings.Fields(test.args)...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		cancel()
		text := stderr.String()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(text, test.want) || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: %v, %q, want one line with %q", test.args, err, text, test.want)
		}
	}
}

// cut cuts a file in the middle of a line.
func cut(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text[:len(text)-40], 0o644); err != nil {
		t.Fatal(err)
	}
}
