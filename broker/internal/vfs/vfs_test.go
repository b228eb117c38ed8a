package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/vfs"
)

// each runs a test on all file systems, in an empty directory.
func each(t *testing.T, test func(t *testing.T, fsys vfs.FS, dir string)) {
	t.Run("os", func(t *testing.T) { test(t, vfs.OS, filepath.ToSlash(t.TempDir())) })
	t.Run("mem", func(t *testing.T) {
		m := vfs.NewMem()
		if err := m.MkdirAll("/d"); err != nil {
			t.Fatal(err)
		}
		test(t, m, "/d")
	})
	t.Run("fault", func(t *testing.T) {
		f := vfs.NewFault(vfs.NewMem())
		if err := f.MkdirAll("/d"); err != nil {
			t.Fatal(err)
		}
		test(t, f, "/d")
	})
}

func names(t *testing.T, fsys vfs.FS, dir string) string {
	t.Helper()
	list, err := fsys.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := ""
	for _, e := range list {
		s += e.Name + " "
	}
	return s
}

func TestOpenFile(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := vfs.Join(dir, "a")
		if _, err := fsys.OpenFile(name, vfs.Existing); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("open of a missing file: %v", err)
		}
		if ok, err := vfs.Exists(fsys, name); ok || err != nil {
			t.Errorf("missing file exists: %t, %v", ok, err)
		}
		if err := vfs.WriteFile(fsys, name, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		f, err := fsys.OpenFile(name, vfs.CreateIfMissing)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := f.Size(); n != 5 || err != nil {
			t.Errorf("size %d, %v", n, err)
		}
		if err := f.Truncate(2); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("!"), 4); err != nil {
			t.Fatal(err)
		}
		if b, err := vfs.ReadFile(fsys, name); string(b) != "he\x00\x00!" || err != nil {
			t.Errorf("content %q, %v", b, err)
		}
		if n, err := f.ReadAt(make([]byte, 3), 3); n != 2 || err != io.EOF {
			t.Errorf("read over the end: %d, %v", n, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
		if f, err = fsys.OpenFile(name, vfs.Truncated); err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if n, err := f.Size(); n != 0 || err != nil {
			t.Errorf("size %d, %v", n, err)
		}
	})
}

func TestTree(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		if err := fsys.MkdirAll(vfs.Join(dir, "x/y")); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"x/b", "x/y/c", "a"} {
			if err := vfs.WriteAtomic(fsys, vfs.Join(dir, name), []byte(name)); err != nil {
				t.Fatal(err)
			}
		}
		if got := names(t, fsys, dir); got != "a x " {
			t.Errorf("names %q", got)
		}
		if err := fsys.Rename(vfs.Join(dir, "a"), vfs.Join(dir, "x/b")); err != nil {
			t.Fatal(err)
		}
		if b, err := vfs.ReadFile(fsys, vfs.Join(dir, "x/b")); string(b) != "a" || err != nil {
			t.Errorf("renamed over: %q, %v", b, err)
		}
		if err := fsys.Rename(vfs.Join(dir, "x"), vfs.Join(dir, "z")); err != nil {
			t.Fatal(err)
		}
		if b, err := vfs.ReadFile(fsys, vfs.Join(dir, "z/y/c")); string(b) != "x/y/c" || err != nil {
			t.Errorf("in a renamed directory: %q, %v", b, err)
		}
		if err := fsys.Remove(vfs.Join(dir, "z")); err == nil {
			t.Error("removed a directory that is not empty")
		}
		if err := fsys.RemoveAll(vfs.Join(dir, "z")); err != nil {
			t.Fatal(err)
		}
		if got := names(t, fsys, dir); got != "" {
			t.Errorf("names %q", got)
		}
		if err := fsys.Remove(vfs.Join(dir, "z")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("second removal: %v", err)
		}
	})
}

func TestLock(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := vfs.Join(dir, "LOCK")
		held, err := fsys.Lock(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = fsys.Lock(name)
		e, ok := errors.AsType[*vfs.LockedError](err)
		if !ok || !errors.Is(err, vfs.ErrLocked) || e.Path != name {
			t.Errorf("second lock: %v", err)
		}
		if fsys == vfs.OS && e.PID != os.Getpid() {
			t.Errorf("held by %d, want %d", e.PID, os.Getpid())
		}
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
		if held, err = fsys.Lock(name); err != nil {
			t.Fatal(err)
		}
		held.Close()
	})
}

func TestMemFileIsAByteSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := vfs.NewMem()
		f, err := m.OpenFile("/f", vfs.CreateIfMissing)
		if err != nil {
			t.Fatal(err)
		}
		var model []byte
		grow := func(n int) {
			if n > len(model) {
				model = append(model, make([]byte, n-len(model))...)
			}
		}
		at := rapid.IntRange(0, 200_000)
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				off := at.Draw(t, "offset")
				b := bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, at.Draw(t, "length"))
				if _, err := f.WriteAt(b, int64(off)); err != nil {
					t.Fatal(err)
				}
				if len(b) > 0 {
					grow(off + len(b))
					copy(model[off:], b)
				}
			},
			"truncate": func(t *rapid.T) {
				size := at.Draw(t, "size")
				if err := f.Truncate(int64(size)); err != nil {
					t.Fatal(err)
				}
				grow(size)
				model = model[:size:size]
			},
			"": func(t *rapid.T) {
				b, err := vfs.ReadFile(m, "/f")
				if err != nil || !bytes.Equal(b, model) {
					t.Fatalf("%d bytes (%v) differ from the model's %d", len(b), err, len(model))
				}
			},
		})
	})
}

func TestFaultRules(t *testing.T) {
	f := vfs.NewFault(vfs.NewMem())
	boom := errors.New("boom")
	repair := f.Inject(vfs.Rule{Ops: vfs.OpWrite, Err: boom, After: 1, Path: func(p string) bool { return p == "/a" }})
	a, err := f.OpenFile("/a", vfs.CreateIfMissing)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.WriteAt([]byte("abcd"), 0); err != nil {
		t.Errorf("first write: %v", err)
	}
	if n, err := a.WriteAt([]byte("efgh"), 4); !errors.Is(err, boom) || n != 2 {
		t.Errorf("second write: %d, %v", n, err)
	}
	if err := vfs.WriteFile(f, "/b", []byte("x")); err != nil {
		t.Errorf("another file: %v", err)
	}
	repair()
	if _, err := a.WriteAt([]byte("gh"), 6); err != nil {
		t.Errorf("after the repair: %v", err)
	}
	if b, _ := vfs.ReadFile(f, "/a"); string(b) != "abcdefgh" {
		t.Errorf("content %q", b)
	}
}

func TestPowerCutKeepsWhatWasSynced(t *testing.T) {
	lostData, lostName := false, false
	for seed := range uint64(30) {
		f := vfs.NewFault(vfs.NewMem())
		if err := vfs.WriteAtomic(f, "/kept", bytes.Repeat([]byte("a"), 10_000)); err != nil {
			t.Fatal(err)
		}
		file, err := f.OpenFile("/kept", vfs.Existing)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(bytes.Repeat([]byte("b"), 20_000), 10_000); err != nil {
			t.Fatal(err)
		}
		if err := vfs.WriteFile(f, "/new", []byte("x")); err != nil {
			t.Fatal(err)
		}
		f.PowerCut(seed)
		if _, err := file.ReadAt(make([]byte, 1), 0); !errors.Is(err, vfs.ErrPowerCut) {
			t.Fatalf("old handle: %v", err)
		}
		b, err := vfs.ReadFile(f, "/kept")
		if err != nil || len(b) < 10_000 || !bytes.Equal(b[:10_000], bytes.Repeat([]byte("a"), 10_000)) {
			t.Fatalf("seed %d lost synced bytes: %d left, %v", seed, len(b), err)
		}
		lostData = lostData || !bytes.Equal(b[10_000:], bytes.Repeat([]byte("b"), 20_000))
		there, err := vfs.Exists(f, "/new")
		if err != nil {
			t.Fatal(err)
		}
		lostName = lostName || !there
	}
	if !lostData || !lostName {
		t.Errorf("no seed lost data (%t) and a name (%t)", lostData, lostName)
	}
}

// An atomic write is all old or all new wherever the power is cut.
func TestWriteAtomicSurvivesAnyCut(t *testing.T) {
	for cut := 1; ; cut++ {
		for seed := range uint64(8) {
			f := vfs.NewFault(vfs.NewMem())
			if err := vfs.WriteAtomic(f, "/f", []byte("old")); err != nil {
				t.Fatal(err)
			}
			f.CutAfter(cut)
			err := vfs.WriteAtomic(f, "/f", []byte("new!"))
			f.PowerCut(seed)
			b, readErr := vfs.ReadFile(f, "/f")
			if got := string(b); readErr != nil || got != "old" && got != "new!" {
				t.Fatalf("cut %d, seed %d: %q, %v", cut, seed, got, readErr)
			}
			if err == nil {
				if string(b) != "new!" {
					t.Fatalf("cut %d, seed %d: lost after success", cut, seed)
				}
				if cut < 4 {
					t.Fatalf("success in spite of cut %d", cut)
				}
				return
			}
		}
	}
}
