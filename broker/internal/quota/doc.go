// Package quota measures what clients take, and says for how long those who
// take more than their share have to wait.
//
// Quotas are Kafka's: for users, client ids, both together, and defaults of
// each. A [Table] is all of them at one moment and never changes; a [Limiter]
// measures. It doesn't make anybody wait: a throttle time is told to the
// client, whose next requests the connection then leaves unread (KIP-219).
package quota
