package consumer

import (
	"time"

	"github.com/leatstream/leat/broker/internal/group"
)

// Resume starts the sessions of all members, and the time that they have for what
// they have to give back.
func (g *Group) Resume(env group.Env) {
	g.Restart(env.Now, func(m *member) (silent, revoking time.Duration) { return m.sessionTimeout(env), m.rebalance })
}

// Tick removes the members that have been silent for too long, or have not given
// back what isn't theirs.
func (g *Group) Tick(env group.Env) group.Effects {
	s := g.begin(env)
	if late := g.Late(env.Now); len(late) > 0 {
		s.fence(late...)
	}
	return s.Effects
}

// sessionTimeout is after how long a silent member is removed. Who speaks the
// classic protocol has brought its own.
func (m *member) sessionTimeout(env group.Env) time.Duration {
	if m.classic != nil {
		return m.classic.session
	}
	return env.Settings.Consumer.SessionTimeout
}
