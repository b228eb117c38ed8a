package main

import (
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
		})
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
			s := x.Key.span.StartMS
			return (q.Op == "fetchAll" || x.Key.inner.String() == key.String()) && s >= q.TimeFrom && s <= q.TimeTo
		})
		a.Result = ordered(rows, q.Op == "backwardFetch")
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

func first(rows []row, is func(row) bool) any {
	if i := slices.IndexFunc(rows, is); i >= 0 {
		return rows[i]
	}
	return nil
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
