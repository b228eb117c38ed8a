// Package consumer is the state machine of a consumer group whose partitions the
// broker assigns: the group protocol of KIP-848.
//
// A [Group] is a [group.Membership], with its rules: a step decides and returns
// records, Apply makes them true. Members send heartbeats with what they want and
// what they have, and are told what they should have. There are three epochs:
//
//   - The group's is one more whenever members, what they subscribe to, or the
//     topics subscribed to have changed.
//   - The target's is the group's at the moment for which the target assignment was
//     computed.
//   - A member's is the target's, once it has given back all that isn't its any more.
//
// Between target and member stands reconciliation: a member is told to give
// partitions back first, and gets new ones when those who had them have said that
// they don't have them any more. So a partition never has two owners.
//
// Committed offsets are not here but in package group.
package consumer
