package telemetry

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// attributes encodes attributes shortly: the application and the task by their
// values, others with their names.
var attributes attribute.Encoder = encoder{attribute.NewEncoderID()}

type encoder struct{ id attribute.EncoderID }

func (e encoder) ID() attribute.EncoderID { return e.id }

func (e encoder) Encode(it attribute.Iterator) string {
	var parts []string
	for it.Next() {
		kv := it.Attribute()
		v := kv.Value.String()
		if !strings.HasPrefix(string(kv.Key), "leat.") {
			v = string(kv.Key) + "=" + v
		}
		parts = append(parts, v)
	}
	return "{" + strings.Join(parts, " ") + "}"
}
