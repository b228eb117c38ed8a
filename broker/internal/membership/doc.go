// Package membership is what the groups have in common to which the broker assigns
// partitions: consumer groups (KIP-848), streams groups (KIP-1071) and share groups
// (KIP-932).
//
// A [Roster] is who is in a group and what each member should have; the group of a
// kind embeds it, adds what it alone has, and is a [group.Membership]. A [Step] is
// a decision in the making: it looks at the roster, changes nothing of it, and
// collects the records that will, once they are stored. There are three epochs:
//
//   - The group's is one more whenever members, what they want, or the topics that
//     they want have changed.
//   - The target's is the group's at the moment for which the target assignment was
//     computed.
//   - A member's is the target's, once it has given back all that isn't its any more.
//
// How members get from what they have to what they should have is different in
// each kind, and not here. Neither are committed offsets, which are in package
// group.
package membership
