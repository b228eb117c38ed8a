package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/leatstream/leat/broker/internal/settings"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// fileName is the catalog's file in the data directory; fileFormat is the
// version of its content.
const (
	fileName   = "catalog.json"
	fileFormat = 1
)

// file is the content of the catalog's file.
type file struct {
	Format    int    `json:"format"`
	ClusterID string `json:"clusterId"`
	// Running is set while a broker runs: found at the start, it says that the
	// last one didn't stop in order.
	Running bool `json:"running"`
	// NextProducerID is the first producer id that has not been reserved.
	NextProducerID int64       `json:"nextProducerId"`
	Topics         []fileTopic `json:"topics"`
	// Security is who may do what. Credentials in it let nobody log in, but
	// passwords can be tried on them.
	Security fileSecurity `json:"security,omitzero"`
	// Settings are the broker's that were changed while it ran, Groups the
	// configs of groups.
	Settings fileSettings                 `json:"settings,omitzero"`
	Groups   map[string]map[string]string `json:"groups,omitempty"`
}

type fileTopic struct {
	Name       string            `json:"name"`
	ID         ID                `json:"id"`
	Partitions int32             `json:"partitions"`
	Configs    map[string]string `json:"configs,omitempty"`
}

func (c *Catalog) path() string { return vfs.Join(c.opt.Dir, fileName) }

// load reads the file, or makes the content of a new one.
func (c *Catalog) load() error {
	b, err := vfs.ReadFile(c.opt.FS, c.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Producer id 0 is a real one for Kafka, but some tools take it for none.
		c.saved = file{Format: fileFormat, ClusterID: c.opt.ClusterID, NextProducerID: producerBlock}
		if c.saved.ClusterID == "" {
			c.saved.ClusterID = newClusterID()
		}
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", c.path(), err)
	}
	if err := c.parse(b); err != nil {
		return err
	}
	if c.opt.ClusterID != "" && c.opt.ClusterID != c.saved.ClusterID {
		return fmt.Errorf("the data directory %s is of cluster %s, not %s", c.opt.Dir, c.saved.ClusterID, c.opt.ClusterID)
	}
	return nil
}

// parse reads the content of the file.
func (c *Catalog) parse(b []byte) error {
	if err := json.Unmarshal(b, &c.saved); err != nil {
		return fmt.Errorf("read %s: %w; restore it from a backup", c.path(), err)
	}
	if c.saved.Format != fileFormat {
		return fmt.Errorf("%s has format %d, this version reads %d: use the version of leat that wrote it", c.path(), c.saved.Format, fileFormat)
	}
	return c.check()
}

// mostPartitions is more than any broker has been given: a larger number in the
// file is damage.
const mostPartitions = 1 << 22

// check refuses content that would lead outside the data directory, or to what
// can't be.
func (c *Catalog) check() error {
	names, ids := map[string]bool{}, map[ID]bool{}
	for _, t := range c.saved.Topics {
		if err := CheckName(t.Name); err != nil {
			return fmt.Errorf("%s: %w", c.path(), err)
		}
		if t.Partitions < 1 || t.Partitions > mostPartitions {
			return fmt.Errorf("%s: topic %s has %d partitions", c.path(), t.Name, t.Partitions)
		}
		if names[t.Name] || ids[t.ID] {
			return fmt.Errorf("%s: topic %s, or its id %x, is there twice", c.path(), t.Name, t.ID)
		}
		names[t.Name], ids[t.ID] = true, true
		if err := CheckConfigs(t.Configs); err != nil {
			return fmt.Errorf("%s: topic %s: %w", c.path(), t.Name, err)
		}
	}
	for _, layer := range []map[string]string{c.saved.Settings.Broker, c.saved.Settings.Cluster} {
		for name, value := range layer {
			if d, ok := settings.Find(settings.Brokers, name); !ok || d.Check(value) != "" {
				return fmt.Errorf("%s: there is no setting %s with the value %q", c.path(), name, value)
			}
		}
	}
	for _, b := range c.saved.Security.ACLs {
		if err := b.Check(); err != nil {
			return fmt.Errorf("%s: access control list: %w", c.path(), err)
		}
	}
	return nil
}

// save writes the file.
func (c *Catalog) save() error {
	b, err := json.MarshalIndent(c.saved, "", "\t")
	if err != nil {
		return fmt.Errorf("encode the catalog: %w", err)
	}
	if err := c.opt.FS.MkdirAll(c.opt.Dir); err != nil {
		return fmt.Errorf("make %s: %w", c.opt.Dir, err)
	}
	if err := vfs.WriteAtomic(c.opt.FS, c.path(), b); err != nil {
		return fmt.Errorf("write %s: %w", c.path(), err)
	}
	return nil
}

// publish saves the topics of an image and then makes it the current one. If
// saving fails the old image stays.
func (c *Catalog) publish(m *Image) error {
	old := c.saved
	c.saved.Topics = nil
	for _, t := range m.Topics() {
		c.saved.Topics = append(c.saved.Topics, fileTopic{Name: t.Name, ID: t.ID, Partitions: int32(len(t.Logs)), Configs: t.Configs})
	}
	if err := c.save(); err != nil {
		c.saved = old
		return err
	}
	c.image.Store(m)
	return nil
}
