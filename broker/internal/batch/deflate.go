package batch

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Encoders are far larger than what they encode, so they are used again.
var (
	gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}
	lz4Writers  = sync.Pool{New: func() any {
		z := lz4.NewWriter(nil)
		// Records are compressed by the batch: larger blocks would only
		// cost their memory.
		if err := z.Apply(lz4.BlockSizeOption(lz4.Block64Kb)); err != nil {
			panic(err) // the option is a constant
		}
		return z
	}}
	zstdWriters = sync.Pool{New: func() any {
		z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			panic(err) // the options are constants
		}
		return z
	}}
)

// deflate appends src compressed to dst.
func deflate(dst []byte, codec Codec, src []byte) ([]byte, error) {
	switch codec {
	case Gzip:
		z := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(z)
		w := bytes.NewBuffer(dst)
		z.Reset(w)
		return finish(w, z, src)
	case Snappy:
		return append(dst, s2.EncodeSnappy(nil, src)...), nil
	case LZ4:
		z := lz4Writers.Get().(*lz4.Writer)
		defer lz4Writers.Put(z)
		w := bytes.NewBuffer(dst)
		z.Reset(w)
		return finish(w, z, src)
	case Zstd:
		z := zstdWriters.Get().(*zstd.Encoder)
		defer zstdWriters.Put(z)
		return z.EncodeAll(src, dst), nil
	}
	return dst, fmt.Errorf("%s is not assigned", codec)
}

func finish(w *bytes.Buffer, z io.WriteCloser, src []byte) ([]byte, error) {
	if _, err := z.Write(src); err != nil {
		return w.Bytes(), err
	}
	err := z.Close()
	return w.Bytes(), err
}
