package serde

// Pointer is a Serde of pointers to what s is a serde of. It gives T a null:
// the engine writes a nil pointer as null (in a table: a deletion) without
// asking the serde. It is a [Cloner] where s is one.
func Pointer[T any](s Serde[T]) Serde[*T] {
	if c, ok := s.(Cloner[T]); ok {
		return cloningPointer[T]{pointer[T]{s}, c}
	}
	return pointer[T]{s}
}

type pointer[T any] struct{ elem Serde[T] }

func (p pointer[T]) Append(dst []byte, v *T) ([]byte, error) {
	if v == nil {
		return dst, encodeError[*T](errNil)
	}
	return p.elem.Append(dst, *v)
}

func (p pointer[T]) Decode(src []byte) (*T, error) {
	v, err := p.elem.Decode(src)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

type cloningPointer[T any] struct {
	pointer[T]
	cloner Cloner[T]
}

func (p cloningPointer[T]) Clone(v *T) *T {
	if v == nil {
		return nil
	}
	c := p.cloner.Clone(*v)
	return &c
}
