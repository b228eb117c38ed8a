// Package assignor decides which member of a group works on which partitions.
//
// It holds pure functions from members, what they had and the topics there are to
// an assignment. They don't know epochs or who has given what back: that is the
// groups' business. The same input gives the same output, whatever the order of
// maps.
package assignor
