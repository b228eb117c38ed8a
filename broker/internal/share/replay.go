package share

// What is stored of a partition is what its members have said. That records are
// with a member is not: each fetch would cost a write. So a restart gives back what
// members had, and does not count that it was delivered.

// Load makes the partition that a snapshot was taken of. Batches may come from
// a damaged file: they need not be in order.
func Load(start int64, batches []Batch) *Partition {
	p := New(start)
	p.Replay(Change{Start: -1, Batches: batches})
	return p
}

// Snapshot is what has to be stored of the partition beside its start. Records
// that are with members are as they were before these got them.
func (p *Partition) Snapshot() (list []Batch) {
	c := Change{}
	for _, s := range p.stored() {
		if s.state != Available || s.count > 0 {
			c.add(&s)
		}
	}
	return c.Batches
}

// stored is the spans as a replay gives them.
func (p *Partition) stored() (list []span) {
	for _, s := range p.spans {
		if s.state == Acquired {
			s.count--
			s.free(Available)
		}
		s.lot = lot{}
		list = push(list, s)
	}
	for len(list) > 0 && list[len(list)-1].state == Available && list[len(list)-1].count == 0 {
		list = list[:len(list)-1]
	}
	return list
}

// Replay does again what a step has changed. It takes any change, whether or not a
// step of this partition could have made it.
func (p *Partition) Replay(c Change) {
	for _, b := range c.Batches {
		if b.Last >= p.start {
			p.assign(b)
		}
	}
	p.settle(&Change{Start: -1})
	if c.Start >= 0 {
		p.Advance(c.Start)
	}
}

// assign gives offsets a state, whatever they had.
func (p *Partition) assign(b Batch) {
	n := span{first: max(b.First, p.start), last: b.Last, state: b.State, count: b.Deliveries}
	if n.state == Acquired {
		n.state = Available
	}
	if n.first > p.end {
		p.spans = push(p.spans, span{first: p.end, last: n.first - 1})
	}
	p.end = max(p.end, n.last+1)
	list := make([]span, 0, len(p.spans)+2)
	placed := false
	place := func() {
		if !placed {
			placed = true
			list = push(list, n)
		}
	}
	for i := range p.spans {
		s := p.spans[i]
		if s.first < n.first {
			list = push(list, s.sub(s.first, n.first-1))
		}
		if s.last >= n.first {
			place()
		}
		if s.last > n.last {
			list = push(list, s.sub(n.last+1, s.last))
		}
	}
	place()
	p.spans = list
}
