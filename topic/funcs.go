package topic

import (
	"time"

	"github.com/leatstream/leat/internal/record"
)

// funcs are what the user says about single records.
type funcs[K, V any] struct {
	stamp     func(K, V, Stamp) time.Time
	partition func(key K, value V, partitions int) int
	spread    func(key K, value V, partitions int) []int
}

// Stamp is what a record says about its time, beside its key and value.
type Stamp struct {
	Time time.Time // of the record itself
	// Latest is the highest time that was read of the partition, the zero Time
	// if there was none yet.
	Latest    time.Time
	Topic     string
	Partition int32
	Offset    int64
	Headers   []Header
}

// Header is a named piece of bytes that travels with a record.
type Header = record.Header

// TimestampedBy is the topic with the timestamps that f takes from its records,
// where it is read. Everything goes by them then: which of two partitions is
// read first, windows, and what is late. A time before 1970, such as the zero
// Time, is not valid: the record is dropped and counted, unless an option of the
// topic says otherwise, such as [PartitionTimes]. f is called with the zero K or
// V for what is null. A panic in it fails the record.
func (t Topic[K, V]) TimestampedBy(f func(key K, value V, at Stamp) time.Time) Topic[K, V] {
	return t.with(func(fs *funcs[K, V]) { fs.stamp = f })
}

// PartitionedBy is the topic with f to choose among its partitions (0 to
// partitions-1), where it is written: by To, and by what goes through it as a
// repartition topic. A negative result leaves the choice to the key, as Kafka's
// own clients do; one that is too large fails the record. All that relies on
// equal keys in equal partitions relies on f then.
func (t Topic[K, V]) PartitionedBy(f func(key K, value V, partitions int) int) Topic[K, V] {
	return t.with(func(fs *funcs[K, V]) { fs.partition = f })
}

// SpreadBy is the topic with f to choose one, several or none of its partitions
// for each record: the record is written to each. Where there is none it is
// dropped and counted, reason "no-partition".
func (t Topic[K, V]) SpreadBy(f func(key K, value V, partitions int) []int) Topic[K, V] {
	return t.with(func(fs *funcs[K, V]) { fs.spread = f })
}

// with is a copy of the topic with another function.
func (t Topic[K, V]) with(set func(*funcs[K, V])) Topic[K, V] {
	fs := &funcs[K, V]{}
	if t.funcs != nil {
		*fs = *t.funcs
	}
	set(fs)
	t.funcs = fs
	return t
}

// Stamper is the function of [Topic.TimestampedBy], nil without it.
func (t Topic[K, V]) Stamper() func(K, V, Stamp) time.Time {
	if t.funcs == nil {
		return nil
	}
	return t.funcs.stamp
}

// Partitioner is the function of [Topic.PartitionedBy], nil without it.
func (t Topic[K, V]) Partitioner() func(key K, value V, partitions int) int {
	if t.funcs == nil {
		return nil
	}
	return t.funcs.partition
}

// Spreader is the function of [Topic.SpreadBy], nil without it.
func (t Topic[K, V]) Spreader() func(key K, value V, partitions int) []int {
	if t.funcs == nil {
		return nil
	}
	return t.funcs.spread
}

// Start is where reading begins; see [FromLatest] and its like.
func (t Topic[K, V]) Start() Start { return t.options.start }

// Times says what becomes of records without a valid timestamp.
func (t Topic[K, V]) Times() Times { return t.options.times }
