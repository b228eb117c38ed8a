package segment_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/broker/internal/vfs"
)

func options(fsys vfs.FS) segment.Options {
	return segment.Options{FS: fsys, Dir: "/", Base: 100, Interval: 200}
}

// add appends a batch of n records whose times are first, first+1, ...
func add(t testing.TB, s *segment.Segment, n int, first int64) {
	t.Helper()
	recs := make([]batch.Record, n)
	for i := range recs {
		recs[i] = batch.Record{OffsetDelta: int32(i), Timestamp: first + int64(i), Value: []byte("value")}
	}
	h := batch.New()
	h.BaseOffset = s.Next()
	b, err := batch.Append(nil, h, recs)
	if err == nil {
		h, err = batch.Parse(b)
	}
	if err == nil {
		err = s.Append(b, &h)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// filled is a segment with 50 batches of 3 records: record i is at 1000+10*i.
func filled(t testing.TB, fsys vfs.FS) *segment.Segment {
	t.Helper()
	s, err := segment.Create(options(fsys))
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(50) {
		add(t, s, 3, 1000+i*10)
	}
	return s
}

func TestName(t *testing.T) {
	name := segment.FileName(42, segment.LogSuffix)
	if name != "00000000000000000042.log" {
		t.Errorf("name %s", name)
	}
	base, suffix, ok := segment.ParseName(name + ".swap")
	if base != 42 || suffix != ".log.swap" || !ok {
		t.Errorf("%d, %s, %t", base, suffix, ok)
	}
	for _, bad := range []string{"42.log", "checkpoint", "-0000000000000000042.log", "00000000000000000042"} {
		if _, _, ok := segment.ParseName(bad); ok {
			t.Errorf("%s is taken for a segment's file", bad)
		}
	}
}

// checkLookups compares every lookup with what filled wrote.
func checkLookups(t *testing.T, s *segment.Segment) {
	t.Helper()
	for i := range int64(150) {
		h, _, ok, err := s.Find(100 + i)
		if err != nil || !ok || h.BaseOffset != 100+i/3*3 {
			t.Fatalf("find %d: batch at %d, %t, %v", 100+i, h.BaseOffset, ok, err)
		}
		floor, err := s.Floor(100 + i)
		if err != nil {
			t.Fatal(err)
		}
		if h, _, err := segment.NewScanner(s, floor, s.Size(), 100).Next(); err != nil || h.BaseOffset > 100+i {
			t.Fatalf("floor of %d is a batch at %d, %v", 100+i, h.BaseOffset, err)
		}
	}
	if _, _, ok, err := s.Find(250); ok || err != nil {
		t.Errorf("found an offset behind the end: %v", err)
	}
	for ts := int64(990); ts <= 1492; ts++ {
		i := max(ts-1000, 0) // first batch of that ten, and the record in it
		want, at := 100+i/10*3+i%10, max(ts, 1000)
		if i%10 > 2 {
			want, at = 100+(i/10+1)*3, 1000+(i/10+1)*10
		}
		offset, timestamp, ok, err := s.FindTime(ts, 0)
		if err != nil || !ok || offset != want || timestamp != at {
			t.Fatalf("time %d: offset %d at %d, %t, %v; want %d at %d", ts, offset, timestamp, ok, err, want, at)
		}
	}
	if _, _, ok, err := s.FindTime(1493, 0); ok || err != nil {
		t.Errorf("found a time behind the end: %v", err)
	}
	if offset, _, ok, err := s.FindTime(1000, 130); offset != 130 || !ok || err != nil {
		t.Errorf("time from offset 130 on: %d, %t, %v", offset, ok, err)
	}
	if ts, offset := s.MaxTimestamp(); ts != 1492 || offset != 249 {
		t.Errorf("largest timestamp %d at %d", ts, offset)
	}
	if ts, err := s.MaxTimestampFrom(200); ts != 1492 || err != nil {
		t.Errorf("largest timestamp from 200 on: %d, %v", ts, err)
	}
}

func TestLookups(t *testing.T) { checkLookups(t, filled(t, vfs.NewMem())) }

func TestOpenWithSavedIndexes(t *testing.T) {
	fsys := vfs.NewMem()
	s := filled(t, fsys)
	if err := errors.Join(s.SaveIndexes(), s.Close()); err != nil {
		t.Fatal(err)
	}
	s, r, err := segment.Open(options(fsys), -1)
	if err != nil || r.Rebuilt || r.Checked != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	checkLookups(t, s)
	s.Unload()
	checkLookups(t, s)
	// It goes on where it was.
	add(t, s, 1, 5000)
	if offset, _, ok, err := s.FindTime(2000, 0); offset != 250 || !ok || err != nil {
		t.Errorf("appended record: %d, %t, %v", offset, ok, err)
	}
}

func TestOpenDoesNotBelieveBadIndexes(t *testing.T) {
	for _, name := range []string{segment.IndexSuffix, segment.TimeIndexSuffix} {
		for what, change := range map[string]func([]byte) []byte{
			"gone":      nil,
			"cut off":   func(b []byte) []byte { return b[:len(b)-1] },
			"reversed":  func(b []byte) []byte { b[0] = 0x7f; return b },
			"too large": func(b []byte) []byte { return bytes.Repeat([]byte{0x7f}, 24) },
		} {
			fsys := vfs.NewMem()
			s := filled(t, fsys)
			if err := errors.Join(s.SaveIndexes(), s.Close()); err != nil {
				t.Fatal(err)
			}
			path := "/" + segment.FileName(100, name)
			if change == nil {
				if err := fsys.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				b, err := vfs.ReadFile(fsys, path)
				if err != nil {
					t.Fatal(err)
				}
				if err := vfs.WriteFile(fsys, path, change(b)); err != nil {
					t.Fatal(err)
				}
			}
			s, r, err := segment.Open(options(fsys), -1)
			if err != nil || !r.Rebuilt {
				t.Errorf("%s %s: %+v, %v", name, what, r, err)
				continue
			}
			checkLookups(t, s)
		}
	}
}

// Whatever happens to the untrusted part, what is left is the sound batches
// before the damage, and the trusted part is always among them.
func TestOpenCutsAtDamage(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fsys := vfs.NewMem()
		s := filled(t, fsys)
		if rapid.Bool().Draw(rt, "indexes saved") {
			if err := s.SaveIndexes(); err != nil {
				rt.Fatal(err)
			}
		}
		var ends []int64
		for sc := s.Scan(0); ; {
			h, pos, err := sc.Next()
			if err == io.EOF {
				break
			}
			ends = append(ends, pos+int64(h.Size()))
		}
		trusted := rapid.IntRange(0, len(ends)-1).Draw(rt, "trusted batches")
		safe := int64(0)
		if trusted > 0 {
			safe = ends[trusted-1]
		}
		at := rapid.Int64Range(safe, s.Size()-1).Draw(rt, "damage")
		f, err := fsys.OpenFile(s.Path(), vfs.Existing)
		if err != nil {
			rt.Fatal(err)
		}
		if rapid.Bool().Draw(rt, "truncate") {
			err = f.Truncate(at)
		} else {
			b := make([]byte, 1)
			if _, err := f.ReadAt(b, at); err != nil {
				rt.Fatal(err)
			}
			b[0] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
			_, err = f.WriteAt(b, at)
		}
		if err != nil {
			rt.Fatal(err)
		}
		s, r, err := segment.Open(options(fsys), safe)
		if err != nil {
			rt.Fatal(err)
		}
		sound := 0
		for sound < len(ends) && ends[sound] <= at {
			sound++
		}
		// Only base offset and leader epoch lie outside of the checksum.
		start := int64(0)
		if sound > 0 {
			start = ends[sound-1]
		}
		if in := at - start; in >= 12 && in < 16 || in < 8 {
			if s.Size() < start {
				rt.Fatalf("cut to %d bytes before the damage at %d", s.Size(), at)
			}
			return
		}
		if s.Size() != start || s.Next() != 100+int64(sound)*3 || r.Cut == 0 && s.Size() != at {
			rt.Fatalf("%d bytes to offset %d are left, want %d to %d: %+v", s.Size(), s.Next(), start, 100+sound*3, r)
		}
		if size, err := f.Size(); err != nil || size != start {
			rt.Fatalf("file has %d bytes, %v", size, err)
		}
	})
}

