// Package vfs is the seam between the broker and the disk.
//
// Everything the broker keeps goes through an [FS]: the operating system's
// ([OS]), one in memory ([NewMem]) so that a broker without a disk runs the
// same code as one with a disk, or one that misbehaves on demand ([NewFault])
// so that tests can fill the disk, break it, or cut its power.
//
// It is not a general file-system abstraction: no permissions, no symbolic
// links, no cursors and no memory mapping, because a log needs none of them.
package vfs
