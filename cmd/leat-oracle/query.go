package main

import (
	"cmp"
	"slices"
	"strings"
)

// query answers a question about a store from all of its rows. What is tested by
// that is what the store holds, not the ways to ask.
func (r *run) query(q *query) error {
	read, ok := r.b.dumps[q.Store]
	if !ok {
		return unsupported("query of store %s", q.Store)
	}
	rows, err := read(r.d)
	if err != nil {
		return err
	}
	key, err := parse(r.keyType(), q.Key)
	if err != nil {
		return err
	}
	a := answer{Store: q.Store, Op: q.Op}
	switch q.Op {
	case "get":
		a.Result = first(rows, func(x row) bool {
			if x.Key.is(windowed) {
				return x.Key.inner.String() == key.String() && x.Key.span.StartMS == q.Start
			}
			return x.Key.String() == key.String()
		}, key)
	case "all", "reverseAll", "range", "reverseRange":
		from, err := parse(r.keyType(), q.From)
		if err != nil {
			return err
		}
		to, err := parse(r.keyType(), q.To)
		if err != nil {
			return err
		}
		rows = keep(rows, func(x row) bool {
			return (from == nil || x.Key.String() >= from.String()) && (to == nil || x.Key.String() <= to.String())
		})
		a.Result = ordered(rows, strings.HasPrefix(q.Op, "reverse"))
	case "fetch", "backwardFetch", "fetchAll":
		rows = keep(rows, func(x row) bool {
			s, session := x.Key.span.StartMS, x.TS == nil
			return (q.Op == "fetchAll" || x.Key.inner.String() == key.String()) && (session || s >= q.TimeFrom && s <= q.TimeTo)
		})
		slices.SortFunc(rows, func(a, b row) int {
			return cmp.Or(cmp.Compare(a.Key.inner.String(), b.Key.inner.String()), cmp.Compare(a.Key.span.StartMS, b.Key.span.StartMS))
		})
		a.Result = ordered(byStart(rows, q.Op), q.Op == "backwardFetch")
	default:
		return unsupported("query %s", q.Op)
	}
	r.out.Queries = append(r.out.Queries, a)
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

// first is the row that is asked for, under the key that it was asked by.
func first(rows []row, is func(row) bool, key *datum) any {
	if i := slices.IndexFunc(rows, is); i >= 0 {
		return row{key, rows[i].Value, rows[i].TS}
	}
	return nil
}

// byStart gives windows of one key the start for a key.
func byStart(rows []row, op string) []row {
	for i, x := range rows {
		if op != "fetchAll" && x.TS != nil {
			rows[i].Key = num(x.Key.span.StartMS)
		}
	}
	return rows
}

func keep(rows []row, is func(row) bool) []row {
	return slices.DeleteFunc(rows, func(x row) bool { return !is(x) })
}

func ordered(rows []row, reverse bool) []row {
	if reverse {
		slices.Reverse(rows)
	}
	return rows
}
