package partition

// Notify links w to the log: its waker is told each time the high watermark
// moves, and once with 0 bytes when the log is closed or its start moves. What
// was readable before is not told, so look with Available after Notify.
func (l *Log) Notify(w *Waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.linked {
		return
	}
	if l.closed {
		w.Waker.Wake(0)
		return
	}
	w.linked = true
	w.prev, w.next = l.waiters.prev, &l.waiters
	w.prev.next, w.next.prev = w, w
}

// Cancel unlinks w; its waker is not called any more once Cancel returned. A
// waiter that isn't linked is left alone.
func (l *Log) Cancel(w *Waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.linked {
		w.unlink()
	}
}

func (w *Waiter) unlink() {
	w.prev.next, w.next.prev = w.next, w.prev
	w.prev, w.next, w.linked = nil, nil, false
}

// wakeAll tells all waiters to look again; l.mu is held.
func (l *Log) wakeAll() {
	for w := l.waiters.next; w != &l.waiters; w = w.next {
		w.Waker.Wake(0)
	}
}
