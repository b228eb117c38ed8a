package main

import (
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
)

// versioned declares a store with a history, and remembers it for queries.
func (b *builder) versioned(name string, history int64) state.Store[*datum, *datum] {
	if name == "" {
		name = b.unique("versioned")
	}
	st := state.New(name, serde.Serde[*datum](tagged{}), serde.Serde[*datum](tagged{}), state.Versioned(ms(history)))
	b.kv[name] = st
	return st
}

// versionedTable is a source table with a history.
func (b *builder) versionedTable(op *operator) any {
	from := topic.New(op.Topic, serde.Serde[*datum](typed(op.Key)), serde.Serde[*datum](typed(op.Value)))
	return plainTable(b.b.Table(from, b.versioned(op.Store, *op.VersionedHistoryMs)))
}

// joinStreamTable is the joins of a stream with a table.
func (b *builder) joinStreamTable(op *operator, l streamNode, r tableNode[*datum], f func(k, l, r *datum) *datum) any {
	s := b.partitionedAll(l, op.Type == "left")
	var how []stream.TableJoin
	if op.GraceMs != nil {
		how = append(how, stream.JoinGrace(ms(*op.GraceMs), state.New(b.unique("buffer"), serde.Serde[*datum](tagged{}), serde.Serde[*datum](tagged{}))))
	}
	if op.Type == "left" {
		return streamNode{s.LeftJoinTableWithKey(r.Table, func(k, l, r *datum, _ bool) *datum { return f(k, l, r) }, how...), false}
	}
	return streamNode{s.JoinTableWithKey(r.Table, f, how...), false}
}

// version is an answer to a query of a versioned store. Kafka Streams doesn't
// tell until when a version holds.
type version struct {
	row
	ValidTo *int64 `json:"validTo"`
}

// queryVersioned answers a question about a store with a history.
func (r *run) queryVersioned(q *query, st state.Store[*datum, *datum]) error {
	key, err := parse(r.keyType(), q.Key)
	if err != nil {
		return err
	}
	open := r.d.Versioned(st)
	a := answer{Store: q.Store, Op: q.Op}
	var v state.Version[*datum]
	var ok bool
	switch q.Op {
	case "get":
		v, ok, err = open.Get(key)
	case "getAsOf":
		v, ok, err = open.AsOf(key, time.UnixMilli(q.AsOf))
	default:
		return unsupported("query %s of a versioned store", q.Op)
	}
	if err != nil {
		return err
	}
	if ok {
		at := v.From.UnixMilli()
		a.Result = version{row: row{Key: key, Value: v.Value, TS: &at}}
	}
	r.out.Queries = append(r.out.Queries, a)
	return nil
}
