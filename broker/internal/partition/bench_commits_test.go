package partition

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/leatstream/leat/broker/internal/journal"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// BenchmarkFsync has an append of 4 KiB to each of some logs durable, as a commit of
// a stream processor would: by each log's own file, and by a journal.
func BenchmarkFsync(b *testing.B) {
	for _, logs := range []int{1, 8, 64} {
		for _, way := range []string{"files", "journal"} {
			b.Run(fmt.Sprintf("%d/%s", logs, way), func(b *testing.B) {
				dir := b.TempDir()
				s := NewSyncer(8)
				if way == "journal" {
					s.Close()
					s = NewJournaledSyncer(Journaled{Journal: journal.New(journal.Options{FS: vfs.OS, Dir: vfs.Join(dir, "journal")}), Workers: 8})
				}
				defer s.Close()
				all := make([]*Log, logs)
				for p := range all {
					o, _ := testOptions(vfs.OS)
					o.Dir, o.Partition = vfs.Join(dir, fmt.Sprint("t-", p)), int32(p)
					o.Durability, o.Syncer = Fsync, s
					all[p] = mustOpen(b, o, testConfig())
					defer all[p].Close()
				}
				raw := benchBatch(b, 4<<10)
				b.SetBytes(int64(logs * len(raw)))
				for b.Loop() {
					var wg sync.WaitGroup
					for _, l := range all {
						at := mustAppend(b, l, raw)
						wg.Go(func() {
							if err := l.WaitDurable(context.Background(), at.LastOffset+1); err != nil {
								b.Error(err)
							}
						})
					}
					wg.Wait()
				}
			})
		}
	}
}
