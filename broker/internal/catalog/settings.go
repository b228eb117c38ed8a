package catalog

import (
	"maps"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/settings"
)

// fileSettings are the broker's settings that were changed while it ran.
type fileSettings struct {
	Broker  map[string]string `json:"broker,omitempty"`  // for this broker
	Cluster map[string]string `json:"cluster,omitempty"` // for all there may be
}

func (c *Catalog) view(f fileSettings) *settings.View {
	return settings.NewView(settings.Layers{Broker: f.Broker, Cluster: f.Cluster, Static: c.opt.Static})
}

// Settings are the broker's settings that hold now.
func (c *Catalog) Settings() *settings.View { return c.settings.Load() }

// GroupConfig is what holds for a group now.
func (c *Catalog) GroupConfig(group string) settings.Group {
	return c.Settings().Group((*c.groups.Load())[group])
}

// GroupOverrides are the configs of all groups that have any. They must not be
// modified.
func (c *Catalog) GroupOverrides() map[string]map[string]string { return *c.groups.Load() }

// CheckGroupConfigs returns an error with Kafka's code for the first override
// that isn't a group's config or has a bad value.
func (c *Catalog) CheckGroupConfigs(configs map[string]string) error {
	for _, name := range sortedKeys(configs) {
		if _, ok := settings.Find(settings.Groups, name); !ok {
			return batch.Errorf(kerr.InvalidConfig, "Unknown group config name: %s", name)
		}
	}
	if why := c.Settings().CheckGroup(configs); why != "" {
		return batch.Errorf(kerr.InvalidConfig, "%s", why)
	}
	return nil
}

// ConfigureGroup replaces the configs of a group, which need not exist.
func (c *Catalog) ConfigureGroup(group string, change func(map[string]string) (map[string]string, error)) error {
	if group == "" {
		return batch.Errorf(kerr.InvalidRequest, "Default group resources are not allowed.")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	configs, err := change(maps.Clone(c.saved.Groups[group]))
	if err != nil {
		return err
	}
	if err := c.CheckGroupConfigs(configs); err != nil {
		return err
	}
	old := c.saved.Groups
	next := maps.Clone(old)
	if next == nil {
		next = map[string]map[string]string{}
	}
	next[group] = configs
	if len(configs) == 0 {
		delete(next, group)
	}
	c.saved.Groups = next
	if err := c.save(); err != nil {
		c.saved.Groups = old
		return storageError(err)
	}
	c.groups.Store(&next)
	return nil
}

// ConfigureBroker replaces the settings that were changed while the broker ran.
// The change gets the layers as they are, and gives those to be; it has checked
// them.
func (c *Catalog) ConfigureBroker(change func(settings.Layers) (settings.Layers, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	next, err := change(c.Settings().Layers())
	if err != nil {
		return err
	}
	old := c.saved.Settings
	c.saved.Settings = fileSettings{Broker: next.Broker, Cluster: next.Cluster}
	if err := c.save(); err != nil {
		c.saved.Settings = old
		return storageError(err)
	}
	v := c.view(c.saved.Settings)
	c.settings.Store(v)
	for _, t := range c.Image().Topics() {
		for _, log := range t.Logs {
			log.SetConfig(logConfig(v, t.Configs))
		}
	}
	return nil
}
