package broker

import (
	"fmt"
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// Answers with an error are made by reflection: there are ninety kinds of them,
// and all name their parts alike. Nothing of this runs in a broker without
// faults.

// onlyReads reports whether requests of an API change nothing.
func onlyReads(key API) bool {
	switch key {
	case Fetch, ListOffsets, Metadata, OffsetFetch, FindCoordinator, ApiVersions,
		15, 16, 23, 29, 32, 35, 48, 50, 60, 61, 65, 66, 69, 74, 75, 77, 89, 90: // Describe… and List…
		return true
	}
	return false
}

// refusal is the answer to a request with an error code for each of its parts.
func refusal(req kmsg.Request, code int16) kmsg.Response {
	resp := req.ResponseKind()
	mirror(reflect.ValueOf(req).Elem(), reflect.ValueOf(resp).Elem())
	setCodes(reflect.ValueOf(resp).Elem(), code)
	if p, ok := resp.(*kmsg.ProduceResponse); ok {
		for _, t := range p.Topics {
			for i := range t.Partitions {
				t.Partitions[i].BaseOffset = -1
			}
		}
	}
	return resp
}

// mirror gives an answer the parts that a request has: its topics, partitions,
// groups and so on.
func mirror(from, to reflect.Value) {
	for i := range to.NumField() {
		name, field := to.Type().Field(i).Name, to.Field(i)
		same := from.FieldByName(name)
		switch {
		case field.Kind() == reflect.Slice && hasCode(field.Type().Elem()):
			if !same.IsValid() || same.Kind() != reflect.Slice || same.Len() == 0 {
				same = firstParts(from) // it has another name there
			}
			if same.IsValid() {
				field.Set(mirrorAll(same, field.Type()))
			}
		case same.IsValid() && same.Type() == field.Type() && isName(field.Type()):
			field.Set(same)
		}
	}
}

// mirrorAll is a slice of type t with an element for each of from's.
func mirrorAll(from reflect.Value, t reflect.Type) reflect.Value {
	all := reflect.MakeSlice(t, from.Len(), from.Len())
	for i := range from.Len() {
		part, to := from.Index(i), all.Index(i)
		if d, ok := to.Addr().Interface().(interface{ Default() }); ok {
			d.Default()
		}
		if part.Kind() == reflect.Struct {
			mirror(part, to)
			continue
		}
		for n := range to.NumField() { // a bare partition or name
			if to.Type().Field(n).Name != "ErrorCode" && to.Field(n).Type() == part.Type() {
				to.Field(n).Set(part)
				break
			}
		}
	}
	return all
}

// firstParts is the first list in a request; the zero Value if there is none.
func firstParts(from reflect.Value) reflect.Value {
	for i := range from.NumField() {
		if f := from.Field(i); f.Kind() == reflect.Slice && f.Len() > 0 && f.Type().Elem().Kind() != reflect.Uint8 {
			return f
		}
	}
	return reflect.Value{}
}

// isName reports whether a field may say which part it is about.
func isName(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Int8, reflect.Int32, reflect.Array:
		return true
	case reflect.Pointer:
		return t.Elem().Kind() == reflect.String
	}
	return false
}

// hasCode reports whether there are error codes in parts of a type.
func hasCode(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "ErrorCode" || f.Type.Kind() == reflect.Slice && hasCode(f.Type.Elem()) {
			return true
		}
	}
	return false
}

// setCodes sets the codes of the smallest parts, and reports whether there was
// any. What is in a part with an error is of no use to clients.
func setCodes(v reflect.Value, code int16) bool {
	set := false
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && hasCode(f.Type().Elem()) {
			for n := range f.Len() {
				set = setCodes(f.Index(n), code) || set
			}
		}
	}
	f := v.FieldByName("ErrorCode")
	if set || !f.IsValid() {
		return set
	}
	f.SetInt(int64(code))
	if records := v.FieldByName("RecordBatches"); records.IsValid() {
		records.SetZero()
	}
	return true
}

// spoilt is an answer with error codes put in.
func spoilt(resp wire.Response, req kmsg.Request, code int16) (wire.Response, error) {
	bytes := resp.AppendTo(nil)
	release(resp)
	answer := req.ResponseKind()
	if err := answer.ReadFrom(bytes); err != nil {
		return nil, fmt.Errorf("put an error into an answer to %s: %w", kmsg.NameForKey(req.Key()), err)
	}
	switch a := answer.(type) {
	case *kmsg.MetadataResponse: // its partitions have codes too, but hardly a client looks at them
		for i := range a.Topics {
			a.Topics[i].ErrorCode, a.Topics[i].Partitions = code, nil
		}
	case *kmsg.OffsetFetchResponse: // what ails a coordinator ails the group
		a.ErrorCode, a.Topics = code, nil
		for i := range a.Groups {
			a.Groups[i].ErrorCode, a.Groups[i].Topics = code, nil
		}
	default:
		setCodes(reflect.ValueOf(answer).Elem(), code)
	}
	return answer, nil
}

// subjects is what a request is about.
type subjects struct {
	topics, groups map[string]bool
	name           func(id [16]byte) string
}

// walk looks through a struct of a request.
func (s subjects) walk(v reflect.Value) {
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		switch f.Kind() {
		case reflect.String:
			s.add(name, f.String())
		case reflect.Pointer:
			if f.Type().Elem().Kind() == reflect.String && !f.IsNil() {
				s.add(name, f.Elem().String())
			}
		case reflect.Array:
			if id, ok := f.Interface().([16]byte); ok && name == "TopicID" && id != [16]byte{} {
				s.add("Topic", s.name(id))
			}
		case reflect.Slice:
			for n := range f.Len() {
				switch e := f.Index(n); e.Kind() {
				case reflect.Struct:
					s.walk(e)
				case reflect.String:
					s.add(name, e.String())
				}
			}
		}
	}
}

// add notes a name by the field that it is in.
func (s subjects) add(field, name string) {
	if name == "" {
		return
	}
	switch field {
	case "Topic", "TopicNames":
		s.topics[name] = true
	case "Group", "Groups", "TransactionalID", "TransactionalIDs", "CoordinatorKey", "CoordinatorKeys":
		s.groups[name] = true
	}
}
