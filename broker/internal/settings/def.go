package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Effect is what a setting does in this broker.
type Effect uint8

const (
	// Applied settings do what Kafka says they do.
	Applied Effect = iota
	// Meaningless settings are accepted and shown, without effect: they are
	// about what a single node in one process doesn't have.
	Meaningless
	// Unserved settings change in Kafka what somebody relies on, and can't do so
	// here: any value but the default is refused.
	Unserved
)

// Scope is for whom a setting of the broker can be changed while it runs.
type Scope uint8

// The scopes, of which each includes the one before.
const (
	AtStart Scope = iota
	ClusterWide
	PerBroker
)

// Def defines one setting.
type Def struct {
	Name    string
	Type    kmsg.ConfigType
	Default string // what holds here if nobody sets it
	// Kafka is Kafka's default, if it is another.
	Kafka string
	// Null says that it has no value by default.
	Null  bool
	Valid []string // values of a string or list; none are any
	Min   float64  // smallest number
	Max   float64  // largest; 0 is the type's
	// Effect and Note are what it does here.
	Effect Effect
	Note   string
	// Scope is for whom the broker's setting can be changed while it runs.
	Scope Scope
	// Broker are the broker's settings that the default of a topic's or group's
	// config comes from, the first that is set.
	Broker []Synonym
}

// Synonym is a setting that means the same as another, perhaps in a larger
// unit.
type Synonym struct {
	Name string
	Unit int64 // by which a number is multiplied; 0 is 1
}

// Secret says whether the value must not be shown.
func (d Def) Secret() bool { return d.Type == kmsg.ConfigTypePassword }

// Find finds the definition with a name in a table in the order of names.
func Find(table []Def, name string) (Def, bool) {
	i, ok := slices.BinarySearchFunc(table, name, func(d Def, n string) int { return strings.Compare(d.Name, n) })
	if !ok {
		return Def{}, false
	}
	return table[i], true
}

// Check says what is wrong with a value; "" is nothing.
func (d Def) Check(value string) string {
	switch d.Type {
	case kmsg.ConfigTypeBoolean:
		if v := strings.ToLower(strings.TrimSpace(value)); v != "true" && v != "false" {
			return "Expected value to be either true or false"
		}
		return ""
	case kmsg.ConfigTypeShort, kmsg.ConfigTypeInt, kmsg.ConfigTypeLong:
		bits, name := d.bits()
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, bits)
		if err != nil {
			return "Not a number of type " + name
		}
		return d.checkRange(float64(n))
	case kmsg.ConfigTypeDouble:
		f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || math.IsNaN(f) {
			return "Not a number of type DOUBLE"
		}
		return d.checkRange(f)
	case kmsg.ConfigTypeList:
		return d.checkList(SplitList(value))
	default:
		return d.checkList([]string{value})
	}
}

// bits are those of a whole number, with what Kafka calls the type.
func (d Def) bits() (int, string) {
	switch d.Type {
	case kmsg.ConfigTypeShort:
		return 16, "SHORT"
	case kmsg.ConfigTypeInt:
		return 32, "INT"
	default:
		return 64, "LONG"
	}
}

func (d Def) checkRange(v float64) string {
	if v < d.Min {
		return fmt.Sprintf("Value must be at least %s", number(d.Min))
	}
	if d.Max != 0 && v > d.Max {
		return fmt.Sprintf("Value must be no more than %s", number(d.Max))
	}
	return ""
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func (d Def) checkList(values []string) string {
	if d.Valid == nil {
		return ""
	}
	for _, v := range values {
		if !slices.Contains(d.Valid, v) {
			return "String must be one of: " + strings.Join(d.Valid, ", ")
		}
	}
	return ""
}

// SplitList splits the value of a list.
func SplitList(value string) []string {
	var list []string
	for v := range strings.SplitSeq(value, ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, v)
		}
	}
	return list
}
