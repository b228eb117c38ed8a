// Package window is arithmetic on time, and nothing else: which windows a
// record falls into, when a window is over, and how long it must be stored.
//
// There are four kinds, of four types, so that the wrong one doesn't compile:
// [Fixed] windows ([Tumbling], [Hopping], [Unlimited] and [Custom]) don't depend
// on the records; [Slides] ([Sliding]) lie beside each record of a key;
// [Sessions] ([Session]) grow with them; a [Join] is how far apart two records
// may be.
// A window of a key is a [Key], its time a [Span].
//
// The semantics are those of Kafka Streams. Time is stream time, the highest
// time of a record seen so far: a window closes because later records came, not
// because a clock went on. After its end a window takes late records for as
// long as its grace says, which is 0 unless set.
//
// Users say times as [time.Duration] and [time.Time]. Whatever the engine calls
// for each record takes and returns int64 milliseconds since the epoch, the
// unit of Kafka's timestamps, and is marked by that type. Results beyond the
// range of an int64 are the nearest end of it.
package window
