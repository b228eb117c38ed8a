package worker

import "sync"

// mailbox is how others talk to a worker. It has no limit, so that nobody waits
// for a worker that waits for a broker: what limits it is that no more records
// are polled than tasks have room for.
//
// It carries closures where something happens now and then, and batches of
// records, which come all the time, as they are.
type mailbox struct {
	mu     sync.Mutex
	calls  []func()
	parcel []delivery
	signal chan struct{} // holds a token when something was put in
}

func newMailbox() *mailbox { return &mailbox{signal: make(chan struct{}, 1)} }

// call has the worker call f.
func (m *mailbox) call(f func()) {
	m.mu.Lock()
	m.calls = append(m.calls, f)
	m.mu.Unlock()
	m.ring()
}

// deliver hands records over.
func (m *mailbox) deliver(d []delivery) {
	m.mu.Lock()
	m.parcel = append(m.parcel, d...)
	m.mu.Unlock()
	m.ring()
}

func (m *mailbox) ring() {
	select {
	case m.signal <- struct{}{}:
	default:
	}
}

// take empties the mailbox into the slices given, which it keeps for later, and
// returns what was there. Deliveries come before calls: a call that takes a task
// away comes after the last records for it.
func (m *mailbox) take(parcel []delivery, calls []func()) ([]delivery, []func()) {
	clear(parcel)
	clear(calls)
	m.mu.Lock()
	defer m.mu.Unlock()
	parcel, m.parcel = m.parcel, parcel[:0]
	calls, m.calls = m.calls, calls[:0]
	return parcel, calls
}
