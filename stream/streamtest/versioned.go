package streamtest

import (
	"github.com/leatstream/leat/state"
)

// Versioned reads a versioned store by its declaration, as the last record left
// it.
func (d *Driver) Versioned[K, V any](s state.Store[K, V]) *state.Versions[K, V] {
	d.t.Helper()
	for _, r := range d.tasks {
		if t := state.Open(r.Task, s.Name()); t != nil {
			return t.Versioned(s)
		}
	}
	d.t.Fatalf("streamtest: the topology has no versioned store %q of these types", s.Name())
	return nil
}
