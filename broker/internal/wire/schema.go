package wire

import (
	"math"
	"strconv"
	"strings"

	"github.com/leatstream/leat/internal/invariant"
)

// Schema is the shape of a request's body. A body is walked along its schema
// before a generated decoder sees it, because such decoders believe lengths:
// they allocate arrays before their elements are there, and count through
// tagged fields that don't exist. What a Schema has accepted costs a decoder a
// small multiple of its bytes.
type Schema struct {
	flexible int16 // the first flexible version
	fields   []field
}

// NeverFlexible is the first flexible version of an API without any.
const NeverFlexible = math.MaxInt16

// field is one field of a structure, in the versions lo to hi.
type field struct {
	kind   kind
	size   int // of a fixed field, in bytes
	lo, hi int16
	sub    []field // of a structure
}

type kind uint8

const (
	fixedField kind = iota
	stringField
	bytesField
	arrayField     // of primitives
	structArray    // of structures, which have tags
	nullableStruct // one byte, -1 for null, and the structure
)

// ParseSchema reads a schema. Fields are separated by spaces:
//
//	4        a fixed number of bytes
//	s        a string (nullable or not)
//	b        bytes
//	( x )    an array of a primitive
//	[ x y ]  an array of structures
//	{ x y }  a nullable structure
//	x@2-5    a field of some versions only; either end may be left out
//
// Tagged fields, at the end of structures of flexible versions, are not
// written. ParseSchema panics if text is not a schema.
func ParseSchema(flexible int16, text string) *Schema {
	tokens := strings.Fields(text)
	fields, rest := parseFields(tokens, "")
	if len(rest) > 0 {
		invariant.Violated("wire: schema %q: nothing opens %q", text, rest[0])
	}
	return &Schema{flexible: flexible, fields: fields}
}

// parseFields reads fields until the token that closes them.
func parseFields(tokens []string, closing string) ([]field, []string) {
	var fields []field
	for len(tokens) > 0 {
		token, versions, _ := strings.Cut(tokens[0], "@")
		tokens = tokens[1:]
		var f field
		switch token {
		case closing:
			// The versions of an array stand at its end.
			return append(fields, field{lo: low(versions), hi: high(versions)}), tokens
		case "(", "[", "{":
			f.kind = map[string]kind{"(": arrayField, "[": structArray, "{": nullableStruct}[token]
			f.sub, tokens = parseFields(tokens, map[string]string{"(": ")", "[": "]", "{": "}"}[token])
			last := len(f.sub) - 1
			f.lo, f.hi, f.sub = f.sub[last].lo, f.sub[last].hi, f.sub[:last]
			fields = append(fields, f)
			continue
		case "s":
			f.kind = stringField
		case "b":
			f.kind = bytesField
		default:
			n, err := strconv.Atoi(token)
			if err != nil || n <= 0 {
				invariant.Violated("wire: %q is no field of a schema", token)
			}
			f.size = n
		}
		f.lo, f.hi = low(versions), high(versions)
		fields = append(fields, f)
	}
	if closing != "" {
		invariant.Violated("wire: a schema lacks %q", closing)
	}
	return fields, nil
}

func low(versions string) int16 {
	lo, _, _ := strings.Cut(versions, "-")
	return number(lo, 0)
}

func high(versions string) int16 {
	_, hi, _ := strings.Cut(versions, "-")
	return number(hi, math.MaxInt16)
}

func number(s string, otherwise int16) int16 {
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(s, 10, 16)
	if err != nil {
		invariant.Violated("wire: %q is no version", s)
	}
	return int16(n)
}

// Check walks a body. Bytes that follow it are no error, as in Kafka.
func (s *Schema) Check(body []byte, version int16) error {
	c := NewCursor(body, version >= s.flexible)
	c.walk(s.fields, version)
	c.Tags()
	return c.Err()
}

func (c *Cursor) walk(fields []field, version int16) {
	for i := range fields {
		f := &fields[i]
		if version < f.lo || version > f.hi {
			continue
		}
		switch f.kind {
		case fixedField:
			c.Fixed(f.size)
		case stringField:
			c.String()
		case bytesField:
			c.Bytes()
		case arrayField, structArray:
			for range c.Array(1) {
				c.walk(f.sub, version)
				if f.kind == structArray {
					c.Tags()
				}
				if c.err != nil {
					return
				}
			}
		case nullableStruct:
			if b := c.Fixed(1); b != nil && int8(b[0]) >= 0 {
				c.walk(f.sub, version)
				c.Tags()
			}
		}
		if c.err != nil {
			return
		}
	}
}
