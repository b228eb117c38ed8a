package membership

import (
	"maps"
	"slices"
	"time"
)

// Session is what is known of a member until the broker stops: how long it may be
// silent. After a restart all sessions begin anew, since members could not be
// heard meanwhile.
type Session struct {
	Expires  time.Time
	RevokeBy time.Time // when the member must have given back what isn't its; zero if there is nothing
}

// end is the first of a session's limits.
func (s *Session) end() time.Time {
	if !s.RevokeBy.IsZero() && s.RevokeBy.Before(s.Expires) {
		return s.RevokeBy
	}
	return s.Expires
}

// Revoke limits the time that a member in a phase has to give things back. anew
// says that it has just been told to; being told again doesn't give it more time.
func (s *Session) Revoke(p Phase, anew bool, by time.Time) {
	switch {
	case p != Revoking:
		s.RevokeBy = time.Time{}
	case anew || s.RevokeBy.IsZero():
		s.RevokeBy = by
	}
}

// Sessions are the sessions of members, by their ids.
type Sessions map[string]*Session

// Of is that of a member, made if need be.
func (s Sessions) Of(id string) *Session {
	one := s[id]
	if one == nil {
		one = &Session{}
		s[id] = one
	}
	return one
}

// Next is when the first session ends; zero is never.
func (s Sessions) Next() time.Time {
	var next time.Time
	for _, one := range s {
		if t := one.end(); next.IsZero() || t.Before(next) {
			next = t
		}
	}
	return next
}

// retryAfter is when a removal that could not be stored is tried again.
const retryAfter = time.Second

// late lists those whose session has ended, in order. They are late again a little
// later: their removal may not get stored. Sessions of others than members, whose
// records could not be stored, are forgotten.
func (s Sessions) late(now time.Time, member func(id string) bool) []string {
	var late []string
	for _, id := range slices.Sorted(maps.Keys(s)) {
		switch one := s[id]; {
		case !member(id):
			delete(s, id)
		case !one.end().After(now):
			late = append(late, id)
			one.Expires, one.RevokeBy = now.Add(retryAfter), time.Time{}
		}
	}
	return late
}
