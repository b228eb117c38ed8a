package settings

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/leatstream/leat/internal/invariant"
)

// Forever is the duration of what has no end.
const Forever = time.Duration(math.MaxInt64)

// Layers are the values that were set, by where; the first that has a setting
// holds.
type Layers struct {
	Broker  map[string]string // changed for this broker while it ran
	Cluster map[string]string // changed for all brokers
	Static  map[string]string // given at the start
}

// View is what holds at one moment. It never changes, and is safe for
// concurrent use.
type View struct {
	layers Layers
	values map[string]value
	group  Group // without overrides
}

// value is a setting's value, in the forms that its type has.
type value struct {
	text  string
	whole int64
	float float64
	set   bool // not the default
}

// NewView returns the view of checked settings.
func NewView(l Layers) *View {
	v := &View{layers: l, values: make(map[string]value, len(Brokers))}
	for _, d := range Brokers {
		v.values[d.Name] = v.parse(d)
	}
	v.group = v.makeGroup(nil)
	return v
}

func (v *View) parse(d Def) value {
	text, set := v.lookUp(d.Name)
	if !set {
		text = d.Default
	}
	text = strings.TrimSpace(text)
	out := value{text: text, set: set}
	out.whole, _ = strconv.ParseInt(text, 10, 64)
	out.float, _ = strconv.ParseFloat(text, 64)
	return out
}

// lookUp finds what was set.
func (v *View) lookUp(name string) (string, bool) {
	for _, layer := range []map[string]string{v.layers.Broker, v.layers.Cluster, v.layers.Static} {
		if s, ok := layer[name]; ok {
			return s, true
		}
	}
	return "", false
}

// Layers are the values that were set. They must not be modified.
func (v *View) Layers() Layers { return v.layers }

func (v *View) value(name string) value {
	x, ok := v.values[name]
	if !ok {
		invariant.Violated("settings: there is no setting %s", name)
	}
	return x
}

// IsSet says whether somebody has set it.
func (v *View) IsSet(name string) bool { return v.value(name).set }

// Text is the value as it was set, or the default.
func (v *View) Text(name string) string { return v.value(name).text }

// Int is a whole number; 0 if there is no value.
func (v *View) Int(name string) int64 { return v.value(name).whole }

// Float is a number.
func (v *View) Float(name string) float64 { return v.value(name).float }

// Bool is whether it is true.
func (v *View) Bool(name string) bool { return strings.EqualFold(v.value(name).text, "true") }

// List are the values of a list.
func (v *View) List(name string) []string { return SplitList(v.value(name).text) }

// Millis is a number of milliseconds, as a duration. What is negative or too
// long is Forever.
func (v *View) Millis(name string) time.Duration { return v.Period(name, time.Millisecond) }

// Minutes is a number of minutes, as a duration.
func (v *View) Minutes(name string) time.Duration { return v.Period(name, time.Minute) }

// Period is a number of the unit, as a duration.
func (v *View) Period(name string, unit time.Duration) time.Duration {
	n := v.Int(name)
	if n < 0 || n > math.MaxInt64/int64(unit) {
		return Forever
	}
	return time.Duration(n) * unit
}

// Default is the value of a topic's or group's config that isn't overridden:
// of the broker's settings that mean the same, the first that is set.
func (v *View) Default(d Def) string {
	for _, s := range d.Broker {
		if x := v.value(s.Name); x.set {
			return s.of(x)
		}
	}
	for _, s := range d.Broker {
		if def, _ := Find(Brokers, s.Name); !def.Null {
			return s.of(v.value(s.Name))
		}
	}
	return d.Default
}

// of is the value in the unit of the config that it means.
func (s Synonym) of(x value) string {
	if s.Unit <= 1 {
		return x.text
	}
	if x.whole < 0 {
		return strconv.FormatInt(x.whole, 10)
	}
	if x.whole > math.MaxInt64/s.Unit {
		return strconv.FormatInt(math.MaxInt64, 10)
	}
	return strconv.FormatInt(x.whole*s.Unit, 10)
}
