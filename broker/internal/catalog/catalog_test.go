package catalog

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/settings"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

func open(t *testing.T, fs vfs.FS, change ...func(*Options)) *Catalog {
	t.Helper()
	syncer := partition.NewSyncer(1)
	o := Options{FS: fs, Dir: "/data", Clock: clock.System, Log: slog.New(slog.DiscardHandler), Syncer: syncer, MaxPartitions: 100}
	for _, c := range change {
		c(&o)
	}
	c, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		syncer.Close()
	})
	return c
}

func create(t *testing.T, c *Catalog, name string, partitions int32) *Topic {
	t.Helper()
	made, errs := c.Create([]NewTopic{{Name: name, Partitions: partitions}})
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	return made[0]
}

func TestCheckName(t *testing.T) {
	for _, ok := range []string{"a", "A.b_c-9", "...", strings.Repeat("x", 249)} {
		if err := CheckName(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "a b", "a/b", "ä", "a\x00", strings.Repeat("x", 250)} {
		if err := CheckName(bad); !errors.Is(err, kerr.InvalidTopicException) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCreate_Refused(t *testing.T) {
	c := open(t, vfs.NewMem())
	create(t, c, "a.b", 90)
	for name, tc := range map[string]struct {
		topic NewTopic
		want  error
	}{
		"exists":        {NewTopic{Name: "a.b", Partitions: 1}, kerr.TopicAlreadyExists},
		"collides":      {NewTopic{Name: "a_b", Partitions: 1}, kerr.InvalidTopicException},
		"no partitions": {NewTopic{Name: "c"}, kerr.InvalidPartitions},
		"too many":      {NewTopic{Name: "c", Partitions: 11}, kerr.PolicyViolation},
		"config":        {NewTopic{Name: "c", Partitions: 1, Configs: map[string]string{"x": "y"}}, kerr.InvalidConfig},
		"value":         {NewTopic{Name: "c", Partitions: 1, Configs: map[string]string{"segment.bytes": "1"}}, kerr.InvalidConfig},
	} {
		if _, errs := c.Create([]NewTopic{tc.topic}); !errors.Is(errs[0], tc.want) {
			t.Errorf("%s: %v, want %v", name, errs[0], tc.want)
		}
	}
	if n := len(c.Image().Topics()); n != 1 {
		t.Errorf("%d topics", n)
	}
}

func TestReopen(t *testing.T) {
	fs := vfs.NewMem()
	c := open(t, fs)
	a := create(t, c, "a", 2)
	create(t, c, "b", 1)
	if _, err := c.Delete("b"); err != nil {
		t.Fatal(err)
	}
	if err := c.Grow("a", 3); err != nil {
		t.Fatal(err)
	}
	if err := c.Configure("a", func(map[string]string) (map[string]string, error) {
		return map[string]string{"retention.ms": "5"}, nil
	}); err != nil {
		t.Fatal(err)
	}
	first, err := c.ProducerID()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}

	again := open(t, fs)
	topics := again.Image().Topics()
	if len(topics) != 1 || topics[0].ID != a.ID || len(topics[0].Logs) != 3 || topics[0].Configs["retention.ms"] != "5" {
		t.Errorf("after reopen: %+v", topics)
	}
	if again.ClusterID() != c.ClusterID() {
		t.Error("the cluster id changed")
	}
	if id, err := again.ProducerID(); err != nil || id <= first {
		t.Errorf("producer id %d after %d, %v", id, first, err)
	}
}

func TestRecreatedTopicIsEmptyAndNew(t *testing.T) {
	c := open(t, vfs.NewMem())
	old := create(t, c, "a", 1)
	if _, err := c.Delete("a"); err != nil {
		t.Fatal(err)
	}
	fresh := create(t, c, "a", 1)
	if fresh.ID == old.ID || c.Image().TopicByID(old.ID) != nil || c.Image().TopicByID(fresh.ID) == nil {
		t.Error("the ids of old and new topic are mixed up")
	}
	if b := fresh.Logs[0].Bounds(); b.LogEnd != 0 {
		t.Errorf("the new topic has records: %+v", b)
	}
}

func TestOpen_RemovesStrays(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/data/topics/gone-0"); err != nil {
		t.Fatal(err)
	}
	open(t, fs)
	entries, err := fs.ReadDir("/data/topics")
	if err != nil || slices.ContainsFunc(entries, func(e vfs.Entry) bool { return e.Name == "gone-0" }) {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestOpen_OtherCluster(t *testing.T) {
	fs := vfs.NewMem()
	if err := open(t, fs).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{FS: fs, Dir: "/data", Clock: clock.System, Log: slog.New(slog.DiscardHandler), ClusterID: "other"})
	if err == nil || !strings.Contains(err.Error(), "other") {
		t.Errorf("%v", err)
	}
}

func TestOpen_DamagedFile(t *testing.T) {
	for _, content := range []string{"{", `{"format":99}`, `{"format":1,"topics":[{"name":"../x","partitions":1}]}`, `{"format":1,"topics":[{"name":"x","partitions":0}]}`} {
		fs := vfs.NewMem()
		if err := fs.MkdirAll("/data"); err != nil {
			t.Fatal(err)
		}
		if err := vfs.WriteFile(fs, "/data/"+fileName, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{FS: fs, Dir: "/data", Clock: clock.System, Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("%s was accepted", content)
		}
	}
}

func TestCreate_DiskFull(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	c := open(t, fs)
	create(t, c, "a", 1)
	repair := fs.Inject(vfs.Rule{Ops: vfs.OpWrite, Path: func(p string) bool { return strings.Contains(p, fileName) }, Err: syscall.ENOSPC})
	_, errs := c.Create([]NewTopic{{Name: "b", Partitions: 1}})
	if !errors.Is(errs[0], kerr.KafkaStorageError) || !errors.Is(errs[0], syscall.ENOSPC) {
		t.Errorf("full disk: %v", errs[0])
	}
	if c.Image().Topic("b") != nil {
		t.Error("the topic is there all the same")
	}
	repair()
	create(t, c, "b", 1)
}

func TestLogConfig_Defaults(t *testing.T) {
	if got, want := logConfig(settings.NewView(settings.Layers{}), nil), partition.DefaultConfig(); got != want {
		t.Errorf("defaults differ:\n%+v\n%+v", got, want)
	}
}

func TestConfigureGroup(t *testing.T) {
	fs := vfs.NewMem()
	c := open(t, fs)
	set := func(name, value string) func(map[string]string) (map[string]string, error) {
		return func(old map[string]string) (map[string]string, error) {
			if old == nil {
				old = map[string]string{}
			}
			old[name] = value
			return old, nil
		}
	}
	done := make(chan struct{})
	go func() { // readers don't wait, and see one of the two
		defer close(done)
		for range 100 {
			if d := c.GroupConfig("g").Share.SessionTimeout; d != 45*time.Second && d != 46*time.Second {
				t.Errorf("session time-out %v", d)
			}
		}
	}()
	if err := c.ConfigureGroup("g", set("share.session.timeout.ms", "46000")); err != nil {
		t.Fatal(err)
	}
	<-done
	for name, value := range map[string]string{"share.session.timeout.ms": "1", "share.nonsense": "1"} {
		if err := c.ConfigureGroup("g", set(name, value)); !errors.Is(err, kerr.InvalidConfig) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := open(t, fs).GroupOverrides()["g"]["share.session.timeout.ms"]; got != "46000" {
		t.Errorf("after reopen: %q", got)
	}
}

func TestConfigureBroker(t *testing.T) {
	c := open(t, vfs.NewMem(), func(o *Options) { o.Static = map[string]string{"log.segment.bytes": "2000000"} })
	topic := create(t, c, "a", 1)
	if got := topic.Logs[0].Config().SegmentBytes; got != 2000000 {
		t.Errorf("segment.bytes %d", got)
	}
	err := c.ConfigureBroker(func(l settings.Layers) (settings.Layers, error) {
		l.Cluster = map[string]string{"log.segment.bytes": "3000000", "compression.type": "gzip"}
		return l, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := topic.Logs[0].Config(); got.SegmentBytes != 3000000 || !got.Recompress || got.Compression != batch.Gzip {
		t.Errorf("after the change: %+v", got)
	}
	if err := c.ConfigureBroker(func(l settings.Layers) (settings.Layers, error) { return l, errors.New("no") }); err == nil || c.Settings().Int("log.segment.bytes") != 3000000 {
		t.Errorf("%v", err)
	}
}
