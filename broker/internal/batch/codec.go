package batch

import "strconv"

// Codec is a way of compressing the records of a batch.
type Codec int8

// The codecs of the protocol. 5 to 7 are not assigned.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// Known reports whether the codec is one of the protocol's.
func (c Codec) Known() bool { return c >= None && c <= Zstd }

func (c Codec) String() string {
	if c.Known() {
		return codecNames[c]
	}
	return "codec " + strconv.Itoa(int(c))
}

// DefaultMaxInflated is the most bytes that the records of one batch may
// decompress to, unless told otherwise.
const DefaultMaxInflated = 128 << 20
