// Package share is what share groups know of the partitions they read: which
// records are with a member, which were acknowledged, and how often each was
// delivered.
//
// A [Partition] is a machine without I/O and without a clock. Its methods say
// what a step changes, as a [Change], which is stored by whoever runs it before
// the step's answer is given; replaying the stored changes gives the machine
// again, as it was before the members got what they have. Records are
// known by offset only: reading them is somebody else's business.
//
// [Sessions] is who fetches what, from one request to the next. It is nothing
// that survives a restart.
//
// Who is a member of a group, and which partitions the members get, is not
// decided here.
package share
