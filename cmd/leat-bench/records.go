package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/window"
)

// click is read where it lies: seq@0, user@8, page@12, duration@16, price@20,
// flags@24, and text to 100.
type click []byte

func (c click) flags() byte     { return c[24] }
func (c click) duration() int64 { return int64(binary.BigEndian.Uint32(c[16:])) }
func (c click) price() int64    { return int64(binary.BigEndian.Uint32(c[20:])) }

var errShort = errors.New("a record is too short")

var clickSerde = serde.Func(
	func(dst []byte, c click) ([]byte, error) { return append(dst, c...), nil },
	func(src []byte) (click, error) {
		if len(src) < 25 {
			return nil, errShort
		}
		return click(src), nil
	})

// summary is the output of W1.
type summary struct {
	head  [16]byte
	twice int64
	price int64
}

func (c click) summary() summary {
	return summary{head: [16]byte(c[:16]), twice: 2 * c.duration(), price: c.price()}
}

var summarySerde = serde.Func(
	func(dst []byte, s summary) ([]byte, error) {
		dst = binary.BigEndian.AppendUint64(append(dst, s.head[:]...), uint64(s.twice))
		return binary.BigEndian.AppendUint64(dst, uint64(s.price)), nil
	},
	func([]byte) (s summary, err error) { return s, errors.ErrUnsupported })

// totals is what W3 knows of a user's minute.
type totals struct{ count, sum int64 }

func none() totals { return totals{} }

func add(_ []byte, c click, t totals) totals { return totals{t.count + 1, t.sum + c.price()} }

var totalsSerde = serde.Func(
	func(dst []byte, t totals) ([]byte, error) { return appendInts(dst, t.count, t.sum), nil },
	func(src []byte) (t totals, err error) {
		if len(src) != 16 {
			return t, errShort
		}
		return totals{int64(binary.BigEndian.Uint64(src)), int64(binary.BigEndian.Uint64(src[8:]))}, nil
	})

func appendInts(dst []byte, a, b int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, uint64(a)), uint64(b))
}

var windowStartSerde = serde.Func(
	func(dst []byte, k window.Key[[]byte]) ([]byte, error) {
		return strconv.AppendInt(append(append(dst, k.Key...), '@'), k.StartMS, 10), nil
	}, notRead[window.Key[[]byte]])

var visitSerde = serde.Func(
	func(dst []byte, k window.Key[[]byte]) ([]byte, error) {
		dst = strconv.AppendInt(append(append(dst, k.Key...), '@'), k.StartMS, 10)
		return strconv.AppendInt(append(dst, '@'), k.EndMS, 10), nil
	}, notRead[window.Key[[]byte]])

// pair is the output of W4: the numbers of both records.
type pair struct{ left, right uint64 }

func pairOf(l, r []byte) pair {
	return pair{binary.BigEndian.Uint64(l), binary.BigEndian.Uint64(r)}
}

var pairSerde = serde.Func(
	func(dst []byte, p pair) ([]byte, error) { return appendInts(dst, int64(p.left), int64(p.right)), nil },
	notRead[pair])

// with is the output of W5: a click's number and price, and its user's row.
func (c click) with(user []byte) []byte {
	out := make([]byte, 0, 16+len(user))
	out = binary.BigEndian.AppendUint64(append(out, c[:8]...), uint64(c.price()))
	return append(out, user...)
}

// notRead is the decoder of a topic that is only written.
func notRead[T any](src []byte) (v T, err error) {
	return v, errors.New("not read here: " + string(bytes.ToValidUTF8(src, nil)))
}
