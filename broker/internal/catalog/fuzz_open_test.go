package catalog

import (
	"encoding/json"
	"log/slog"
	"runtime"
	"testing"

	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// FuzzOpen starts from any catalog file. It is refused, or opened to what Inspect
// has said; and nothing is written but in the data directory.
func FuzzOpen(f *testing.F) {
	for _, s := range []string{
		"", "{}", "null", "[]",
		`{"format":1,"clusterId":"c","running":true,"nextProducerId":1000,"topics":[{"name":"a","id":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],"partitions":2,"configs":{"retention.ms":"1"}}]}`,
		`{"format":1,"topics":[{"name":"../a","partitions":1}]}`,
		`{"format":1,"topics":[{"name":"a","partitions":2147483647}]}`,
		`{"format":1,"topics":[{"name":"a","partitions":1},{"name":"a","partitions":2}]}`,
		`{"format":1,"topics":[{"name":"a","partitions":1},{"name":"b","partitions":2}]}`,
		`{"format":1,"topics":[{"name":"a.b","id":[1],"partitions":1},{"name":"a_b","id":[2],"partitions":2}]}`,
		`{"format":1,"topics":[{"name":"a","partitions":1,"configs":{"no.such":"1"}}]}`,
		`{"format":1,"security":{"acls":[{}],"users":[{"user":"u","mechanism":"SCRAM-SHA-256"}],"quotas":[{}]}}`,
		`{"format":1,"settings":{"broker":{"log.retention.ms":"x"}},"groups":{"g":{"consumer.session.timeout.ms":"1"}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		var said struct{ Topics []struct{ Partitions int32 } }
		if json.Unmarshal(content, &said) == nil {
			for _, s := range said.Topics {
				if s.Partitions > 50 && s.Partitions <= mostPartitions {
					return // it may be true, and takes long
				}
			}
		}
		fs := vfs.NewMem()
		if err := fs.MkdirAll("/data"); err != nil {
			t.Fatal(err)
		}
		if err := vfs.WriteFile(fs, "/data/"+fileName, content); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		in, foretold := Inspect(fs, "/data")
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<20+1000*len(content)) {
			t.Fatalf("%d bytes took %d to look at", len(content), n)
		}
		syncer := partition.NewSyncer(1)
		defer syncer.Close()
		c, err := Open(Options{FS: fs, Dir: "/data", Clock: clock.System, Log: slog.New(slog.DiscardHandler), Syncer: syncer, MaxPartitions: 100})
		if (err == nil) != (foretold == nil) {
			t.Fatalf("opened with %v, inspected with %v", err, foretold)
		}
		if err != nil {
			return
		}
		defer c.Close()
		if got := len(c.Image().Topics()); got != len(in.Topics) {
			t.Fatalf("%d topics, inspected %d", got, len(in.Topics))
		}
		for _, name := range []string{"topics", "data"} {
			if _, err := fs.ReadDir("/" + name); name != "data" && err == nil {
				t.Fatalf("there is a directory /%s", name)
			}
		}
	})
}
