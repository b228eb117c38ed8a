package broker

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// integration/bench measures the same with ten times as much of all.

// TestManyPartitions has a topic with many partitions: it is made and told of in
// one request each, a consumer of all is only told of those that have something
// new, and all is there after a restart.
func TestManyPartitions(t *testing.T) {
	const count = 1000
	dir := t.TempDir()
	b := start(t, Config{Dir: dir})
	conn := connected(t, b)
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: "wide", NumPartitions: count, ReplicationFactor: 1}}
	if got, err := exchange(t, conn, create, 7); err != nil || got.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode != 0 {
		t.Fatalf("%v, %+v", err, got)
	}
	about := kmsg.NewPtrMetadataRequest()
	about.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("wide")}}
	if got, err := exchange(t, conn, about, 12); err != nil || len(got.(*kmsg.MetadataResponse).Topics[0].Partitions) != count {
		t.Fatalf("%v, %+v", err, got)
	}
	all := newSession(t, conn, nil)
	for p := range int32(count) {
		all.want[partitionName{"wide", p}] = 0
	}
	all.fetch()
	k := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for _, p := range []int32{0, count / 2, count - 1} {
		if err := k.ProduceSync(t.Context(), &kgo.Record{Topic: "wide", Partition: p, Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		resp := all.raw()
		all.epoch++
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].Partition != p {
			t.Fatalf("of a record in partition %d: %+v", p, resp.Topics)
		}
		all.take(partitionName{"wide", p}, resp.Topics[0].Partitions[0].RecordBatches)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, Config{Dir: dir})
	logs := again.catalog.Image().Topic("wide").Logs
	for p, log := range logs {
		if want := all.want[partitionName{"wide", int32(p)}]; log.Bounds().LogEnd != want {
			t.Errorf("partition %d of %d ends at %d, want %d", p, len(logs), log.Bounds().LogEnd, want)
		}
	}
}

// TestManyConnections has many clients come at once and then be silent: each takes
// two goroutines and little memory, and nothing once it has gone.
func TestManyConnections(t *testing.T) {
	const count, kilobytes = 500, 12 // of memory for a connection, with our end of it
	b := start(t, Config{Listen: "127.0.0.1:0"})
	before, memory := runtime.NumGoroutine(), heap()
	conns := make([]net.Conn, count)
	var group sync.WaitGroup
	for i := range conns {
		group.Go(func() {
			conn, err := net.Dial("tcp", b.Addr())
			if err == nil {
				conns[i] = conn
				_, err = exchange(t, conn, kmsg.NewPtrMetadataRequest(), 12)
			}
			if err != nil {
				t.Error(fmt.Errorf("connection %d: %w", i, err))
			}
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	if n := runtime.NumGoroutine() - before; n > 2*count {
		t.Errorf("%d connections have %d goroutines", count, n)
	}
	if each := (int64(heap()) - int64(memory)) / count; each > kilobytes<<10 {
		t.Errorf("a silent connection takes %d bytes", each)
	}
	for _, c := range conns {
		c.Close()
	}
	for runtime.NumGoroutine() > before+count/10 { // until the broker has noticed
		runtime.Gosched()
	}
}

// heap is the bytes in use, without garbage.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
