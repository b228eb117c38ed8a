package partition

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// lived is the files of a log of two segments with transactions, one of them
// open, an index of the aborted ones and snapshots.
func lived(t testing.TB, clean bool) (Options, *vfs.Mem) {
	fsys := vfs.NewMem()
	o, _ := testOptions(fsys)
	c := testConfig()
	c.SegmentBytes, c.IndexIntervalBytes = 700, 100
	l := mustOpen(t, o, c)
	for i := range 3 {
		mustAppend(t, l, sentBy(t, 9, 0, int32(2*i), 2))
		transact(t, l, 1, int16(i), 0, "a", "b")
		end(t, l, 1, int16(i), []batch.Outcome{batch.Commit, batch.Abort}[i%2])
	}
	transact(t, l, 2, 0, 0, "open")
	if clean {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return o, fsys
}

// sealed corrects the checksums of whatever looks like a batch, so that what is
// in them gets looked at.
func sealed(log []byte) []byte {
	log = append([]byte(nil), log...)
	for b := log; len(b) >= batch.HeaderSize; {
		size := int64(int32(binary.BigEndian.Uint32(b[8:]))) + 12
		if size < batch.HeaderSize || size > int64(len(b)) {
			break
		}
		binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:size], castagnoli))
		b = b[size:]
	}
	return log
}

// sealedSnapshot corrects the checksum of a snapshot.
func sealedSnapshot(b []byte) []byte {
	b = append([]byte(nil), b...)
	if len(b) >= snapshotHeader {
		binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[6:], castagnoli))
	}
	return b
}

// sealedCheckpoint corrects the checksum of a checkpoint.
func sealedCheckpoint(b []byte) []byte {
	line, _, ok := strings.Cut(string(b), " crc ")
	if !ok {
		return b
	}
	return fmt.Appendf(nil, "%s crc %08x\n", line, crc32.Checksum([]byte(line), castagnoli))
}

// edited applies edits to files, which it finds by number: five bytes each, for
// the file, what to do, where, and with what.
func edited(files [][]byte, edits []byte) {
	for ; len(edits) >= 5; edits = edits[5:] {
		which, at, value := int(edits[0])%len(files), int(binary.BigEndian.Uint16(edits[2:])), edits[4]
		f := slices.Clone(files[which])
		at %= len(f) + 1
		switch edits[1] % 6 {
		case 0:
			f = f[:at]
		case 1: // one byte
			if at < len(f) {
				f[at] ^= value
			}
		case 2: // a whole number
			for i := at; i < min(at+int(value%9), len(f)); i++ {
				f[i] = []byte{0, 0xff, 0x7f, 0x80}[value%4]
			}
		case 3: // something twice
			f = append(f, f[at:]...)
		case 4: // a hole
			f = append(f[:at:at], append(make([]byte, value), f[at:]...)...)
		case 5: // digits
			if at < len(f) {
				f[at] = '0' + value%10
			}
		}
		files[which] = f
	}
}

// FuzzOpen opens the files of a log after any of them was changed in any way,
// with sound checksums or not. The log opens, and is good for reading and
// writing; or it is refused as corrupt, as Inspect has said before.
func FuzzOpen(f *testing.F) {
	kinds := []string{segment.LogSuffix, segment.IndexSuffix, segment.TimeIndexSuffix, segment.TxnIndexSuffix, segment.SnapshotSuffix, checkpointName}
	type dir struct {
		names []string
		files map[string][]byte
	}
	var dirs [2]dir // of a log that was closed, and one that was not
	for i := range dirs {
		o, fsys := lived(f, i == 0)
		d := dir{files: contents(f, fsys, o.Dir)}
		d.names = slices.SortedFunc(maps.Keys(d.files), func(a, b string) int {
			kind := func(name string) int {
				return slices.IndexFunc(kinds, func(k string) bool { return strings.HasSuffix(name, k) })
			}
			return cmp.Or(kind(a)-kind(b), strings.Compare(a, b))
		})
		if n := len(d.names); n < 3 {
			f.Fatalf("files %v", d.names)
		}
		dirs[i] = d
		for file := range byte(len(d.names)) {
			for op := range byte(6) {
				f.Add([]byte{file, op, 0, 0, 7}, i == 0, true)
				f.Add([]byte{file, op, 0, 30, 1, file + 1, 1, 0, 61, 4}, i == 0, op%2 == 0)
				f.Add([]byte{file, 2, 0, op, 0x1a}, i == 0, true)
			}
		}
	}
	f.Fuzz(func(t *testing.T, edits []byte, clean, seal bool) {
		if len(edits) > 100 {
			return
		}
		d := dirs[0]
		if !clean {
			d = dirs[1]
		}
		fsys := vfs.NewMem()
		o, clk := testOptions(fsys)
		o.Unclean = !clean
		files := make([][]byte, len(d.names))
		for i, name := range d.names {
			files[i] = d.files[name]
		}
		edited(files, edits)
		for i, name := range d.names {
			if seal {
				switch {
				case strings.HasSuffix(name, segment.LogSuffix):
					files[i] = sealed(files[i])
				case strings.HasSuffix(name, segment.SnapshotSuffix):
					files[i] = sealedSnapshot(files[i])
				case name == checkpointName:
					files[i] = sealedCheckpoint(files[i])
				}
			}
			if err := errors.Join(fsys.MkdirAll(o.Dir), vfs.WriteFile(fsys, vfs.Join(o.Dir, name), files[i])); err != nil {
				t.Fatal(err)
			}
		}
		in, err := Inspect(Inspection{FS: fsys, Dir: o.Dir, Clean: clean})
		if err != nil {
			t.Fatalf("inspect: %v", err)
		}
		l, err := Open(o, testConfig())
		if err != nil {
			if !errors.Is(err, batch.ErrCorrupt) && !errors.Is(err, segment.ErrTorn) {
				t.Fatalf("refused, but not as corrupt: %v", err)
			}
			if worst(in.Findings) != Damage {
				t.Fatalf("refused (%v), but Inspect found only %+v", err, in.Findings)
			}
			return
		}
		usable(t, l, clk)
	})
}

