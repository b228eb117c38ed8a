package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/leatstream/leat/window"
)

// kind is the type of a value of a case.
type kind byte

const (
	text kind = iota + 1
	integer
	float
	blob
	windowed
)

// datum is any key or value of a case; a nil *datum is null. Cases are typed when
// they are read, not when this program is compiled, so one type has to do for
// all of theirs. Being a pointer it has a nil, and null reaches the functions.
// Data are immutable.
type datum struct {
	kind  kind
	text  string // of a text or, raw, a blob
	int   int64
	float float64
	inner *datum // key of a windowed key
	span  window.Span
}

func str(s string) *datum                     { return &datum{kind: text, text: s} }
func num(n int64) *datum                      { return &datum{kind: integer, int: n} }
func raw(b []byte) *datum                     { return &datum{kind: blob, text: string(b)} }
func inWindow(k *datum, s window.Span) *datum { return &datum{kind: windowed, inner: k, span: s} }
func fromKey(k window.Key[*datum]) *datum     { return inWindow(k.Key, k.Span) }
func (d *datum) is(k kind) bool               { return d != nil && d.kind == k }
func (d *datum) isText(s string) bool         { return d.is(text) && d.text == s }
func (d *datum) isEmpty() bool                { return d == nil || d.isText("") }

// number is the int of a datum, 0 for null.
func (d *datum) number() int64 {
	if d == nil {
		return 0
	}
	return d.int
}

// String is how the function library writes a value.
func (d *datum) String() string {
	if d == nil {
		return "null"
	}
	switch d.kind {
	case integer:
		return strconv.FormatInt(d.int, 10)
	case float:
		return strconv.FormatFloat(d.float, 'g', -1, 64)
	case blob:
		return fmt.Sprintf("0x%x", d.text)
	case windowed:
		return fmt.Sprintf("%s@%d/%d", d.inner, d.span.StartMS, d.span.EndMS)
	}
	return d.text
}

// MarshalJSON writes a datum as cases do.
func (d *datum) MarshalJSON() ([]byte, error) {
	if d == nil {
		return []byte("null"), nil
	}
	switch d.kind {
	case integer:
		return strconv.AppendInt(nil, d.int, 10), nil
	case float:
		return json.Marshal(d.float)
	case blob:
		return json.Marshal(map[string]string{"b64": base64.StdEncoding.EncodeToString([]byte(d.text))})
	case windowed:
		return json.Marshal(map[string]any{"key": d.inner, "start": d.span.StartMS, "end": d.span.EndMS})
	}
	return json.Marshal(d.text)
}

// parse reads JSON of a case as a datum of the named type.
func parse(typ string, src json.RawMessage) (*datum, error) {
	if len(src) == 0 || bytes.Equal(src, []byte("null")) {
		return nil, nil
	}
	d := &datum{}
	var err error
	switch typ {
	case "string":
		d.kind = text
		err = json.Unmarshal(src, &d.text)
	case "int64":
		d.kind = integer
		err = json.Unmarshal(src, &d.int)
	case "float64":
		d.kind = float
		err = json.Unmarshal(src, &d.float)
	case "bytes":
		var b struct{ B64 []byte }
		err = json.Unmarshal(src, &b)
		d.kind, d.text = blob, string(b.B64)
	default:
		err = fmt.Errorf("type %q is not one of string, int64, float64 and bytes", typ)
	}
	if err != nil {
		return nil, fmt.Errorf("value %s: %w", src, err)
	}
	return d, nil
}

// sameFloat compares by value, so that 1 and 1.0 are the same.
func sameFloat(a, b json.Number) bool {
	x, err1 := a.Float64()
	y, err2 := b.Float64()
	return err1 == nil && err2 == nil && (x == y || math.IsNaN(x) && math.IsNaN(y))
}
