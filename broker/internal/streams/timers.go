package streams

import (
	"time"

	"github.com/leatstream/leat/broker/internal/group"
)

// Resume starts the sessions of all members, and the time that they have for what
// they have to give back.
func (g *Group) Resume(env group.Env) {
	g.Restart(env.Now, func(m *member) (silent, revoking time.Duration) {
		return env.Settings.Streams.SessionTimeout, m.rebalance
	})
}

// NextDeadline is when a member's time ends, or the wait for the first members;
// zero is never.
func (g *Group) NextDeadline() time.Time {
	next := g.Roster.NextDeadline()
	if next.IsZero() || !g.delayedUntil.IsZero() && g.delayedUntil.Before(next) {
		return g.delayedUntil
	}
	return next
}

// Tick removes the members that have been silent for too long, or have not given
// back what isn't theirs, and computes the first target when its time has come.
func (g *Group) Tick(env group.Env) group.Effects {
	s := g.begin(env)
	if late := g.Late(env.Now); len(late) > 0 {
		s.fence(late...)
	}
	if !g.delayedUntil.IsZero() && !g.delayedUntil.After(env.Now) {
		g.delayedUntil = time.Time{}
		if len(s.All()) > 0 && g.topology != nil {
			g.configured, g.Seen = configure(g.topology, env.Topics), env.Topics
			s.assign()
		}
	}
	return s.Effects
}
