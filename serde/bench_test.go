package serde_test

import (
	"testing"

	"github.com/leatstream/leat/serde"
)

// BenchmarkSerde is the cost of one Append into a reused buffer and of one
// Decode.
func BenchmarkSerde(b *testing.B) {
	f := flight{ID: "LH1234-2026", Seats: 180, Price: 99.5, Stops: []string{"FRA", "MUC"}}
	benchmark(b, "String", serde.String, "a key of 20 bytes...")
	benchmark(b, "Int64", serde.Int64, int64(1)<<40)
	benchmark(b, "Float64", serde.Float64, 99.5)
	benchmark(b, "JSON", serde.JSON[flight](), f)
	benchmark(b, "Msgpack", serde.Msgpack[flight](), f)
	benchmark(b, "MsgpackArray", serde.Msgpack[row](), row{ID: f.ID, Seats: f.Seats, Price: f.Price})
	benchmark(b, "MsgpackInt64", serde.Msgpack[int64](), 1<<40)
}

func benchmark[T any](b *testing.B, name string, s serde.Serde[T], v T) {
	src, err := s.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(name+"/append", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 256)
		for b.Loop() {
			if _, err := s.Append(buf, v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"/decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Decode(src); err != nil {
				b.Fatal(err)
			}
		}
	})
}
