package membership

import (
	"maps"
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/flex"
	"github.com/leatstream/leat/broker/internal/group"
)

// Member is a pointer to a member of a group, which has [Progress] embedded. What
// it points to is never modified once it is in a roster: a changed copy takes its
// place. Nil is nobody.
type Member interface {
	comparable
	Name() string // its id
	At() Progress
}

// Target is what a member should have.
type Target[T any] interface{ Equal(T) bool }

// Records is what the records of a kind of groups are called. Their numbers are
// Kafka's; what they mean is the same in each kind.
type Records[T any] struct {
	Kind group.Kind
	// Group tells the group's epoch, and ends the group as a tombstone; Target tells
	// the target's epoch. A group has one of each, and of Others.
	Group, Target group.RecordType
	Others        []group.RecordType
	// A member has one of each of these: what it tells of itself, what it should
	// have, and what it has.
	Member, MemberTarget, Current group.RecordType
	// Schema is that of MemberTarget.
	Schema func(*T) func(*flex.Coder)
}

// Roster is the members of a group, and what each should have.
type Roster[M Member, T Target[T]] struct {
	ID string

	// What follows is what records tell.
	Epoch    int32
	Hash     int64 // of the topics that members want, as they were then
	TargetAt int32 // the target's epoch
	Computed int64 // when the target was computed, in milliseconds; 0 is never
	Member   map[string]M
	Target   map[string]T

	// What follows is not in records.
	Sessions Sessions
	Seen     group.Topics // for which the hash was computed

	records *Records[T]
}

// New returns a roster of nobody.
func New[M Member, T Target[T]](id string, r *Records[T]) Roster[M, T] {
	return Roster[M, T]{ID: id, records: r, Member: map[string]M{}, Target: map[string]T{}, Sessions: Sessions{}}
}

// Kind is the kind of the group.
func (r *Roster[M, T]) Kind() group.Kind { return r.records.Kind }

// Members is how many members there are.
func (r *Roster[M, T]) Members() int { return len(r.Member) }

// MemberIDs lists the members in a fixed order.
func (r *Roster[M, T]) MemberIDs() []string { return slices.Sorted(maps.Keys(r.Member)) }

// State is Kafka's name of the state of a group whose members have to come to
// terms.
func (r *Roster[M, T]) State() string {
	switch {
	case len(r.Member) == 0:
		return "Empty"
	case r.Epoch > r.TargetAt:
		return "Assigning"
	}
	for _, m := range r.Member {
		if p := m.At(); p.Phase != Stable || p.Epoch != r.TargetAt {
			return "Reconciling"
		}
	}
	return "Stable"
}

// NextDeadline is when a member's time ends; zero is never.
func (r *Roster[M, T]) NextDeadline() time.Time { return r.Sessions.Next() }

// Restart starts the sessions of all members. limits tells how long one may be
// silent, and how long it may take to give things back.
func (r *Roster[M, T]) Restart(now time.Time, limits func(M) (silent, revoking time.Duration)) {
	for id, m := range r.Member {
		silent, revoking := limits(m)
		s := r.Sessions.Of(id)
		s.Expires = now.Add(silent)
		s.Revoke(m.At().Phase, true, now.Add(revoking))
	}
}

// Late lists the members whose time has come.
func (r *Roster[M, T]) Late(now time.Time) []string {
	return r.Sessions.late(now, func(id string) bool { _, ok := r.Member[id]; return ok })
}

// Record makes a record of the group: of all of it, or of an item, a member for
// instance.
func (r *Roster[M, T]) Record(t group.RecordType, item string, schema func(*flex.Coder)) group.Record {
	return group.NewRecord(t, r.ID, item, schema)
}

// TargetRecord makes the record of a target for an epoch, computed at a time in
// milliseconds. One of time 0 doesn't keep the next one waiting.
func (r *Roster[M, T]) TargetRecord(epoch int32, at int64) group.Record {
	v := targetValue{epoch, at}
	return r.Record(r.records.Target, "", v.schema)
}

// Tombstone makes a record that removes one.
func (r *Roster[M, T]) Tombstone(t group.RecordType, item string) group.Record {
	return group.Tombstone(t, r.ID, item)
}

// Tombstones are the records that remove every trace of the group, except of items
// that aren't members.
func (r *Roster[M, T]) Tombstones() []group.Record {
	var rs []group.Record
	for _, id := range r.MemberIDs() {
		rs = append(rs, r.MemberTombstones(id)...)
	}
	rs = append(rs, r.Tombstone(r.records.Target, ""))
	for _, t := range r.records.Others {
		rs = append(rs, r.Tombstone(t, ""))
	}
	return append(rs, r.Tombstone(r.records.Group, ""))
}

// MemberTombstones are the records that remove a member. What it told of itself
// goes last: with that it is gone.
func (r *Roster[M, T]) MemberTombstones(id string) []group.Record {
	return []group.Record{
		r.Tombstone(r.records.Current, id), r.Tombstone(r.records.MemberTarget, id), r.Tombstone(r.records.Member, id),
	}
}

// Replace takes the value of a record whose meaning is the same in all kinds.
func (r *Roster[M, T]) Replace(k group.Key, read func(schema func(*flex.Coder)) bool) {
	switch k.Type {
	case r.records.Target:
		var v targetValue
		if read(v.schema) {
			r.TargetAt, r.Computed = v.epoch, v.at
		}
	case r.records.MemberTarget:
		var v T
		if read(r.records.Schema(&v)) {
			r.Target[k.Item] = v
		}
	}
}

// Remove takes a tombstone whose meaning is the same in all kinds.
func (r *Roster[M, T]) Remove(k group.Key) {
	switch k.Type {
	case r.records.Member:
		delete(r.Member, k.Item)
		delete(r.Sessions, k.Item)
	case r.records.Target:
		r.TargetAt, r.Computed = 0, 0
	case r.records.MemberTarget:
		delete(r.Target, k.Item)
	}
}
