package quota

import (
	"cmp"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
)

// Types of the parts of an entity.
const (
	UserType   = "user"
	ClientType = "client-id"
	IPType     = "ip"
)

// Part is one part of an entity: a name of a type, or its default.
type Part struct {
	Type string  `json:"type"`
	Name *string `json:"name"` // nil is the default
}

// Entity is whom a quota is for. Its parts are ordered by type.
type Entity []Part

// Entry is the quotas of an entity.
type Entry struct {
	Entity Entity             `json:"entity"`
	Values map[string]float64 `json:"values"`
}

// The quotas that are enforced.
const (
	ProduceRate       = "producer_byte_rate" // bytes/s
	FetchRate         = "consumer_byte_rate" // bytes/s
	RequestPercentage = "request_percentage" // of one processor's time
)

// The quotas that are only kept.
const (
	mutationRate   = "controller_mutation_rate"
	connectionRate = "connection_creation_rate"
)

// NewEntity checks the parts of an entity and puts them in order.
func NewEntity(parts []Part) (Entity, error) {
	refuse := func(format string, args ...any) (Entity, error) {
		return nil, batch.Errorf(kerr.InvalidRequest, format, args...)
	}
	if len(parts) == 0 {
		return refuse("Invalid empty client quota entity")
	}
	e := slices.Clone(Entity(parts))
	slices.SortFunc(e, func(a, b Part) int { return cmp.Compare(a.Type, b.Type) })
	for i, p := range e {
		switch {
		case p.Type != UserType && p.Type != ClientType && p.Type != IPType:
			return refuse("Unhandled client quota entity type: %s", p.Type)
		case i > 0 && e[i-1].Type == p.Type:
			return refuse("Duplicate entity type: %s", p.Type)
		case p.Name != nil && *p.Name == "":
			return refuse("Empty %s not supported", p.Type)
		case p.Type == IPType && len(e) > 1:
			return refuse("Invalid entity: ip can't be combined with other types")
		}
	}
	return e, nil
}

// Key is the same for equal entities only.
func (e Entity) Key() string {
	var b []byte
	for _, p := range e {
		b = append(b, p.Type...)
		if p.Name == nil {
			b = append(b, 1)
			continue
		}
		b = append(b, 0)
		b = append(b, *p.Name...)
		b = append(b, 0)
	}
	return string(b)
}

// name is the name of the part of a type.
func (e Entity) name(kind string) (name string, isDefault, ok bool) {
	for _, p := range e {
		if p.Type == kind {
			if p.Name == nil {
				return "", true, true
			}
			return *p.Name, false, true
		}
	}
	return "", false, false
}

// CheckValue returns an error with Kafka's code for a quota that the entity
// can't have.
func (e Entity) CheckValue(key string, value float64) error {
	_, _, ip := e.name(IPType)
	known := !ip && (key == ProduceRate || key == FetchRate || key == RequestPercentage || key == mutationRate) ||
		ip && key == connectionRate
	switch {
	case !known:
		return batch.Errorf(kerr.InvalidRequest, "Invalid configuration key %s", key)
	case math.IsNaN(value) || value <= 0:
		return batch.Errorf(kerr.InvalidRequest, "Quota %s must be greater than 0", key)
	case (key == ProduceRate || key == FetchRate || key == connectionRate) && value != math.Trunc(value):
		return batch.Errorf(kerr.InvalidRequest, "Quota %s must be a whole number", key)
	}
	return nil
}
