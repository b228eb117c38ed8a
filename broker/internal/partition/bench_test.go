package partition

import (
	"testing"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

func benchBatch(b *testing.B, size int) []byte {
	recs := make([]batch.Record, max(size/1024, 1))
	for i := range recs {
		recs[i] = batch.Record{Timestamp: base, Key: []byte("key"), Value: make([]byte, min(size, 1000))}
	}
	return encode(b, batch.New(), recs...)
}

// BenchmarkAppend appends batches of one record and of 64 KiB through the
// page cache and to memory; retention keeps the log small.
func BenchmarkAppend(b *testing.B) {
	for _, fs := range []struct {
		name string
		fsys vfs.FS
	}{{"os", vfs.OS}, {"mem", vfs.NewMem()}} {
		for _, size := range []struct {
			name  string
			bytes int
		}{{"100B", 100}, {"64KiB", 64 << 10}} {
			b.Run(fs.name+"/"+size.name, func(b *testing.B) {
				o, clk := testOptions(fs.fsys)
				o.Dir = vfs.Join(b.TempDir(), "t-0")
				c := testConfig()
				c.SegmentBytes, c.RetentionBytes = 64<<20, 1
				l := mustOpen(b, o, c)
				defer l.Delete()
				raw := benchBatch(b, size.bytes)
				b.SetBytes(int64(len(raw)))
				b.ReportAllocs()
				written := 0
				for b.Loop() {
					mustAppend(b, l, raw)
					if written += len(raw); written > 128<<20 {
						written = 0
						if _, err := l.Retain(clk.Now()); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}

// BenchmarkRead reads a megabyte at a time from memory and from files.
func BenchmarkRead(b *testing.B) {
	for _, where := range []string{"tail", "file"} {
		b.Run(where, func(b *testing.B) {
			o, _ := testOptions(vfs.OS)
			o.Dir = vfs.Join(b.TempDir(), "t-0")
			o.TailBytes = 8 << 20
			l := mustOpen(b, o, testConfig())
			defer l.Close()
			raw := benchBatch(b, 16<<10)
			for l.Size() < 4<<20 {
				mustAppend(b, l, raw)
			}
			if where == "file" {
				l.tail.drop()
			}
			var views [8][]byte
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			for b.Loop() {
				r, err := l.Read(views[:0], 100, 1<<20, AtLeastOne)
				if err != nil || r.Size < 1<<19 {
					b.Fatalf("%d bytes, %v", r.Size, err)
				}
				r.Release()
			}
		})
	}
}
