package api

import (
	"bytes"
	"errors"
	"reflect"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/wire"
)

// Decoded, a request may take so many times its bytes, and a little more: the
// smallest structure on the wire has two bytes, and becomes one with strings,
// slices and a map for tags.
const (
	memoryPerByte = 256
	memoryAnyway  = 64 << 10
)

// allocated is the bytes that f allocates. Others may allocate meanwhile, so it
// is tried again before it is called too much.
func allocated(most uint64, f func()) uint64 {
	var n uint64
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if n = after.TotalAlloc - before.TotalAlloc; n <= most {
			break
		}
	}
	return n
}

// decoded runs a body through what the server does before a handler sees it.
func decoded(key, version int16, body []byte) (kmsg.Request, error) {
	r := &wire.Request{Header: wire.Header{Key: key, Version: version}, Body: body}
	into := kmsg.RequestForKey(key)
	into.SetVersion(version)
	return into, decode(r, into)
}

// generated is the APIs whose decoders are generated: all but Produce.
func generated() (list []*api) {
	for _, a := range byKey {
		if a != nil && a.key != keyProduce {
			list = append(list, a)
		}
	}
	return list
}

// FuzzDecode gives the decoder of each API at each version any bytes. They are
// refused as a bad frame, or mean a request that, encoded again, means the same;
// and they take memory in proportion to what was sent.
func FuzzDecode(f *testing.F) {
	for _, a := range generated() {
		for v := a.lowest; v <= a.max; v++ {
			for n := range 3 {
				r := kmsg.RequestForKey(a.key)
				fill(reflect.ValueOf(r).Elem(), n)
				r.SetVersion(v)
				body := r.AppendTo(nil)
				f.Add(a.key, v, body)
				if n == 2 && len(body) > 4 {
					f.Add(a.key, v, body[:len(body)/2])
					f.Add(a.key, v, append(body[:len(body)/2:len(body)/2], bytes.Repeat([]byte{0xff}, 12)...))
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		a, ok := served(key)
		if !ok || key == keyProduce || version < a.lowest || version > a.max {
			return
		}
		most := uint64(len(body)*memoryPerByte + memoryAnyway)
		var got kmsg.Request
		var err error
		if n := allocated(most, func() { got, err = decoded(key, version, body) }); n > most {
			t.Fatalf("%s v%d: %d bytes took %d to decode", kmsg.NameForKey(key), version, len(body), n)
		}
		if err != nil {
			if !errors.Is(err, wire.ErrFrame) {
				t.Fatalf("%s v%d: refused as %v", kmsg.NameForKey(key), version, err)
			}
			return
		}
		encoded := got.AppendTo(nil)
		again, err := decoded(key, version, encoded)
		if err != nil {
			t.Fatalf("%s v%d: %x is read, and then written as %x: %v", kmsg.NameForKey(key), version, body, encoded, err)
		}
		if twice := again.AppendTo(nil); !bytes.Equal(twice, encoded) {
			t.Fatalf("%s v%d: %x becomes %x", kmsg.NameForKey(key), version, encoded, twice)
		}
	})
}

// TestDecode_AnyRequest has whatever a client can say get through unchanged:
// the schemas may not be stricter than the protocol.
func TestDecode_AnyRequest(t *testing.T) {
	apis := generated()
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SampledFrom(apis).Draw(t, "api")
		r := kmsg.RequestForKey(a.key)
		v := rapid.Int16Range(a.lowest, a.max).Draw(t, "version")
		r.SetVersion(v)
		arbitrary(t, reflect.ValueOf(r).Elem(), r.IsFlexible())
		body := r.AppendTo(nil)
		got, err := decoded(a.key, v, body)
		if err != nil {
			t.Fatalf("%s v%d: %v", kmsg.NameForKey(a.key), v, err)
		}
		if encoded := got.AppendTo(nil); !bytes.Equal(encoded, body) {
			t.Fatalf("%s v%d: %x becomes %x", kmsg.NameForKey(a.key), v, body, encoded)
		}
		if len(body) > 0 {
			if _, err := decoded(a.key, v, body[:len(body)-1]); err == nil {
				t.Fatalf("%s v%d: the last byte of %x isn't read", kmsg.NameForKey(a.key), v, body)
			}
		}
	})
}

