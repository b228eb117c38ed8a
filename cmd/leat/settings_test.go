package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker"
)

func TestSettings_Precedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "server.properties")
	if err := os.WriteFile(file, []byte("num.partitions=2\nlog.retention.hours=2\nlog.segment.bytes=2000000\nsuper.users=User:a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := settingFlags{config: file, set: []string{"log.retention.hours=4", "listener.name.x.ssl.client.auth=none"}}
	got, err := f.gather([]string{"PATH=/bin", "LEAT_BROKER_LOG_RETENTION_HOURS=3", "LEAT_BROKER_LOG_SEGMENT_BYTES=3000000"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"num.partitions": "2", "log.retention.hours": "4", "log.segment.bytes": "3000000", "super.users": "User:a", "listener.name.x.ssl.client.auth": "none",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	byEnv, err := (&settingFlags{}).gather([]string{"LEAT_BROKER_CONFIG=" + file})
	if err != nil || byEnv["num.partitions"] != "2" {
		t.Errorf("%v, %v", byEnv, err)
	}
	for want, c := range map[string]struct {
		flags settingFlags
		env   string
	}{
		"want NAME=VALUE":   {flags: settingFlags{set: []string{"x"}}},
		"no such file":      {flags: settingFlags{config: file + "x"}},
		"is for no setting": {env: "LEAT_BROKER_NONSENSE=1"},
		"line 1":            {flags: settingFlags{config: bad(t)}},
	} {
		if _, err := c.flags.gather([]string{c.env}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

// bad is a file that isn't one of properties.
func bad(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "server.properties")
	if err := os.WriteFile(name, []byte("=x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestEnvNames: no two settings have the same variable.
func TestEnvNames(t *testing.T) {
	seen := map[string]string{envConfig: "--config"}
	for _, name := range broker.SettingNames() {
		if other, ok := seen[envName(name)]; ok {
			t.Errorf("%s is for %s and for %s", envName(name), name, other)
		}
		seen[envName(name)] = name
	}
}

// TestBroker_Operated starts a broker with settings and a page of metrics, uses
// it, stops it, and checks what it leaves.
func TestBroker_Operated(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := run(ctx, w, "broker", "--listen", "127.0.0.1:0", "--data", dir, "--metrics", "127.0.0.1:0", "--log-format", "json", "--set", "num.partitions=4")
		w.Close()
		ended <- err
	}()
	addresses := map[string]string{} // by what the log says is served there
	lines := bufio.NewScanner(r)
	for addresses["serving"] == "" && lines.Scan() {
		var line struct{ Msg, Address string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		addresses[line.Msg] = line.Address
	}
	go io.Copy(io.Discard, r)
	page := "http://" + addresses["serving metrics and health"]
	c, err := kgo.NewClient(kgo.SeedBrokers(addresses["serving"]), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	meta := kmsg.NewPtrMetadataRequest()
	if resp, err := meta.RequestWith(ctx, c); err != nil || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 4 {
		t.Errorf("%+v, %v", resp, err)
	}
	for path, want := range map[string]string{"/metrics": `leat_broker_records_in_total 1`, "/healthz": "ok", "/readyz": "ok"} {
		if status, text := get(t, page+path); status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if _, err := run(ctx, io.Discard, "check", dir); err == nil || !strings.Contains(err.Error(), "is locked by process") {
		t.Errorf("check while it runs: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	out, err := run(t.Context(), io.Discard, "check", "--json", dir)
	var report broker.Report
	if err != nil || json.Unmarshal([]byte(out), &report) != nil || report.Records != 1 || !report.Clean || len(report.Findings) != 0 {
		t.Errorf("check: %s, %v", out, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "topics", "t-*", "checkpoint"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	if err := os.Truncate(files[0], 3); err != nil {
		t.Fatal(err)
	}
	out, err = run(t.Context(), io.Discard, "check", dir)
	if code, ok := errors.AsType[exitError](err); !ok || code.code != exitDamage || !strings.Contains(out, "/checkpoint: damaged checkpoint") {
		t.Errorf("check of damage: %v, %s", err, out)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
