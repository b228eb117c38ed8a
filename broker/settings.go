package broker

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leatstream/leat/broker/internal/api"
	"github.com/leatstream/leat/broker/internal/settings"
)

// ParseProperties reads settings for Config.Set from text in the form of
// Kafka's server.properties: a line NAME=VALUE each. The error tells the line.
func ParseProperties(text string) (map[string]string, error) { return settings.ParseProperties(text) }

// SettingNames are the names of all settings that Config.Set may have, in order.
func SettingNames() []string {
	names := make([]string, 0, len(settings.Brokers))
	for _, d := range settings.Brokers {
		names = append(names, d.Name)
	}
	return names
}

// settle brings Set and the other fields together: where a field is set, it
// holds, and Set tells it; where it isn't, it is filled from Set.
func (c *Config) settle() (settings.Given, error) {
	g, err := settings.Check(c.Set)
	if err != nil {
		return g, err
	}
	if err := c.settleListeners(g); err != nil {
		return g, err
	}
	if err := c.settleSecurity(g); err != nil {
		return g, err
	}
	if c.Dir == "" {
		if c.Dir, err = dirOf(g.Values); err != nil {
			return g, err
		}
	}
	if text, ok := g.Values["leat.durability"]; ok && c.Durability == OS {
		if c.Durability, err = ParseDurability(text); err != nil {
			return g, fmt.Errorf("leat.durability: %w", err)
		}
	}
	c.settleNumbers(g.Values)
	if why := settings.NewView(settings.Layers{Static: g.Values}).CheckBounds(); why != "" {
		return g, fmt.Errorf("setting %s", why)
	}
	return g, nil
}

// dirOf is the data directory of log.dirs, or of log.dir.
func dirOf(set map[string]string) (string, error) {
	for _, name := range []string{"log.dirs", "log.dir"} {
		dirs := settings.SplitList(set[name])
		if len(dirs) > 1 {
			return "", fmt.Errorf("setting %s has %d directories; this broker keeps everything in one", name, len(dirs))
		}
		if len(dirs) == 1 {
			return dirs[0], nil
		}
	}
	return "", nil
}

// settleNumbers does it for the fields that have a setting of their own.
func (c *Config) settleNumbers(set map[string]string) {
	if c.DisableAutoCreate {
		set["auto.create.topics.enable"] = "false"
	}
	if c.Durability != OS {
		set["leat.durability"] = c.Durability.String()
	}
	v := settings.NewView(settings.Layers{Static: set})
	c.DisableAutoCreate = !v.Bool("auto.create.topics.enable")

	number := func(field *int, name string) {
		if *field != 0 {
			set[name] = strconv.Itoa(*field)
			return
		}
		*field = int(min(v.Int(name), math.MaxInt))
	}
	period := func(field *time.Duration, name string, unit time.Duration) {
		switch {
		case *field > 0:
			set[name] = strconv.FormatInt(int64((*field+unit-1)/unit), 10)
		case *field == 0:
			*field = v.Period(name, unit)
		}
	}
	number(&c.DefaultPartitions, "num.partitions")
	number(&c.Limits.RequestBytes, "socket.request.max.bytes")
	number(&c.Limits.Connections, "max.connections")
	number(&c.Limits.ConnectionsPerIP, "max.connections.per.ip")
	number(&c.Limits.QueuedBytes, "queued.max.request.bytes")
	if c.Limits.QueuedBytes < 0 {
		c.Limits.QueuedBytes = 1 << 30
	}
	number(&c.Limits.InFlight, "leat.max.in.flight")
	number(&c.Limits.Partitions, "leat.max.partitions")
	number(&c.Limits.GroupMembers, "group.max.size")
	period(&c.Limits.IdleTimeout, "connections.max.idle.ms", time.Millisecond)
	period(&c.Limits.LoginTimeout, "leat.login.timeout.ms", time.Millisecond)
	period(&c.MaxSession, "connections.max.reauth.ms", time.Millisecond)
	period(&c.InitialRebalanceDelay, "group.initial.rebalance.delay.ms", time.Millisecond)
	period(&c.OffsetsRetention, "offsets.retention.minutes", time.Minute)
	if c.MaintenanceInterval > 0 {
		for _, name := range maintenanceIntervals {
			d := c.MaintenanceInterval
			period(&d, name, time.Millisecond)
		}
	}
}

// maintenanceIntervals are the settings that Config.MaintenanceInterval stands
// for.
var maintenanceIntervals = []string{
	"log.retention.check.interval.ms", "log.cleaner.backoff.ms", "offsets.retention.check.interval.ms",
	"transaction.remove.expired.transaction.cleanup.interval.ms",
}

// settings are those that hold now.
func (b *Broker) settings() *settings.View { return b.catalog.Settings() }

// warnIdle tells once of the settings without effect.
func (b *Broker) warnIdle() {
	if len(b.given.Idle) == 0 {
		return
	}
	b.cfg.Logger.Warn("settings without effect, since this broker is one node in one process", "settings", strings.Join(b.given.Idle, ", "))
}

// shown are the settings that clients are told otherwise than they were set:
// the addresses as they came to be, and the data directory.
func (b *Broker) shown(dir string) map[string]string {
	id := strconv.Itoa(int(api.NodeID))
	m := map[string]string{"log.dirs": dir, "node.id": id, "broker.id": id}
	var listeners, advertised []string
	for _, e := range b.entrances {
		listeners = append(listeners, e.cfg.Name+"://"+e.listener.Addr().String())
		advertised = append(advertised, e.cfg.Name+"://"+address(e.node))
	}
	m["listeners"], m["advertised.listeners"] = strings.Join(listeners, ","), strings.Join(advertised, ",")
	for _, e := range b.entrances {
		if len(e.cfg.SASL) > 0 {
			m["sasl.enabled.mechanisms"] = mechanismNames(e.cfg.SASL)
		}
	}
	if a := b.cfg.Authorizer; a != nil {
		m["super.users"] = strings.Join(slices.Sorted(slices.Values(a.SuperUsers)), ";")
		m["allow.everyone.if.no.acl.found"] = strconv.FormatBool(a.AllowIfNoACL)
	}
	return m
}

func mechanismNames(list []Mechanism) string {
	var names []string
	for _, m := range list {
		names = append(names, string(m))
	}
	return strings.Join(names, ",")
}