func TestFailedAppendLeavesNothing(t *testing.T) {
	mem := vfs.NewMem()
	f := vfs.NewFault(mem)
	s, err := segment.Create(options(f))
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, 3, 1)
	size := s.Size()
	full := errors.New("full")
	h := batch.New()
	h.BaseOffset = s.Next()
	b, err := batch.Append(nil, h, []batch.Record{{Value: []byte("lost")}})
	if err != nil {
		t.Fatal(err)
	}
	// The cut fails as well, and is made up for before the next append.
	f.Inject(vfs.Rule{Ops: vfs.OpTruncate, Err: full, Times: 1})
	f.Inject(vfs.Rule{Ops: vfs.OpWrite, Err: full, Times: 1})
	if err := s.Append(b, &h); !errors.Is(err, full) {
		t.Fatalf("append: %v", err)
	}
	if s.Size() != size || s.Next() != 103 {
		t.Errorf("%d bytes to offset %d", s.Size(), s.Next())
	}
	add(t, s, 1, 2)
	s, r, err := segment.Open(options(f), 0)
	if err != nil || r.Cut != 0 || s.Next() != 104 {
		t.Errorf("reopened to %d: %+v, %v", s.Next(), r, err)
	}
}

func TestRenameAndRemove(t *testing.T) {
	fsys := vfs.NewMem()
	s := filled(t, fsys)
	if err := errors.Join(s.SaveIndexes(), s.Rename(segment.DeletedSuffix)); err != nil {
		t.Fatal(err)
	}
	s.Unload()
	checkLookups(t, s) // readers do not mind
	list, err := fsys.ReadDir("/")
	if err != nil || fmt.Sprint(list) != "[{00000000000000000100.index.deleted false} {00000000000000000100.log.deleted false} {00000000000000000100.timeindex.deleted false}]" {
		t.Errorf("files %v, %v", list, err)
	}
	if err := s.Remove(); err != nil {
		t.Fatal(err)
	}
	if list, err := fsys.ReadDir("/"); err != nil || len(list) != 0 {
		t.Errorf("files %v, %v", list, err)
	}
}

