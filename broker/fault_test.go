package broker

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/broker/internal/vfs"
)

// onSegments is for faults of the files that hold records.
func onSegments(path string) bool { return strings.HasSuffix(path, ".log") }

func TestDiskFull(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	b := start(t, Config{fs: fs})
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	c := client(t, b, kgo.DisableIdempotentWrite(), kgo.RecordRetries(0))
	before, after := numbers("before", 10), numbers("after", 10)
	produce(t, c, "t", before...)

	repair := fs.Inject(vfs.Rule{Ops: vfs.OpWrite, Path: onSegments, Err: syscall.ENOSPC})
	err := c.ProduceSync(timeout(t), &kgo.Record{Topic: "t", Value: []byte("lost")}).FirstErr()
	if !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("produce to a full disk: %v", err)
	}
	r := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := consume(t, r, len(before)); !slices.Equal(got, before) {
		t.Errorf("read from a full disk: %v", got)
	}

	repair()
	produce(t, c, "t", after...)
	if got := consume(t, r, len(after)); !slices.Equal(got, after) {
		t.Errorf("after the disk has space again: %v", got)
	}
}

func TestFsync_SurvivesPowerCut(t *testing.T) {
	for seed := range uint64(20) {
		fs := vfs.NewFault(vfs.NewMem())
		b := start(t, Config{fs: fs, Durability: Fsync})
		if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
			t.Fatal(err)
		}
		want := numbers("v", 50)
		c := client(t, b)
		for _, v := range want {
			produce(t, c, "t", v)
		}
		c.Close()
		fs.Inject(vfs.Rule{Ops: vfs.OpChange, Err: vfs.ErrPowerCut})
		if err := b.Close(); err == nil {
			t.Error("the broker closed in order without power")
		}
		b.result = nil // as start expects it
		fs.PowerCut(seed)

		again := start(t, Config{fs: fs, Durability: Fsync})
		r := client(t, again, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if got := consume(t, r, len(want)); !slices.Equal(got, want) {
			t.Fatalf("seed %d: %d records, want %d", seed, len(got), len(want))
		}
		r.Close()
	}
}
