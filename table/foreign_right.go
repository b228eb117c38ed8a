package table

import (
	"fmt"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// answerer is the right side of a foreign-key join in a task: it knows who
// refers to its rows, and tells them what those are.
type answerer[KO, VO any] struct {
	task      *task.Task
	label     string
	kind      joinKind
	likeKafka bool
	foreign   serde.Serde[KO]
	row       serde.Serde[VO]
	lookup    dsl.Lookup[KO, VO]
	referrers *cache.Members
	scratch   []byte
	out       task.Outgoing
}

func (j foreign[K, V, KO, VO, KR, VR]) makeRight(store *topology.Store, questions *topology.Node, reply *topology.Topic) func(*task.Task, *topology.Node) {
	return func(tk *task.Task, n *topology.Node) {
		a := &answerer[KO, VO]{
			task: tk, label: n.Label(), kind: j.kind, likeKafka: j.left.B.LikeKafka, foreign: j.via.Foreign(), row: j.via.Row(), lookup: j.right.Lookup(tk),
			referrers: cache.OpenMembers(tk, store, n.Label()),
			out:       task.Outgoing{Topic: reply.Physical(tk.App()), Changelog: -1},
		}
		tk.Port(questions.ID).(*dsl.Port[subscription]).Subscribe(n, a.onSubscription)
		j.right.Out(tk).Subscribe(n, a.onChange)
	}
}

func (a *answerer[KO, VO]) onSubscription(s subscription) error {
	if s.null {
		return a.respond(s.partition, &response{key: s.key, version: s.version}, nil, s.time)
	}
	k, err := a.foreign.Decode(s.foreign)
	if err != nil {
		return &task.OpError{Operator: a.label, Kind: task.FailedDecode, Err: fmt.Errorf("decode foreign key: %w", err)}
	}
	row, err := a.lookup(k, dsl.Emitted)
	if err != nil {
		return err
	}
	at := later(s.time, row)
	if a.kind == outerJoin && row.OK {
		err = a.subscribeOuter(&s, row.Value, at)
	} else {
		a.subscribe(&s)
	}
	if err != nil {
		return err
	}
	r := response{key: s.key, version: s.version, flags: hasForeign, foreign: s.foreign}
	switch {
	case s.what == forgetAnswer:
		return a.respond(s.partition, &response{key: s.key, version: s.version}, nil, at)
	case s.what != forget && row.OK:
		return a.respond(s.partition, &r, &row.Value, at)
	case s.what == answer:
		return a.respond(s.partition, &r, nil, at)
	}
	return nil
}

// subscribe notes who refers to a row, or no longer does.
func (a *answerer[KO, VO]) subscribe(s *subscription) {
	if s.what == forget || s.what == forgetAnswer {
		a.referrers.Delete(s.foreign, s.key, s.time)
		return
	}
	a.scratch = appendReferrer(a.scratch[:0], s.partition, s.version)
	a.referrers.Put(s.foreign, s.key, a.scratch, s.time)
}

// subscribeOuter is subscribe for a row that is a result where nobody refers to
// it.
func (a *answerer[KO, VO]) subscribeOuter(s *subscription, row VO, at int64) error {
	before, err := a.referrers.Any(s.foreign)
	if err != nil {
		return err
	}
	a.subscribe(s)
	now, err := a.referrers.Any(s.foreign)
	if err != nil || now == before {
		return err
	}
	return a.unreferred(s.foreign, !now, row, at)
}

// onChange tells all who refer to a row what it is now, in the order of their
// keys.
func (a *answerer[KO, VO]) onChange(c dsl.Change[KO, VO]) error {
	if c.Stale {
		return nil
	}
	b, err := a.foreign.Append(a.task.Arena().Free(), c.Key)
	if err != nil {
		return a.fail("foreign key", err)
	}
	foreign := a.task.Arena().Take(b)
	var row *VO
	if c.HasNew {
		row = &c.New
	}
	var failed error
	alone := true
	err = a.referrers.Each(foreign, func(name, value []byte, time int64) bool {
		alone = false
		partition, version, _, err := decodeReferrer(value)
		if err != nil {
			failed = &task.OpError{Operator: a.label, Kind: task.FailedStore, Err: err}
			return false
		}
		r := response{key: name, version: version, flags: hasForeign, foreign: foreign}
		at := max(c.Time, time)
		if a.likeKafka {
			at = c.Time // Kafka Streams forgets the left row's
		}
		failed = a.respond(partition, &r, row, at)
		return failed == nil
	})
	if err != nil || failed != nil {
		if err == nil {
			err = failed
		}
		return err
	}
	if alone && a.kind == outerJoin {
		return a.unreferred(foreign, c.HasNew, c.New, c.Time)
	}
	return nil
}

// unreferred tells of a row that nobody refers to, or that is no longer one.
func (a *answerer[KO, VO]) unreferred(foreign []byte, is bool, v VO, time int64) error {
	r := response{key: foreign, flags: unreferred}
	if is {
		return a.respond(-1, &r, &v, time)
	}
	return a.respond(-1, &r, nil, time)
}

// respond sends a response with a row, or without one. The response's key
// belongs to the record then.
func (a *answerer[KO, VO]) respond(partition int32, r *response, row *VO, time int64) error {
	arena := a.task.Arena()
	if row != nil {
		b, err := a.row.Append(arena.Free(), *row)
		if err != nil {
			return a.fail("row", err)
		}
		r.row, r.flags = arena.Take(b), r.flags|hasRow
	}
	a.out.Partition, a.out.Time, a.out.Headers = partition, time, a.task.Meta().Headers
	a.out.Key = arena.Take(append(arena.Free(), r.key...))
	a.out.Value = arena.Take(r.append(arena.Free()))
	return a.task.Send(&a.out)
}

func (a *answerer[KO, VO]) fail(what string, err error) error {
	return &task.OpError{Operator: a.label, Kind: task.FailedEncode, Err: fmt.Errorf("encode %s: %w", what, err)}
}

// readResponses is the source of what an answerer wrote.
func readResponses(tk *task.Task, n *topology.Node) {
	port, label := dsl.NewPort[response](tk, n), n.Label()
	tk.OnSource(n.Topic.Physical(tk.App()), func(r *record.Record) error {
		s, err := decodeResponse(r.Value)
		if err != nil {
			return &task.OpError{Operator: label, Kind: task.FailedDecode, Err: err}
		}
		s.key, s.time = r.Key, r.Time
		return port.Emit(s)
	})
}

// feedResult joins what comes back with the left row as it is now.
func (j foreign[K, V, KO, VO, KR, VR]) feedResult(references *topology.Store, answers *topology.Node) func(*task.Task, *topology.Node, dsl.Upsert[KR, VR]) {
	return func(tk *task.Task, n *topology.Node, put dsl.Upsert[KR, VR]) {
		r := &resolver[K, V, KO, VO, KR, VR]{
			foreign: j, task: tk, label: n.Label(), lookup: j.left.Lookup(tk), put: put,
			references: tk.Opened(references.Name).(*cache.KeyValue[K, reference]),
		}
		tk.Port(answers.ID).(*dsl.Port[response]).Subscribe(n, r.onResponse)
	}
}

// resolver is the result's node in a task.
type resolver[K, V, KO, VO, KR, VR any] struct {
	foreign[K, V, KO, VO, KR, VR]
	task       *task.Task
	label      string
	references *cache.KeyValue[K, reference]
	lookup     dsl.Lookup[K, V]
	put        dsl.Upsert[KR, VR]
}

func (j *resolver[K, V, KO, VO, KR, VR]) onResponse(r response) error {
	var row VO
	known := r.flags&hasRow != 0
	if j.left.B.LikeKafka && len(r.row) == 0 {
		known = false // Kafka Streams takes an empty row for none
	}
	if known {
		var err error
		if row, err = j.via.Row().Decode(r.row); err != nil {
			return j.fail("row", err)
		}
	}
	var none VR
	if r.flags&unreferred != 0 {
		fk, err := j.via.Foreign().Decode(r.key)
		if err != nil {
			return j.fail("foreign key", err)
		}
		var k K
		var v V
		if !known {
			return j.put(j.name(k, false, fk), none, false, r.time)
		}
		return j.put(j.name(k, false, fk), j.f(v, false, row, true), true, r.time)
	}
	k, err := j.via.Key().Decode(r.key)
	if err != nil {
		return j.fail("key", err)
	}
	e, err := j.references.Entry(k)
	if err != nil {
		return err
	}
	left, err := j.lookup(k, dsl.Emitted)
	if err != nil {
		return err
	}
	if current, err := j.current(e, &r, left); err != nil || !current {
		return err // the row has changed since; another answer will come
	}
	if e.OK && e.Value.gone {
		if err := j.references.Touch(e); err != nil {
			return err
		}
		j.references.Delete(e, r.time)
	}
	var fk KO
	result := j.name(k, true, fk)
	if !left.OK || !known && j.kind == innerJoin {
		return j.put(result, none, false, r.time)
	}
	return j.put(result, j.f(left.Value, true, row, known), true, r.time)
}

// current reports whether an answer is for a row as it is now.
func (j *resolver[K, V, KO, VO, KR, VR]) current(e *cache.Entry[K, reference], r *response, left dsl.Row[V]) (bool, error) {
	if j.left.B.LikeKafka {
		h, err := j.hash(j.task.Arena(), left.Value, left.OK)
		return r.version == h, err
	}
	ref := e.Value
	if !e.OK || ref.version != r.version {
		return false, nil
	}
	// An answer without a foreign key is the last one for what the row referred
	// to, or for nothing.
	return r.flags&hasForeign == 0 || ref.refers && ref.foreign == string(r.foreign), nil
}

func (j *resolver[K, V, KO, VO, KR, VR]) fail(what string, err error) error {
	return &task.OpError{Operator: j.label, Kind: task.FailedDecode, Err: fmt.Errorf("decode %s: %w", what, err)}
}