func worst(list []Finding) Severity {
	s := Note
	for _, f := range list {
		s = max(s, f.Severity)
	}
	return s
}

// contents are the files of a directory.
func contents(t testing.TB, fsys vfs.FS, dir string) map[string][]byte {
	list, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range list {
		b, err := vfs.ReadFile(fsys, vfs.Join(dir, e.Name))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name] = b
	}
	return files
}

// usable reads a log that opened, writes to it, and opens it once more.
func usable(t *testing.T, l *Log, clk *testClock) {
	defer func() { _ = l.Close() }()
	b := l.Bounds()
	if b.LogStart < 0 || b.LogStart > b.LogEnd || b.HighWatermark != b.LogEnd || b.LastStable > b.LogEnd {
		t.Fatalf("opened as %+v", b)
	}
	sweep(t, l, b)
	_, _, _, _ = l.OffsetForTime(base)
	if _, err := l.Retain(clk.Now().Add(time.Hour)); err != nil {
		t.Fatalf("retain: %v", err)
	}
	recs := records(t, "new")
	at, err := l.Append(recs, AppendArgs{})
	if err != nil {
		if b.LogEnd > 1<<61 {
			return // there are no offsets left
		}
		t.Fatalf("append to %+v: %v", b, err)
	}
	if at.BaseOffset != b.LogEnd {
		t.Fatalf("appended at %d to %+v", at.BaseOffset, b)
	}
	want := l.Bounds()
	if err := l.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	o := l.o
	o.Unclean = false
	again, err := Open(o, testConfig())
	if err != nil {
		t.Fatalf("open again: %v", err)
	}
	defer again.Close()
	if got := again.Bounds(); got.LogEnd != want.LogEnd || got.LogStart != want.LogStart {
		t.Fatalf("closed as %+v, opened as %+v", want, got)
	}
	got, err := again.Read(nil, at.BaseOffset, 1<<20, AtLeastOne)
	if err != nil || got.Size == 0 {
		t.Fatalf("what was appended at %d: %d bytes, %v", at.BaseOffset, got.Size, err)
	}
	got.Release()
}

// sweep reads a log from its start until something can't be read; it must come
// to an end.
func sweep(t *testing.T, l *Log, b Bounds) {
	for _, read := range []func(*Log, int64) (ReadResult, error){
		func(l *Log, at int64) (ReadResult, error) { return l.Read(nil, at, 1<<20, AtLeastOne) },
		func(l *Log, at int64) (ReadResult, error) { return l.ReadCommitted(nil, at, 1<<20, AtLeastOne) },
	} {
		for offset := b.LogStart; offset < b.LogEnd; {
			r, err := read(l, offset)
			if err != nil || r.Size == 0 {
				break
			}
			next := offset
			for _, data := range r.Data {
				for len(data) > 0 {
					h, _, rest, err := batch.Cut(data)
					if err != nil {
						break
					}
					next, data = h.NextOffset(), rest
				}
			}
			r.Release()
			if next <= offset {
				break // a client would stop here too
			}
			offset = next
		}
	}
}
