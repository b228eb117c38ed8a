package catalog

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/leatstream/leat/broker/internal/vfs"
)

// Inspected is what a data directory's catalog says.
type Inspected struct {
	ClusterID string
	// Clean says that the broker has stopped in order.
	Clean  bool
	Topics []InspectedTopic
	// Strays are directories of partitions that no topic has.
	Strays []string
}

// InspectedTopic is a topic and the directories of its partitions.
type InspectedTopic struct {
	Name string
	ID   ID
	Dirs []string
}

// ErrNoCatalog is returned for a directory that has no catalog.
var ErrNoCatalog = errors.New("there is no catalog in it: it isn't a broker's data directory")

// Inspect reads the catalog of a data directory without changing anything.
func Inspect(fsys vfs.FS, dir string) (Inspected, error) {
	c := &Catalog{opt: Options{FS: fsys, Dir: dir}}
	var in Inspected
	b, err := vfs.ReadFileOnly(fsys, c.path())
	if errors.Is(err, fs.ErrNotExist) {
		return in, fmt.Errorf("%s: %w", dir, ErrNoCatalog)
	}
	if err != nil {
		return in, fmt.Errorf("read %s: %w", c.path(), err)
	}
	if err := c.parse(b); err != nil {
		return in, err
	}
	in.ClusterID, in.Clean = c.saved.ClusterID, !c.saved.Running
	known := map[string]bool{}
	for _, t := range c.saved.Topics {
		it := InspectedTopic{Name: t.Name, ID: t.ID}
		for p := range t.Partitions {
			it.Dirs = append(it.Dirs, c.logDir(t.Name, p))
			known[c.logDir(t.Name, p)] = true
		}
		in.Topics = append(in.Topics, it)
	}
	entries, err := fsys.ReadDir(c.topicsDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return in, fmt.Errorf("list %s: %w", c.topicsDir(), err)
	}
	for _, e := range entries {
		if path := vfs.Join(c.topicsDir(), e.Name); e.Dir && !known[path] {
			in.Strays = append(in.Strays, path)
		}
	}
	return in, nil
}
