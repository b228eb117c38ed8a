package table

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What the two topics of a foreign-key join carry. The key of a subscription is
// the foreign key, or null if the row has none; that of a response is the left
// row's key.

// foreignFormat begins every value, so that a later version can tell.
const foreignFormat = 1

var errForeign = errors.New("not what a foreign-key join of this version writes")

// instruction is what the right side does with a subscription.
type instruction uint8

const (
	answer        instruction = iota // subscribe, and say what there is
	answerIfKnown                    // subscribe, and say nothing if there is no row
	forget                           // unsubscribe
	forgetAnswer                     // unsubscribe, and say so
)

// subscription tells the right side which of its rows a left row refers to.
type subscription struct {
	foreign   []byte // the record's key
	null      bool   // it has none
	what      instruction
	partition int32 // of the left row
	version   uint64
	key       []byte // of the left row
	time      int64
}

func (s *subscription) append(dst []byte) []byte {
	dst = append(dst, foreignFormat, byte(s.what))
	dst = appendReferrer(dst, s.partition, s.version)
	return append(dst, s.key...)
}

func decodeSubscription(src []byte) (s subscription, err error) {
	if len(src) < 2 || src[0] != foreignFormat || src[1] > byte(forgetAnswer) {
		return s, errForeign
	}
	s.what = instruction(src[1])
	s.partition, s.version, s.key, err = decodeReferrer(src[2:])
	return s, err
}

// appendReferrer encodes what the right side keeps of a subscription.
func appendReferrer(dst []byte, partition int32, version uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(partition)), version)
}

func decodeReferrer(src []byte) (partition int32, version uint64, rest []byte, err error) {
	p, n := binary.Uvarint(src)
	if n <= 0 || p > 1<<31-1 {
		return 0, 0, nil, fmt.Errorf("%w: bad partition", errForeign)
	}
	version, m := binary.Uvarint(src[n:])
	if m <= 0 {
		return 0, 0, nil, fmt.Errorf("%w: bad version", errForeign)
	}
	return int32(p), version, src[n+m:], nil
}

// The flags of a response.
const (
	hasRow     = 1 << iota // there is a row on the right side
	hasForeign             // it belongs to a foreign key
	unreferred             // nobody refers to the row; the record's key is its own
)

// response tells the left side what the right row is that one of its rows refers
// to.
type response struct {
	key     []byte // the record's key
	flags   byte
	version uint64
	foreign []byte
	row     []byte
	time    int64
}

func (r *response) append(dst []byte) []byte {
	dst = append(dst, foreignFormat, r.flags)
	dst = binary.AppendUvarint(dst, r.version)
	dst = binary.AppendUvarint(dst, uint64(len(r.foreign)))
	dst = append(dst, r.foreign...)
	return append(dst, r.row...)
}

func decodeResponse(src []byte) (r response, err error) {
	if len(src) < 2 || src[0] != foreignFormat || src[1] > hasRow|hasForeign|unreferred {
		return r, errForeign
	}
	r.flags = src[1]
	src = src[2:]
	version, n := binary.Uvarint(src)
	if n <= 0 {
		return r, fmt.Errorf("%w: bad version", errForeign)
	}
	size, m := binary.Uvarint(src[n:])
	if m <= 0 || size > uint64(len(src)-n-m) {
		return r, fmt.Errorf("%w: bad foreign key", errForeign)
	}
	r.version = version
	r.foreign, r.row = src[n+m:n+m+int(size)], src[n+m+int(size):]
	return r, nil
}

// reference is what the left side keeps of a row: what it refers to, and which
// version of it was the last to say so.
type reference struct {
	version uint64
	foreign string
	refers  bool // foreign is its foreign key; it has none otherwise
	gone    bool // the row was deleted, which the right side hasn't answered yet
}

// referenceSerde keeps references.
type referenceSerde struct{}

// Append implements serde.Serde.
func (referenceSerde) Append(dst []byte, r reference) ([]byte, error) {
	flags := byte(0)
	if r.refers {
		flags |= 1
	}
	if r.gone {
		flags |= 2
	}
	return append(binary.AppendUvarint(append(dst, flags), r.version), r.foreign...), nil
}

// Decode implements serde.Serde.
func (referenceSerde) Decode(src []byte) (r reference, err error) {
	if len(src) < 1 || src[0] > 3 {
		return r, errForeign
	}
	version, n := binary.Uvarint(src[1:])
	if n <= 0 {
		return r, errForeign
	}
	return reference{version: version, foreign: string(src[1+n:]), refers: src[0]&1 != 0, gone: src[0]&2 != 0}, nil
}
