package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Groups are the configs of groups (KIP-848, KIP-932, KIP-1071), which an admin sets
// for one group at a time, and which hold from the next heartbeat on. Times are in
// milliseconds.
var Groups = []Def{
	groupDef("consumer.assignment.interval.ms", 0),
	groupDef("consumer.heartbeat.interval.ms", 1),
	groupDef("consumer.session.timeout.ms", 1),
	groupDef("share.assignment.interval.ms", 0),
	{Name: "share.auto.offset.reset", Type: kmsg.ConfigTypeString, Default: "latest"},
	groupDef("share.delivery.count.limit", 2),
	groupDef("share.heartbeat.interval.ms", 1),
	{Name: "share.isolation.level", Type: kmsg.ConfigTypeString, Default: "read_uncommitted", Valid: []string{"read_committed", "read_uncommitted"}},
	groupDef("share.partition.max.record.locks", 100),
	groupDef("share.record.lock.duration.ms", 1000),
	{Name: "share.renew.acknowledge.enable", Type: kmsg.ConfigTypeBoolean, Default: "true"},
	groupDef("share.session.timeout.ms", 1),
	groupDef("streams.assignment.interval.ms", 0),
	groupDef("streams.heartbeat.interval.ms", 1),
	groupDef("streams.initial.rebalance.delay.ms", 0),
	groupDef("streams.num.standby.replicas", 0),
	groupDef("streams.session.timeout.ms", 1),
}

// groupDef is a number whose default is the broker's setting group.NAME. It is at
// least lo; the broker's bounds, which may change, are checked beside that.
func groupDef(name string, lo float64) Def {
	return Def{Name: name, Type: kmsg.ConfigTypeInt, Min: lo, Broker: []Synonym{{Name: "group." + name}}}
}

// Membership is how the members of a group are kept track of.
type Membership struct {
	SessionTimeout     time.Duration
	HeartbeatInterval  time.Duration
	AssignmentInterval time.Duration // between two assignments, at least
}

// Group is what holds for one group, whatever kind it is of.
type Group struct {
	Consumer, Share, Streams Membership

	ShareRecordLock     time.Duration
	ShareDeliveryLimit  int
	ShareRecordLocks    int    // of one partition at a time
	ShareOffsetReset    string // latest, earliest or by_duration:PnDTnHnMn.nS
	ShareReadCommitted  bool
	ShareRenewal        bool // of locks
	StreamsStandbys     int
	StreamsInitialDelay time.Duration // of the first rebalance
}

// Group is what holds for a group with the given overrides. Those that have
// come to be outside of the broker's bounds count as the nearest that isn't.
func (v *View) Group(overrides map[string]string) Group {
	if len(overrides) == 0 {
		return v.group
	}
	return v.makeGroup(overrides)
}

func (v *View) makeGroup(overrides map[string]string) Group {
	value := func(name string) string {
		d, _ := Find(Groups, name)
		s, ok := overrides[name]
		if !ok {
			s = v.Default(d)
		}
		return strings.TrimSpace(s)
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(value(name), 10, 64) // checked when it was set
		// The bounds may have been narrowed since.
		lo, hi := v.groupBounds(name)
		return max(lo, min(hi, n))
	}
	period := func(name string) time.Duration { return time.Duration(number(name)) * time.Millisecond }
	membership := func(kind string) Membership {
		return Membership{
			SessionTimeout:     period(kind + ".session.timeout.ms"),
			HeartbeatInterval:  period(kind + ".heartbeat.interval.ms"),
			AssignmentInterval: period(kind + ".assignment.interval.ms"),
		}
	}
	return Group{
		Consumer: membership("consumer"), Share: membership("share"), Streams: membership("streams"),
		ShareRecordLock:     period("share.record.lock.duration.ms"),
		ShareDeliveryLimit:  int(number("share.delivery.count.limit")),
		ShareRecordLocks:    int(number("share.partition.max.record.locks")),
		ShareOffsetReset:    value("share.auto.offset.reset"),
		ShareReadCommitted:  value("share.isolation.level") == "read_committed",
		ShareRenewal:        strings.EqualFold(value("share.renew.acknowledge.enable"), "true"),
		StreamsStandbys:     int(number("streams.num.standby.replicas")),
		StreamsInitialDelay: period("streams.initial.rebalance.delay.ms"),
	}
}

// bounds are the broker's settings that bound a group's config; "" is none.
var bounds = map[string][2]string{
	"streams.num.standby.replicas":       {"", "group.streams.max.standby.replicas"},
	"streams.initial.rebalance.delay.ms": {},
}

// boundNames names the settings that bound a group's config, which are called
// after it: group.KIND.min.REST and group.KIND.max.REST.
func boundNames(name string) (lo, hi string) {
	if b, ok := bounds[name]; ok {
		return b[0], b[1]
	}
	kind, rest, _ := strings.Cut(name, ".")
	return "group." + kind + ".min." + rest, "group." + kind + ".max." + rest
}

func (v *View) groupBounds(name string) (lo, hi int64) {
	below, above := boundNames(name)
	lo, hi = 0, 1<<31-1
	if below != "" {
		lo = v.Int(below)
	}
	if above != "" {
		hi = v.Int(above)
	}
	return lo, hi
}

// CheckBounds says which of the defaults of groups is outside of the bounds; ""
// is none.
func (v *View) CheckBounds() string {
	for _, d := range Groups {
		if len(d.Broker) == 0 {
			continue
		}
		name := d.Broker[0].Name
		below, above := boundNames(d.Name)
		switch lo, hi := v.groupBounds(d.Name); {
		case v.Int(name) < lo:
			return fmt.Sprintf("%s must be greater than or equal to %s", name, below)
		case v.Int(name) > hi:
			return fmt.Sprintf("%s must be less than or equal to %s", name, above)
		}
	}
	return v.CheckGroup(nil)
}

// CheckGroup says what is wrong with the configs of a group; "" is nothing.
func (v *View) CheckGroup(configs map[string]string) string {
	for _, d := range Groups {
		value, ok := configs[d.Name]
		if !ok {
			continue
		}
		if why := d.Check(value); why != "" {
			return fmt.Sprintf("Invalid value %s for configuration %s: %s", value, d.Name, why)
		}
		if d.Name == "share.auto.offset.reset" {
			if _, ok := ParseOffsetReset(value); !ok {
				return fmt.Sprintf("Invalid value %s for configuration %s: want latest, earliest or by_duration:PnDTnHnMn.nS", value, d.Name)
			}
		}
		if len(d.Broker) == 0 {
			continue
		}
		n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		below, above := boundNames(d.Name)
		switch lo, hi := v.groupBounds(d.Name); {
		case n < lo:
			return fmt.Sprintf("%s must be greater than or equal to %s", d.Name, below)
		case n > hi:
			return fmt.Sprintf("%s must be less than or equal to %s", d.Name, above)
		}
	}
	g := v.Group(configs)
	for _, m := range []struct {
		kind string
		Membership
	}{{"consumer", g.Consumer}, {"share", g.Share}, {"streams", g.Streams}} {
		if m.SessionTimeout <= m.HeartbeatInterval {
			return fmt.Sprintf("%[1]s.session.timeout.ms must be greater than %[1]s.heartbeat.interval.ms", m.kind)
		}
	}
	return ""
}
