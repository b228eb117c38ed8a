package main

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
)

// dump reads a store, in its order: what is asked for, or all of it if q is nil.
type dump func(d *streamtest.Driver, q *ask) ([]row, error)

// ask is a query with its keys.
type ask struct {
	*query
	key, from, to *datum
}

// query answers a question about a store.
func (r *run) query(q *query) error {
	if st, ok := r.b.kv[q.Store]; ok && st.History() > 0 {
		return r.queryVersioned(q, st)
	}
	read, ok := r.b.dumps[q.Store]
	if !ok {
		return unsupported("query of store %s", q.Store)
	}
	a := &ask{query: q}
	var err error
	if a.key, err = parse(r.keyType(), q.Key); err != nil {
		return err
	}
	if a.from, err = parse(r.keyType(), q.From); err != nil {
		return err
	}
	if a.to, err = parse(r.keyType(), q.To); err != nil {
		return err
	}
	rows, err := read(r.d, a)
	if err != nil {
		return err
	}
	res := answer{Store: q.Store, Op: q.Op, Result: rows}
	if q.Op == "get" {
		if res.Result = nil; len(rows) > 0 {
			res.Result = rows[0]
		}
	}
	r.out.Queries = append(r.out.Queries, res)
	return nil
}

// keyType is the type of the keys that queries give: cases that have queries
// have keys of one type.
func (r *run) keyType() string {
	for _, in := range r.b.inputs {
		return in.key
	}
	return "string"
}

// dumpKV reads a key-value store through the driver. Rows of plain stores have no
// time.
func dumpKV[K, V any](st state.Store[K, V], plain bool, key func(K) *datum, value func(V) *datum) dump {
	return func(d *streamtest.Driver, q *ask) ([]row, error) {
		open := d.Store(st)
		rows := []row{}
		add := func(k K, v V) error {
			r := row{Key: key(k), Value: value(v)}
			if !plain {
				at, _, err := open.Time(k)
				if err != nil {
					return err
				}
				r.TS = msOf(at)
			}
			rows = append(rows, r)
			return nil
		}
		if q != nil && q.Op == "get" {
			k, _ := any(q.key).(K)
			v, ok, err := open.Get(k)
			if ok && err == nil {
				err = add(k, v)
			}
			return rows, err
		}
		for k, v := range part(open, q) {
			if err := add(k, v); err != nil {
				return nil, err
			}
		}
		if q != nil && strings.HasPrefix(q.Op, "reverse") && (q.from == nil) != (q.to == nil) {
			slices.Reverse(rows)
		}
		return rows, open.Err()
	}
}

// part is what a query asks for of a key-value store, by the way to ask for it.
func part[K, V any](open *state.KeyValue[K, V], q *ask) iter.Seq2[K, V] {
	if q == nil {
		return open.All()
	}
	from, _ := any(q.from).(K)
	to, _ := any(q.to).(K)
	switch backward := strings.HasPrefix(q.Op, "reverse"); {
	case q.from != nil && q.to != nil && backward:
		return open.RangeBackward(from, to)
	case q.from != nil && q.to != nil:
		return open.Range(from, to)
	case q.from != nil:
		return open.From(from)
	case q.to != nil:
		return open.To(to)
	case backward:
		return open.Backward()
	}
	return open.All()
}

func msOf(at time.Time) *int64 {
	ms := at.UnixMilli()
	return &ms
}

// dumpWindows reads a window store through the driver. Rows of plain stores have
// no time.
func dumpWindows[V any](st state.Typed[*datum, V], plain bool, value func(V) *datum) dump {
	return func(d *streamtest.Driver, q *ask) ([]row, error) {
		open := d.Window(st)
		rows := []row{}
		add := func(k, in *datum, start time.Time, v V) error {
			r := row{Key: k, Value: value(v)}
			if !plain {
				at, _, err := open.Time(in, start)
				if err != nil {
					return err
				}
				r.TS = msOf(at)
			}
			rows = append(rows, r)
			return nil
		}
		if q != nil && q.Op == "get" {
			start := time.UnixMilli(q.Start)
			v, ok, err := open.Get(q.key, start)
			if ok && err == nil {
				err = add(q.key, q.key, start, v)
			}
			return rows, err
		}
		if q != nil && q.Op != "fetchAll" && q.Op != "all" {
			fetch := open.Fetch
			if q.Op == "backwardFetch" {
				fetch = open.FetchBackward
			}
			for start, v := range fetch(q.key, time.UnixMilli(q.TimeFrom), time.UnixMilli(q.TimeTo)) {
				if err := add(num(start.UnixMilli()), q.key, start, v); err != nil {
					return nil, err
				}
			}
			return rows, open.Err()
		}
		all := open.All()
		if q != nil && q.Op == "fetchAll" {
			all = open.Between(time.UnixMilli(q.TimeFrom), time.UnixMilli(q.TimeTo))
		}
		for k, v := range all {
			if err := add(fromKey(k), k.Key, k.Start(), v); err != nil {
				return nil, err
			}
		}
		slices.SortStableFunc(rows, func(a, b row) int {
			return cmp.Or(cmp.Compare(a.Key.inner.String(), b.Key.inner.String()), cmp.Compare(a.Key.span.StartMS, b.Key.span.StartMS))
		})
		return rows, open.Err()
	}
}

// dumpSessions reads a session store through the driver.
func dumpSessions[V any](st state.Typed[*datum, V], value func(V) *datum) dump {
	return func(d *streamtest.Driver, q *ask) ([]row, error) {
		open := d.Session(st)
		rows := []row{}
		if q == nil {
			for k, v := range open.All() {
				rows = append(rows, row{Key: fromKey(k), Value: value(v)})
			}
			return rows, open.Err()
		}
		found := open.Fetch(q.key)
		if q.Op == "findSessions" {
			found = open.Find(q.key, time.UnixMilli(q.TimeFrom), time.UnixMilli(q.TimeTo))
		}
		for span, v := range found {
			rows = append(rows, row{Key: inWindow(q.key, span), Value: value(v)})
		}
		return rows, open.Err()
	}
}

// dumpGlobal reads a global table through the driver.
func dumpGlobal(t stream.GlobalTable[*datum, *datum]) dump {
	return func(d *streamtest.Driver, q *ask) ([]row, error) {
		view := d.Global(t)
		rows := []row{}
		for k, v := range view.All() {
			if q != nil && q.Op == "get" && k.String() != q.key.String() {
				continue
			}
			at, _, err := view.Time(k)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row{k, v, msOf(at)})
		}
		return rows, nil
	}
}
