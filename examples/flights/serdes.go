package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/window"
)

// dayKey writes the key of a day's window as CARRIER@YYYY-MM-DD.
var dayKey = serde.Func(
	func(dst []byte, k window.Key[string]) ([]byte, error) {
		return k.Start().AppendFormat(append(append(dst, k.Key...), '@'), time.DateOnly), nil
	},
	func(src []byte) (k window.Key[string], err error) {
		carrier, date, err := cutKey(src)
		if err != nil {
			return k, err
		}
		day, err := time.Parse(time.DateOnly, date)
		return window.Key[string]{Key: carrier, Span: window.Between(day, day.AddDate(0, 0, 1))}, err
	},
)

// rotationKey writes the key of a session as TAILNUM@START, in milliseconds
// since the epoch. The end is in the value; a key that was read ends where it
// starts.
var rotationKey = serde.Func(
	func(dst []byte, k window.Key[string]) ([]byte, error) {
		return strconv.AppendInt(append(append(dst, k.Key...), '@'), k.StartMS, 10), nil
	},
	func(src []byte) (k window.Key[string], err error) {
		tailnum, start, err := cutKey(src)
		if err != nil {
			return k, err
		}
		ms, err := strconv.ParseInt(start, 10, 64)
		return window.Key[string]{Key: tailnum, Span: window.Span{StartMS: ms, EndMS: ms}}, err
	},
)

func cutKey(src []byte) (key, window string, err error) {
	i := strings.LastIndexByte(string(src), '@')
	if i < 0 {
		return "", "", fmt.Errorf("the key %q has no @", src)
	}
	return string(src[:i]), string(src[i+1:]), nil
}
