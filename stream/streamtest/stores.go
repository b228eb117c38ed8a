package streamtest

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
)

// Store reads a key-value store by its declaration, as the last record left it:
// that of a processor or of a table. A test can write to that of a processor.
func (d *Driver) Store[K, V any](s state.Store[K, V]) *state.KeyValue[K, V] {
	d.t.Helper()
	if t := d.open(s.Name()); t != nil {
		if kv := t.Store(s); kv != nil {
			return kv
		}
	}
	d.t.Fatalf("streamtest: the topology has no key-value store %q of these types", s.Name())
	return nil
}

// Window reads a window store by its declaration: that of a processor, or of a
// windowed aggregation.
func (d *Driver) Window[K, V any](s state.Typed[K, V]) *state.Window[K, V] {
	d.t.Helper()
	if t := d.open(s.Name()); t != nil {
		if w := t.Window(s); w != nil {
			return w
		}
	}
	d.t.Fatalf("streamtest: the topology has no window store %q of these types", s.Name())
	return nil
}

// Session reads a session store by its declaration: that of a processor, or of an
// aggregation by sessions.
func (d *Driver) Session[K, V any](s state.Typed[K, V]) *state.Session[K, V] {
	d.t.Helper()
	if t := d.open(s.Name()); t != nil {
		if w := t.Session(s); w != nil {
			return w
		}
	}
	d.t.Fatalf("streamtest: the topology has no session store %q of these types", s.Name())
	return nil
}

// Global reads a global table.
func (d *Driver) Global[K, V any](g stream.GlobalTable[K, V]) *stream.View[K, V] {
	return stream.OpenGlobal(g, func(i int) task.Global { return d.globals[i] })
}

func (d *Driver) open(name string) *state.Task {
	for _, r := range d.tasks {
		if t := state.Open(r.Task, name); t != nil {
			return t
		}
	}
	return nil
}

// Timers reads timers by their declaration: which are set, and when they are due.
func (d *Driver) Timers[K any](s state.TimerStore[K]) *state.Timers[K] {
	d.t.Helper()
	if t := d.open(s.Name()); t != nil {
		if timers := t.Timers(s, nil); timers != nil {
			return timers
		}
	}
	d.t.Fatalf("streamtest: the topology has no timers %q with keys of this type", s.Name())
	return nil
}
