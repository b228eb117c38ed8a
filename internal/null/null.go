// Package null says what Kafka's null is in Go: the nil of a type that has
// one. Pointers, slices and maps do; strings, numbers and structs don't, so a
// record of theirs always has a value.
package null

import (
	"reflect"
	"unsafe"
)

// Test returns a function that reports whether a T is null, or nil if no T is.
// It looks at the type once; the function it returns neither boxes nor
// reflects, and may be called for each record.
func Test[T any]() func(T) bool {
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.UnsafePointer:
		// All of them are nil exactly when their first word is.
		return func(v T) bool { return *(*unsafe.Pointer)(unsafe.Pointer(&v)) == nil }
	case reflect.Interface:
		return func(v T) bool { return any(v) == nil }
	}
	return nil
}

// Mutable reports whether a function that is given a T could change what
// another copy of it sees.
func Mutable[T any]() bool { return mutable(reflect.TypeFor[T](), 0) }

func mutable(t reflect.Type, depth int) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.Chan, reflect.Func:
		return true
	case reflect.Array:
		return mutable(t.Elem(), depth+1)
	case reflect.Struct:
		// time.Time holds a pointer to its location, which nobody changes.
		if t.PkgPath() == "time" && t.Name() == "Time" {
			return false
		}
		for i := range t.NumField() {
			if depth > 16 || mutable(t.Field(i).Type, depth+1) {
				return true
			}
		}
	}
	return false
}