func FuzzOpen(f *testing.F) {
	fsys := vfs.NewMem()
	s := filled(f, fsys)
	if err := s.SaveIndexes(); err != nil {
		f.Fatal(err)
	}
	read := func(suffix string) []byte {
		b, err := vfs.ReadFile(fsys, "/"+segment.FileName(100, suffix))
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	f.Add(read(segment.LogSuffix)[:1000], []byte{}, []byte{}, 0)
	f.Add(read(segment.LogSuffix), read(segment.IndexSuffix), read(segment.TimeIndexSuffix), 5000)
	f.Fuzz(func(t *testing.T, log, index, times []byte, trusted int) {
		fsys := vfs.NewMem()
		for suffix, b := range map[string][]byte{segment.LogSuffix: log, segment.IndexSuffix: index, segment.TimeIndexSuffix: times} {
			if err := vfs.WriteFile(fsys, "/"+segment.FileName(100, suffix), b); err != nil {
				t.Fatal(err)
			}
		}
		s, _, err := segment.Open(options(fsys), int64(trusted))
		if err != nil {
			t.Fatalf("a damaged file must be cut, not refused: %v", err)
		}
		size, next := s.Size(), s.Next()
		// What was kept without complaint is kept again.
		s, r, err := segment.Open(options(fsys), size)
		if err != nil || s.Size() != size || s.Next() != next || r.Cut != 0 {
			t.Fatalf("opened to %d, then to %d: %+v, %v", next, s.Next(), r, err)
		}
		for offset := next - 3; offset < next; offset++ {
			if _, _, _, err := s.Find(offset); err != nil {
				t.Fatalf("find %d: %v", offset, err)
			}
		}
	})
}
