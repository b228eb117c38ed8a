package streams

import (
	"time"

	"github.com/leatstream/leat/broker/internal/group"
)

// Resume starts the sessions of all members, and the time that they have for what
// they have to give back.
func (g *Group) Resume(env group.Env) {
	for id, m := range g.members {
		s := g.session(id)
		s.expires = env.Now.Add(env.Settings.Streams.SessionTimeout)
		if m.phase == revoking {
			s.revokeBy = env.Now.Add(m.rebalance)
		}
	}
}

// NextDeadline is when a member's time ends, or the wait for the first members;
// zero is never.
func (g *Group) NextDeadline() time.Time {
	next := g.delayedUntil
	for _, s := range g.sessions {
		if t := s.end(); next.IsZero() || t.Before(next) {
			next = t
		}
	}
	return next
}

// end is the first of a session's limits.
func (s *session) end() time.Time {
	if !s.revokeBy.IsZero() && s.revokeBy.Before(s.expires) {
		return s.revokeBy
	}
	return s.expires
}

// Tick removes the members that have been silent for too long, or have not given
// back what isn't theirs, and computes the first target when its time has come.
func (g *Group) Tick(env group.Env) group.Effects {
	s := g.begin(env)
	var late []string
	for _, id := range sortedKeys(g.sessions) {
		switch ss := g.sessions[id]; {
		case g.members[id] == nil:
			delete(g.sessions, id) // its record could not be stored
		case !ss.end().After(env.Now):
			late = append(late, id)
			ss.expires, ss.revokeBy = env.Now.Add(retryAfter), time.Time{} // if this can't be stored
		}
	}
	if len(late) > 0 {
		s.fence(late...)
	}
	if !g.delayedUntil.IsZero() && !g.delayedUntil.After(env.Now) {
		g.delayedUntil = time.Time{}
		if len(s.all()) > 0 && g.topology != nil {
			g.configured, g.seen = configure(g.topology, env.Topics), env.Topics
			s.assign()
		}
	}
	return s.e
}

// retryAfter is when a removal that could not be stored is tried again.
const retryAfter = time.Second
