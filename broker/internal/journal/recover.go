package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/leatstream/leat/broker/internal/vfs"
)

const suffix = ".journal"

func fileName(number uint64) string { return fmt.Sprintf("%016d%s", number, suffix) }

func parseName(name string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, err == nil && fileName(number) == name
}

// syncDirs makes the names in a directory durable, and its own.
func syncDirs(fsys vfs.FS, dir string) error {
	return errors.Join(fsys.SyncDir(dir), fsys.SyncDir(path.Dir(dir)))
}

// Recovered is what a journal holds when its user starts. It may be read by several
// goroutines.
type Recovered struct {
	Files   int
	Blocks  int
	Bytes   int64 // of the logs
	Damaged []Damage

	fs      vfs.FS
	dir     string
	next    uint64
	names   []string
	open    []vfs.File
	entries map[Key][]Entry
}

// Damage is a block that was durable and can't be read.
type Damage struct {
	Path     string
	Position int64
}

// Entry is bytes that were made durable.
type Entry struct {
	Place
	Size int

	file vfs.File
	at   int64
}

// Bytes reads them.
func (e Entry) Bytes() ([]byte, error) {
	b := make([]byte, e.Size)
	if _, err := e.file.ReadAt(b, e.at); err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return b, nil
}

// Recover reads the journal in a directory; one that isn't there is empty. Nothing
// is changed.
func Recover(fsys vfs.FS, dir string) (*Recovered, error) {
	r := &Recovered{fs: fsys, dir: dir, next: 1, entries: map[Key][]Entry{}}
	list, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	for _, e := range list { // numbers have leading zeros: this is their order
		number, ok := parseName(e.Name)
		if !ok {
			continue
		}
		if err := r.read(vfs.Join(dir, e.Name), number); err != nil {
			return nil, errors.Join(fmt.Errorf("journal: %w", err), r.Close())
		}
		r.next = number + 1
	}
	return r, nil
}

// Next is the number that the next file may have.
func (r *Recovered) Next() uint64 { return r.next }

// Logs calls yield with each log that has entries.
func (r *Recovered) Logs(yield func(Key, []Entry) bool) {
	for k, list := range r.entries {
		if !yield(k, list) {
			return
		}
	}
}

// Entries are those of one log, in the order in which they were committed. Nil has
// none.
func (r *Recovered) Entries(k Key) []Entry {
	if r == nil {
		return nil
	}
	return r.entries[k]
}

// Close closes the files; entries can't be read any more.
func (r *Recovered) Close() error {
	var err error
	for _, f := range r.open {
		err = errors.Join(err, f.Close())
	}
	r.open, r.entries = nil, nil
	return err
}

// Remove deletes all of it, once it is redone and durable elsewhere.
func (r *Recovered) Remove() error {
	err := r.Close()
	for _, name := range r.names {
		err = errors.Join(err, r.fs.Remove(name))
	}
	if len(r.names) > 0 && err == nil {
		err = r.fs.SyncDir(r.dir)
	}
	r.names = nil
	if err != nil {
		return fmt.Errorf("remove the journal: %w", err)
	}
	return nil
}

func (r *Recovered) read(name string, number uint64) error {
	f, err := r.fs.OpenFile(name, vfs.ReadOnly)
	if err != nil {
		return err
	}
	r.open = append(r.open, f)
	r.names = append(r.names, name)
	r.Files++
	size, err := f.Size()
	if err != nil {
		return err
	}
	s := scan{file: f, number: number, size: size}
	at := int64(0)
	for {
		h, err := s.block(at)
		if err == nil {
			err = r.take(&s, h)
		}
		if err == nil {
			at = aligned(at + int64(h.length))
			continue
		}
		if !errors.Is(err, errBlock) {
			return err
		}
		later, ok, err := s.after(at)
		if err != nil || !ok {
			return err
		}
		r.Damaged = append(r.Damaged, Damage{Path: name, Position: at})
		at = later
	}
}

// take notes the entries of the block that was read last.
func (r *Recovered) take(s *scan, h blockHeader) error {
	type found struct {
		key   Key
		entry Entry
	}
	var list []found
	err := parseEntries(s.buf, h, func(k Key, p Place, at, size int) {
		list = append(list, found{k, Entry{Place: p, Size: size, file: s.file, at: h.at + int64(at)}})
	})
	if err != nil {
		return err
	}
	for _, e := range list {
		r.entries[e.key] = append(r.entries[e.key], e.entry)
		r.Bytes += int64(e.entry.Size)
	}
	r.Blocks++
	return nil
}

// scan reads blocks of one file.
type scan struct {
	file   vfs.File
	number uint64
	size   int64
	buf    []byte // the last block
}

// block reads the block at a position. Its checksum has not been looked at.
func (s *scan) block(at int64) (blockHeader, error) {
	if err := s.fill(at, headerSize); err != nil {
		return blockHeader{}, err
	}
	h, err := parseHeader(s.buf, s.number, at)
	if err != nil {
		return h, err
	}
	return h, s.fill(at, h.length)
}

func (s *scan) fill(at int64, size int) error {
	if at+int64(size) > s.size {
		return errBlock
	}
	if cap(s.buf) < size {
		s.buf = make([]byte, size)
	}
	s.buf = s.buf[:size]
	_, err := s.file.ReadAt(s.buf, at)
	if errors.Is(err, io.EOF) {
		return errBlock
	}
	return err
}

// after looks behind a bad block for a good one that knows the bad one to have been
// durable.
func (s *scan) after(bad int64) (at int64, ok bool, err error) {
	for at = bad + align; at+headerSize <= s.size; at += align {
		h, err := s.block(at)
		if err == nil && h.synced > bad {
			err = parseEntries(s.buf, h, func(Key, Place, int, int) {})
			if err == nil {
				return at, true, nil
			}
		}
		if err != nil && !errors.Is(err, errBlock) {
			return 0, false, err
		}
	}
	return 0, false, nil
}
