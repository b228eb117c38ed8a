package partition

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sort"

	"github.com/leatstream/leat/broker/internal/journal"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// redone shows a log's directory as a start would make it with the journal's
// entries, and changes nothing.
type redone struct {
	vfs.FS
	dir   string
	files map[string][]journal.Entry // by name
}

// asRedone is fsys where there is nothing to redo.
func asRedone(fsys vfs.FS, dir string, saved checkpoint, entries []journal.Entry) vfs.FS {
	files := map[string][]journal.Entry{}
	for e := range needed(entries, saved) {
		name := segment.FileName(e.Base, segment.LogSuffix)
		files[name] = append(files[name], e)
	}
	if len(files) == 0 {
		return fsys
	}
	return &redone{FS: fsys, dir: dir, files: files}
}

// ReadDir implements vfs.FS.
func (r *redone) ReadDir(dir string) ([]vfs.Entry, error) {
	list, err := r.FS.ReadDir(dir)
	if dir != r.dir {
		return list, err
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for name := range r.files {
		if !slices.ContainsFunc(list, func(e vfs.Entry) bool { return e.Name == name }) {
			list = append(list, vfs.Entry{Name: name})
		}
	}
	slices.SortFunc(list, func(a, b vfs.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// OpenFile implements vfs.FS.
func (r *redone) OpenFile(name string, how vfs.How) (vfs.File, error) {
	for at, entries := range r.files {
		if name != vfs.Join(r.dir, at) {
			continue
		}
		f, err := r.FS.OpenFile(name, how)
		if errors.Is(err, fs.ErrNotExist) {
			f, err = nil, nil
		}
		if err != nil {
			return nil, err
		}
		return newRedoneFile(f, entries)
	}
	return r.FS.OpenFile(name, how)
}

// redoneFile is a segment's file with entries of the journal over it. It is for
// reading.
type redoneFile struct {
	vfs.File // nil if there is none
	entries  []journal.Entry
	longest  int64
	size     int64
}

func newRedoneFile(f vfs.File, entries []journal.Entry) (*redoneFile, error) {
	r := &redoneFile{File: f, entries: slices.Clone(entries)}
	slices.SortStableFunc(r.entries, func(a, b journal.Entry) int { return cmp.Compare(a.Position, b.Position) })
	if f != nil {
		size, err := f.Size()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		r.size = size
	}
	for _, e := range r.entries {
		r.longest = max(r.longest, int64(e.Size))
		r.size = max(r.size, e.Position+int64(e.Size))
	}
	return r, nil
}

func (r *redoneFile) Size() (int64, error) { return r.size, nil }

func (r *redoneFile) Close() error {
	if r.File == nil {
		return nil
	}
	return r.File.Close()
}

// ReadAt implements io.ReaderAt.
func (r *redoneFile) ReadAt(p []byte, at int64) (int, error) {
	if at >= r.size {
		return 0, io.EOF
	}
	short := at+int64(len(p)) > r.size
	if short {
		p = p[:r.size-at]
	}
	clear(p)
	if r.File != nil {
		if _, err := r.File.ReadAt(p, at); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
	}
	first := sort.Search(len(r.entries), func(i int) bool { return r.entries[i].Position > at-r.longest })
	for _, e := range r.entries[first:] {
		if e.Position >= at+int64(len(p)) {
			break
		}
		b, err := e.Bytes()
		if err != nil {
			return 0, err
		}
		if from := at - e.Position; from < int64(len(b)) {
			copy(p[max(0, -from):], b[max(0, from):])
		}
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}
