package assign

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Subscription is what a member sends along when it joins the group, as the
// user data of its subscription. What it holds isn't in there: the protocol
// itself carries the partitions that a member owns.
type Subscription struct {
	// Instance names the process for people; the same after a restart.
	Instance string
	// Topology is a hash of the topology the member runs. Members that run
	// different ones can't share tasks by number.
	Topology uint64
	// Capacity is the member's weight (see Member).
	Capacity int
	// State is what the member has on disk.
	State []State
}

// ErrSubscription marks bytes that aren't a Subscription of a version that
// this one can read.
var ErrSubscription = errors.New("malformed subscription")

// The version is the first byte. A later version may add to the end of what is
// there; a reader skips what it doesn't know. A version above maxVersion has
// changed what is there and can't be read.
const (
	version    = 1
	maxVersion = 15
)

// Append appends the encoding of s to dst.
func (s *Subscription) Append(dst []byte) []byte {
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, uint64(len(s.Instance)))
	dst = append(dst, s.Instance...)
	dst = binary.BigEndian.AppendUint64(dst, s.Topology)
	dst = binary.AppendUvarint(dst, uint64(max(s.Capacity, 0)))
	dst = binary.AppendUvarint(dst, uint64(len(s.State)))
	for _, st := range s.State {
		dst = binary.AppendVarint(dst, int64(st.Task.Sub))
		dst = binary.AppendVarint(dst, int64(st.Task.Partition))
		dst = binary.AppendVarint(dst, st.Offsets)
	}
	return dst
}

// DecodeSubscription reads what Append wrote. Its errors are ErrSubscription.
func DecodeSubscription(src []byte) (Subscription, error) {
	d := decoder{src: src}
	var s Subscription
	if v := d.byte(); !d.bad && (v < 1 || v > maxVersion) {
		return s, fmt.Errorf("%w: version %d, can read up to %d: is a member of the group much newer than this one?", ErrSubscription, v, maxVersion)
	}
	s.Instance = string(d.take(d.uvarint(1 << 16)))
	if b := d.take(8); len(b) == 8 {
		s.Topology = binary.BigEndian.Uint64(b)
	}
	s.Capacity = int(d.uvarint(1 << 16))
	// A state takes at least three bytes: a hostile count can't make the
	// slice larger than the input allows.
	n := d.uvarint(uint64(len(d.src) / 3))
	if n > 0 {
		s.State = make([]State, n)
	}
	for i := range s.State {
		s.State[i] = State{Task: Task{Sub: d.int32(), Partition: d.int32()}, Offsets: d.varint()}
	}
	if d.bad {
		return Subscription{}, fmt.Errorf("%w: cut short or out of range (%d bytes)", ErrSubscription, len(src))
	}
	return s, nil
}

// decoder reads from src; after the first failure it stays bad and reads zeros.
type decoder struct {
	src []byte
	bad bool
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.src)) {
		d.bad = true
		return nil
	}
	b := d.src[:n]
	d.src = d.src[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// uvarint reads a number of at most limit.
func (d *decoder) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.src)
	if n <= 0 || v > limit {
		d.bad = true
		return 0
	}
	d.take(uint64(n))
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.src)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.take(uint64(n))
	return v
}

func (d *decoder) int32() int32 {
	v := d.varint()
	if v != int64(int32(v)) {
		d.bad = true
	}
	return int32(v)
}
