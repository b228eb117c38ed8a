package topic

import "time"

// Option is a further property of a topic.
type Option func(*options)

type options struct {
	partitions    int
	partitionsSet bool
	start         Start
	times         Times
	pattern       bool
	idle          time.Duration
}

// Partitions is the number of partitions of a repartition topic, at least 1.
// Without it a repartition topic gets as many as the topics its records come
// from. Topics that leat doesn't create have the partitions they have.
func Partitions(n int) Option {
	return func(o *options) { o.partitions, o.partitionsSet = n, true }
}

// Start is where an app begins to read a partition of which it has committed
// nothing. Where what it has committed is deleted by now, it goes on with the
// first record there is.
type Start struct {
	From StartFrom
	Back time.Duration // with From Back
}

// StartFrom is one of the places where reading can begin.
type StartFrom uint8

// The places where reading can begin.
const (
	Earliest  StartFrom = iota // with the first record there is
	Latest                     // with what is written from now on
	Back                       // with what is not older than Start.Back
	Committed                  // nowhere: the app ends with an error
)

// FromEarliest begins to read a topic with the first record there is, which is
// the default. It concerns partitions of which the app has committed nothing.
func FromEarliest() Option { return func(o *options) { o.start = Start{From: Earliest} } }

// FromLatest begins to read a topic at its end: what was written before the app
// came for the first time is left out.
func FromLatest() Option { return func(o *options) { o.start = Start{From: Latest} } }

// FromBack begins to read a topic with the first record whose timestamp is less
// than d before now, at the end if there is none.
func FromBack(d time.Duration) Option {
	return func(o *options) { o.start = Start{From: Back, Back: d} }
}

// FromCommitted reads a topic only from where the app has committed. The app
// ends with an error where there is no commit: it is for an app that must not
// begin anew by accident.
func FromCommitted() Option { return func(o *options) { o.start = Start{From: Committed} } }

// Times says what becomes of a record whose timestamp is no time of day: it is
// before 1970, or a function given to [Topic.TimestampedBy] says so.
type Times uint8

// The ways to treat timestamps.
const (
	// ValidOnly drops records without a valid timestamp and counts them, reason
	// "negative-timestamp".
	ValidOnly Times = iota
	// Strict fails such a record: Config.OnError decides about it.
	Strict
	// Partition gives it the highest timestamp that was read of its partition,
	// and drops it if there is none yet.
	Partition
	// Arrival gives every record the time of day at which it is processed.
	Arrival
)

// StrictTimes fails a record without a valid timestamp, where it would be
// dropped and counted otherwise.
func StrictTimes() Option { return func(o *options) { o.times = Strict } }

// PartitionTimes gives a record without a valid timestamp the highest one that
// was read of its partition. That is committed with the offsets, so a restart
// changes nothing.
func PartitionTimes() Option { return func(o *options) { o.times = Partition } }

// ArrivalTimes gives every record the time of day at which it is processed. What
// is computed from it differs when records are processed again.
func ArrivalTimes() Option { return func(o *options) { o.times = Arrival } }
