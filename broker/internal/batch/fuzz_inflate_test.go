package batch_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/leatstream/leat/broker/internal/batch"
)

// packed makes a batch of records that are compressed already, or said to be.
func packed(t testing.TB, c batch.Codec, count uint8, payload []byte) []byte {
	b := build(t, withCodec(batch.None), batch.Record{Timestamp: now})
	b = append(b[:batch.HeaderSize:batch.HeaderSize], payload...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	b[22] = byte(c)
	binary.BigEndian.PutUint32(b[23:], uint32(count)-1)
	binary.BigEndian.PutUint32(b[57:], uint32(count))
	return reseal(b)
}

// FuzzInflate has records that are anything, or say that they become anything,
// when they are decompressed: they are refused or read, and what they only claim
// to be takes no memory.
func FuzzInflate(f *testing.F) {
	const most = 256 << 10
	bomb := build(f, withCodec(batch.None), batch.Record{Timestamp: now, Value: make([]byte, 4*most)})
	for _, c := range codecs {
		h := withCodec(c)
		sound := build(f, h, batch.Record{Timestamp: now, Key: []byte("k"), Value: bytes.Repeat([]byte("value"), 100)})
		f.Add(uint8(c), uint8(1), sound[batch.HeaderSize:])
		f.Add(uint8(c), uint8(200), sound[batch.HeaderSize:])
		f.Add(uint8(c), uint8(1), sound[batch.HeaderSize:len(sound)-4])
		head, err := batch.Frame(bomb, 0)
		if err != nil {
			f.Fatal(err)
		}
		large, err := batch.Recompress(nil, bomb, &head, c, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(c), uint8(1), large[batch.HeaderSize:])
	}
	// Lengths and windows of gigabytes.
	f.Add(uint8(batch.Snappy), uint8(1), []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0})
	f.Add(uint8(batch.Snappy), uint8(1), append([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\x7f\xff\xff\xff"), 0xff, 0xff, 0xff, 0xff, 0x0f))
	f.Add(uint8(batch.LZ4), uint8(1), []byte{0x04, 0x22, 0x4d, 0x18, 0x68, 0x70, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x73, 0xff, 0xff, 0xff, 0x7f})
	f.Add(uint8(batch.Zstd), uint8(1), []byte{0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0xa8, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, 0, 0})
	f.Add(uint8(batch.Zstd), uint8(1), []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0, 0})
	f.Fuzz(func(t *testing.T, codec, count uint8, payload []byte) {
		c := batch.Codec(codec % 5)
		r := rules()
		r.MaxInflated = most
		var h batch.Header
		var err error
		// The first time, decoders are made that are used again.
		used := uint64(1) << 62
		for try := 0; try < 3 && used > 8*most+1<<20; try++ {
			b := packed(t, c, count, payload)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			h, err = accept(b, 1<<20, r)
			runtime.ReadMemStats(&after)
			used = after.TotalAlloc - before.TotalAlloc
		}
		if used > 8*most+1<<20 {
			t.Fatalf("%v: %d bytes took %d", c, len(payload), used)
		}
		if err != nil {
			if _, ok := errors.AsType[*batch.Error](err); !ok {
				t.Fatalf("%v: refused without a code: %v", c, err)
			}
			return
		}
		if h.Count != int32(count) {
			t.Fatalf("%v: %d records are accepted as %d", c, count, h.Count)
		}
	})
}