// arbitrary sets a field, and what is in it, to anything.
func arbitrary(t *rapid.T, v reflect.Value, flexible bool) {
	if tags, ok := v.Addr().Interface().(*kmsg.Tags); ok {
		for range rapid.IntRange(0, 2).Draw(t, "tags") {
			if flexible {
				tags.Set(rapid.Uint32Range(1000, 2000).Draw(t, "tag"), rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "tagged"))
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Version" {
				arbitrary(t, v.Field(i), flexible)
			}
		}
	case reflect.Pointer:
		if v.IsNil() && rapid.Bool().Draw(t, "null") {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		arbitrary(t, v.Elem(), flexible)
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			arbitrary(t, v.Index(i), flexible)
		}
	case reflect.Array:
		for i := range v.Len() {
			arbitrary(t, v.Index(i), flexible)
		}
	case reflect.String:
		v.SetString(rapid.StringN(0, 5, 20).Draw(t, "string"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Float64:
		v.SetFloat(rapid.Float64().Draw(t, "float"))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		bits := v.Type().Bits()
		v.SetInt(rapid.Int64Range(-1<<(bits-1), 1<<(bits-1)-1).Draw(t, "number"))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64Range(0, 1<<v.Type().Bits()-1).Draw(t, "number"))
	}
}

// FuzzProduce_Same compares the decoder of Produce with the generated one: what
// it accepts the other one reads, to the same. It may be stricter, since the
// other one believes what it is told about tags.
func FuzzProduce_Same(f *testing.F) {
	for v := int16(3); v <= 13; v++ {
		for n := range 3 {
			r := kmsg.NewPtrProduceRequest()
			fill(reflect.ValueOf(r).Elem(), n)
			r.Version = v
			body := r.AppendTo(nil)
			f.Add(v, body)
			f.Add(v, append(body[:len(body)/2:len(body)/2], 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0))
		}
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		if version < 3 || version > 13 {
			return
		}
		p := &produced{version: version}
		var acks int16
		var err error
		most := uint64(len(body)*memoryPerByte + memoryAnyway)
		if n := allocated(most, func() { *p = produced{version: version}; acks, err = p.decode(body, version >= 9) }); n > most {
			t.Fatalf("%d bytes took %d to decode", len(body), n)
		}
		if err != nil {
			if !errors.Is(err, wire.ErrFrame) {
				t.Fatalf("refused as %v", err)
			}
			return
		}
		r := kmsg.NewPtrProduceRequest()
		r.Version = version
		if err := r.ReadFrom(body); err != nil {
			t.Fatalf("v%d %x: %v", version, body, err)
		}
		if acks != r.Acks || len(p.topics) != len(r.Topics) || (p.txnID == nil) != (r.TransactionID == nil) || p.txnID != nil && *p.txnID != *r.TransactionID {
			t.Fatalf("acks %d, %d topics, id %v; want %d, %d, %v", acks, len(p.topics), p.txnID, r.Acks, len(r.Topics), r.TransactionID)
		}
		for i, want := range r.Topics {
			got := p.topics[i]
			if got.name != want.Topic || got.id != want.TopicID || len(got.partitions) != len(want.Partitions) {
				t.Fatalf("topic %d: %+v, want %+v", i, got, want)
			}
			for j, want := range want.Partitions {
				if got := got.partitions[j]; got.index != want.Partition || !bytes.Equal(got.records, want.Records) || (got.records == nil) != (want.Records == nil) {
					t.Fatalf("topic %d: partition %d: %x, want %d: %x", i, got.index, got.records, want.Partition, want.Records)
				}
			}
		}
	})
}
