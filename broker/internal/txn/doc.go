// Package txn decides about transactions: which producer owns a transactional
// id, which partitions its transaction has, and how it ends.
//
// A [Machine] is the coordinator of some transactional ids as a pure machine:
// each request is a step that tells the answer and the state to be stored, and
// takes effect when that is stored and given to Apply. It has no clock, no disk
// and no network; package coord runs it. The records are those of Kafka's
// __transaction_state, so that either can read the other's.
//
// # The two protocols
//
// In the first ([partition.TxnV1]) a producer adds partitions and groups to
// its transaction before it writes to them, and its epoch changes only when it
// registers again. In the second, of KIP-890, writing adds the partition, and
// each end of a transaction gives the producer a new epoch: whatever arrives
// late belongs to an old one and is refused.
//
// # The life of a transaction
//
// Ending one takes two steps. The first stores the decision (PrepareCommit,
// PrepareAbort), from when on it cannot fail any more; then the markers are
// written to all its partitions, which the machine leaves to its caller; then
// Complete stores that they are there. A caller that starts again finds the
// transactions between the two in Unfinished.
//
// A producer that registers while its predecessor's transaction is open, and a
// transaction that is open for too long, abort it and fence its owner.
package txn
