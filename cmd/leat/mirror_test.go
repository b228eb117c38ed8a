package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/broker"
)

// The source is reached by flags, the target by the file of a Kafka client.
func TestMirror(t *testing.T) {
	var address [2]string
	for i := range address {
		b, err := broker.Start(broker.Config{Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		address[i] = b.Addr()
	}
	k, err := kgo.NewClient(kgo.SeedBrokers(address[0]), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	if err := k.ProduceSync(t.Context(), &kgo.Record{Topic: "sales", Value: []byte("1")}, &kgo.Record{Topic: "other"}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "target.properties")
	if err := os.WriteFile(file, []byte("security.protocol=PLAINTEXT\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"mirror", "--name", "m", "--topics", "sal.*", "--prefix", "edge.", "--once", "--interval", "10ms",
		"--source-bootstrap-server", address[0], "--target-bootstrap-server", address[1], "--target-command-config", file}
	for _, want := range []string{"1 records copied of sales\n", ""} {
		out, err := run(t.Context(), io.Discard, args...)
		if err != nil || out != want {
			t.Errorf("printed %q, want %q (%v)", out, want, err)
		}
	}
}

func TestMirror_Refuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--topics x --target-bootstrap-server a:1", `required flag(s) "name"`},
		{"--name m --topics ( --target-bootstrap-server a:1", "pattern of topics"},
		{"--name m --topics x --target-bootstrap-server a:1 --interval 30s", "interval"},
		{"--name m --topics x --target-bootstrap-server a:1 --source-command-config missing", "source"},
	} {
		_, err := run(t.Context(), io.Discard, append([]string{"mirror"}, strings.Fields(c.args)...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something about %q", c.args, err, c.want)
		}
	}
}
