package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/vfs"
)

// TestDisk_RefusesAndRecovers makes every change of any file fail, as on a disk
// that is full or read-only: what has to be stored is refused, reading goes on,
// and when the disk is well again so is the broker, without a restart.
func TestDisk_RefusesAndRecovers(t *testing.T) {
	for name, failure := range map[string]error{"full": syscall.ENOSPC, "read-only": syscall.EROFS} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewFault(vfs.NewMem())
			b := start(t, Config{fs: fs, MaintenanceInterval: -1})
			if err := b.CreateTopic(t.Context(), "t", 1, TopicConfig{"segment.bytes", "3000"}, TopicConfig{"retention.bytes", "6000"}, TopicConfig{"file.delete.delay.ms", "0"}); err != nil {
				t.Fatal(err)
			}
			c := client(t, b, kgo.DisableIdempotentWrite(), kgo.RecordRetries(0), kgo.ProducerBatchCompression(kgo.NoCompression()))
			var before []string
			for i := range 20 {
				before = append(before, fmt.Sprint(i)+strings.Repeat("x", 900))
				produce(t, c, "t", before[i])
			}
			commitOffset(t, b, "g", "t", 1)

			repair := fs.Inject(vfs.Rule{Ops: vfs.OpWrite | vfs.OpTruncate, Err: failure})
			if err := c.ProduceSync(timeout(t), &kgo.Record{Topic: "t", Value: []byte("lost")}).FirstErr(); !errors.Is(err, kerr.KafkaStorageError) {
				t.Errorf("produce: %v", err)
			}
			if err := b.CreateTopic(t.Context(), "more", 1); !errors.Is(err, kerr.KafkaStorageError) {
				t.Errorf("create a topic: %v", err)
			}
			if code := commitCode(t, b, "g", "t", 2); code != kerr.CoordinatorNotAvailable.Code {
				t.Errorf("commit an offset: code %d", code)
			}
			if err := b.Health(); !errors.Is(err, failure) {
				t.Errorf("health: %v", err)
			}
			r := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			if got := consume(t, r, len(before)); !slices.Equal(got, before) {
				t.Errorf("read %d records, want %d", len(got), len(before))
			}
			// Retention frees space all the same.
			log := b.catalog.Image().Topic("t").Logs[0]
			size := log.Size()
			if _, err := log.Retain(time.Now()); err == nil {
				t.Error("retention found nothing wrong with the disk")
			}
			if log.Size() >= size {
				t.Errorf("retention left %d bytes of %d", log.Size(), size)
			}

			repair()
			produce(t, c, "t", "after")
			if got := consume(t, r, 1); !slices.Equal(got, []string{"after"}) {
				t.Errorf("read afterwards: %v", got)
			}
			if code := commitCode(t, b, "g", "t", 3); code != 0 {
				t.Errorf("commit an offset afterwards: code %d", code)
			}
			if err := b.CreateTopic(t.Context(), "more", 1); err != nil {
				t.Errorf("create a topic afterwards: %v", err)
			}
			if err := b.Health(); err != nil {
				t.Errorf("health afterwards: %v", err)
			}
		})
	}
}

// commitCode commits an offset of a group without members and returns the error
// code.
func commitCode(t *testing.T, b *Broker, group, topic string, offset int64) int16 {
	t.Helper()
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Group, r.Generation = group, -1
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic, rt.TopicID = topic, b.catalog.Image().Topic(topic).ID
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Offset = offset
	rt.Partitions = append(rt.Partitions, rp)
	r.Topics = append(r.Topics, rt)
	c := client(t, b, kgo.RequestRetries(0), kgo.RetryTimeout(0))
	resp, err := c.Broker(1).Request(timeout(t), r)
	if err != nil {
		t.Fatal(err)
	}
	return resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode
}

// TestDisk_FailedSync: a partition whose sync failed takes no more records, and
// says so. Once the disk is sound, what was acknowledged afterwards survives a
// power cut.
func TestDisk_FailedSync(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	b := start(t, Config{fs: fs, Durability: Fsync, MaintenanceInterval: -1})
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	c := client(t, b, kgo.DisableIdempotentWrite(), kgo.RecordRetries(0))
	produce(t, c, "t", "before")
	repair := fs.Inject(vfs.Rule{Ops: vfs.OpSync, Err: syscall.EIO})
	for _, value := range []string{"lost", "refused"} {
		if err := c.ProduceSync(timeout(t), &kgo.Record{Topic: "t", Value: []byte(value)}).FirstErr(); !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("produce %s: %v", value, err)
		}
	}
	b.retain()
	if err := b.Health(); !errors.Is(err, syscall.EIO) {
		t.Errorf("health while the disk fails: %v", err)
	}
	repair()
	if err := b.Health(); !errors.Is(err, syscall.EIO) {
		t.Errorf("health: %v", err)
	}
	r := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := consume(t, r, 1); !slices.Equal(got, []string{"before"}) {
		t.Errorf("read: %v", got)
	}
	b.retain()
	if err := b.Health(); err != nil {
		t.Errorf("health afterwards: %v", err)
	}
	produce(t, c, "t", "after")
	want := []string{"lost", "after"} // nobody was told that the first is there; it may be
	if got := consume(t, r, 2); !slices.Equal(got, want) {
		t.Errorf("read afterwards: %v, want %v", got, want)
	}
	fs.Inject(vfs.Rule{Ops: vfs.OpChange, Err: vfs.ErrPowerCut})
	_ = b.Close() // without power
	b.result = nil
	fs.PowerCut(1)
	again := start(t, Config{fs: fs, Durability: Fsync})
	r = client(t, again, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := consume(t, r, 3); !slices.Equal(got, []string{"before", "lost", "after"}) {
		t.Errorf("read after the power cut: %v", got)
	}
}
