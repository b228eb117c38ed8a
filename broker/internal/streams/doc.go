// Package streams is the state machine of a streams group: the group protocol of
// KIP-1071, in which the broker knows an application's topology and assigns its
// tasks.
//
// A [Group] is a [group.Membership], made like that of package consumer, with the
// same three epochs. What differs:
//
//   - The first member brings the topology. From it and the topics there are follow
//     the number of tasks of each sub-topology, and which internal topics have to be
//     made. Until all topics are there nobody has tasks, and members are told why.
//   - A task is active at one member, and may be a standby in other processes. A
//     process never has a task twice, whatever its members do with it.
//   - Members may name an endpoint, and are told where all partitions are.
//
// The group makes no topics itself: it says which are missing, and whoever passed
// the heartbeat makes them, if the client may.
package streams
