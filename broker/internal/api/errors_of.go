package api

import (
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// EachError calls yield with each error code in a response, of the whole and of
// its parts. It must be called before the response is sent.
func EachError(resp wire.Response, yield func(code int16)) {
	switch r := resp.(type) {
	case *produced:
		r.eachError(yield)
	case *fetched:
		if r.code != 0 {
			yield(r.code)
		}
		for i := range r.topics {
			for j := range r.topics[i].partitions {
				if code := r.topics[i].partitions[j].code; code != 0 {
					yield(code)
				}
			}
		}
	case kmsg.Response:
		// The others are few and small: no records go through here.
		walkErrors(reflect.ValueOf(r), yield)
	}
}

func (p *produced) eachError(yield func(int16)) {
	for i := range p.topics {
		for j := range p.topics[i].partitions {
			if code := p.topics[i].partitions[j].code; code != 0 {
				yield(code)
			}
		}
	}
}

// walkErrors looks for fields ErrorCode in a struct and all below it.
func walkErrors(v reflect.Value, yield func(int16)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walkErrors(v.Elem(), yield)
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k != reflect.Struct && k != reflect.Pointer {
			return
		}
		for i := range v.Len() {
			walkErrors(v.Index(i), yield)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			if f.Kind() == reflect.Int16 && v.Type().Field(i).Name == "ErrorCode" {
				if f.Int() != 0 {
					yield(int16(f.Int()))
				}
				continue
			}
			walkErrors(f, yield)
		}
	}
}
