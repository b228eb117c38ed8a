package task

// # Inputs that are read first
//
// A source may ask to be read to its end, as of the start of the task, before the
// task takes records of others: for a join that is to find every row there is,
// whatever its time. The end is learned when the input is found empty here for the
// first time and the broker is asked about it. What is written after that is
// taken in the order of timestamps, with the rest.

// Bound tells the end of an input's partition on the broker, as of some time after
// the task began.
func (t *Task) Bound(i int, end int64) {
	if in := t.inputs[i]; in.first && in.until < 0 {
		in.until = end
	}
}

// readFirst makes an input one that is read first.
func (t *Task) readFirst(in *input) {
	if !in.first {
		in.first, in.until = true, -1
		t.undrained++
	}
}

// drained reports whether an input needn't be read first any more.
func (in *input) drained(eager bool) bool {
	switch {
	case in.count == 0 && (eager || in.emptied):
		return true
	case in.until < 0:
		return false
	case in.count > 0:
		return in.head().Offset >= in.until
	}
	return in.next >= in.until
}

// chooseFirst is choose among the inputs that are read first; ok is false when
// all have been.
func (t *Task) chooseFirst() (best *input, blocked, ok bool) {
	waiting := false
	for _, in := range t.inputs {
		waiting = waiting || in.count > 0
		if !in.first {
			continue
		}
		if in.drained(t.cfg.Eager) {
			in.first = false
			t.undrained--
			continue
		}
		if in.count > 0 && (best == nil || in.head().Time < best.head().Time) {
			best = in
		}
	}
	if t.undrained == 0 {
		return nil, false, false
	}
	return best, best == nil && waiting, true
}
