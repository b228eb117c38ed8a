package worker

// setPhase notes a phase and tells of it. Once it is ending it doesn't come
// back.
func (in *Instance) setPhase(p Phase) {
	in.mu.Lock()
	changed := in.phase != p && in.phase < max(p, Stopping)
	if changed {
		in.phase = p
	}
	in.mu.Unlock()
	if changed {
		in.cfg.Logger.Info("phase", "phase", p.String())
		if in.cfg.OnPhase != nil {
			in.cfg.OnPhase(p)
		}
	}
}

// updatePhase follows what the tasks do.
func (in *Instance) updatePhase() {
	in.mu.Lock()
	p := Running
	for _, u := range in.units {
		if u.worker == nil {
			p = Restoring
		}
	}
	if len(in.units) == 0 && in.phase == Joining {
		p = Joining
	}
	in.mu.Unlock()
	in.setPhase(p)
}
