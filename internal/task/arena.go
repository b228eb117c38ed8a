package task

// Arena hands out the bytes of outgoing records from larger pieces, so that a
// record costs no allocation of its own. The garbage collector frees a piece
// when all records in it have been acknowledged.
type Arena struct{ free []byte }

const arenaPiece = 64 << 10

// Free is an empty slice to append one encoding to; hand the result to Take.
func (a *Arena) Free() []byte {
	if cap(a.free) < arenaPiece/16 {
		a.free = make([]byte, 0, arenaPiece)
	}
	return a.free
}

// Take claims b, which was made by appending to Free.
func (a *Arena) Take(b []byte) []byte {
	if len(b) == 0 {
		return emptyBytes
	}
	if cap(b) == cap(a.free) && &b[0] == &a.free[:1][0] {
		a.free = b[len(b):]
	}
	return b[:len(b):len(b)]
}

// emptyBytes is an encoding of no bytes, which is not null.
var emptyBytes = []byte{}
