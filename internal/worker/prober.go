package worker

import (
	"context"
	"sync"
	"time"

	"github.com/leatstream/leat/internal/record"
)

// # Empty inputs
//
// A task takes the record with the lowest timestamp among its inputs. While one
// of them has nothing buffered, that can't be told: its records may be on their
// way. Not to care would let the result of a join depend on luck. To wait until
// there is one could take for ever.
//
// So a task waits until it is known that the broker had nothing either. Records
// that were fetched in poll round r may be processed if every empty input was
// found empty on the broker, that is with its end at the position of this
// client, when asked after round r. Then the records of the other inputs were
// on the broker before any that the empty one may get from now on.
//
// The end of the partition is asked for, as a fetch that brings nothing goes
// unnoticed. All questions that came up while the last ones were under way are
// asked in one request per broker.

// question is about inputs of a task that have nothing buffered.
type question struct {
	unit   *unit
	worker *worker
	round  uint64
	inputs []int
	// skip asks where the next record is, rather than for the end: see
	// client.NextRecord.
	skip bool
	from int64 // with skip: the position of the only input
}

// prober asks the brokers.
type prober struct {
	in *Instance

	mu     sync.Mutex
	open   []question
	signal chan struct{}
}

func newProber(in *Instance) *prober {
	return &prober{in: in, signal: make(chan struct{}, 1)}
}

func (p *prober) ask(q question) {
	p.mu.Lock()
	p.open = append(p.open, q)
	p.mu.Unlock()
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

func (p *prober) run(ctx context.Context) {
	for {
		select {
		case <-p.signal:
		case <-ctx.Done():
			return
		}
		p.mu.Lock()
		open := p.open
		p.open = nil
		p.mu.Unlock()
		var ends []question
		for _, q := range open {
			if q.skip {
				p.skip(ctx, q)
			} else {
				ends = append(ends, q)
			}
		}
		if len(ends) > 0 {
			p.ends(ctx, ends)
		}
	}
}

// probeTimeout is after how long a question is put again.
const probeTimeout = 10 * time.Second

func (p *prober) ends(ctx context.Context, open []question) {
	seen := make(map[record.TopicPartition]bool)
	var tps []record.TopicPartition
	for _, q := range open {
		for _, i := range q.inputs {
			if tp := q.unit.inputs[i]; !seen[tp] {
				seen[tp] = true
				tps = append(tps, tp)
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	ends, err := p.in.client.Ends(ctx, tps)
	if err != nil && p.in.ctx.Err() == nil {
		p.in.log.warn("can't find out whether inputs are empty, tasks wait", "error", err)
	}
	for _, q := range open {
		q.worker.box.call(func() { q.worker.answer(q, ends) })
	}
}

func (p *prober) skip(ctx context.Context, q question) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	next, err := p.in.client.NextRecord(ctx, q.unit.inputs[q.inputs[0]], q.from)
	if err != nil && p.in.ctx.Err() == nil {
		p.in.log.warn("can't find out whether an input is empty, its task waits", "error", err)
	}
	q.worker.box.call(func() { q.worker.skipped(q, next) })
}

// How long to wait before asking again: when records are known to be on their
// way, and until that is doubted.
const (
	askAgain = 20 * time.Millisecond
	doubtful = time.Second
)

// ask asks about empty inputs of a task that waits for them.
func (w *worker) ask(u *unit, empty func(yield func(i int))) {
	now := w.in.cfg.Clock.Now()
	if u.since.IsZero() {
		u.since = now
	}
	if u.asking || now.Before(u.askNext) {
		return
	}
	q := question{unit: u, worker: w, round: w.in.round.Load()}
	empty(func(i int) {
		if since := u.behind[i]; !since.IsZero() && now.Sub(since) >= doubtful {
			q = question{unit: u, worker: w, skip: true, inputs: []int{i}, from: u.figures[i].position.Load()}
			u.behind[i] = now
		} else if !q.skip {
			q.inputs = append(q.inputs, i)
		}
	})
	if len(q.inputs) == 0 {
		u.askNext = now.Add(tellEvery) // it waits for what is told, not for an answer
		return
	}
	u.asking = true
	w.in.prober.ask(q)
}

// answer confirms the inputs that were empty. ends lacks those that nothing
// could be found out about.
func (w *worker) answer(q question, ends map[record.TopicPartition]int64) {
	u := q.unit
	u.asking = false
	if u.closed || u.failed {
		return
	}
	now := w.in.cfg.Clock.Now()
	// An input that is empty is given some more time, if that is wished.
	waited := now.Sub(u.since) >= w.in.cfg.MaxTaskIdle
	u.askNext = time.Time{}
	for _, i := range q.inputs {
		end, ok := ends[u.inputs[i]]
		if !ok {
			u.askNext = now.Add(doubtful)
			continue
		}
		f := &u.figures[i]
		f.end.Store(end)
		u.task.Bound(i, end)
		switch {
		case f.position.Load() < end:
			if u.behind[i].IsZero() {
				u.behind[i] = now
			}
			u.askNext = now.Add(askAgain)
		case !waited:
			u.askNext = u.since.Add(w.in.cfg.MaxTaskIdle)
		default:
			u.task.Confirm(i, q.round)
		}
	}
	if u.askNext.IsZero() && u.task.Ordering() && u.task.Waiting() {
		u.askNext = now.Add(askAgain) // there is no more to ask for now
	}
}

// skipped takes over a position past offsets that have no records.
func (w *worker) skipped(q question, next int64) {
	u := q.unit
	u.asking = false
	u.askNext = time.Time{}
	f := &u.figures[q.inputs[0]]
	if !u.closed && next > f.position.Load() {
		f.position.Store(next)
		u.behind[q.inputs[0]] = time.Time{}
	}
}
