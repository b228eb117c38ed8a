package main

import (
	"fmt"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/table"
)

// bufferSpec bounds what a suppressed table keeps back.
type bufferSpec struct {
	MaxRecords int64
	WhenFull   string
}

// suppress keeps changes of a table back. Kafka Streams finds the grace of its
// windows by itself.
func (n tableNode[K]) suppress(b *builder, op *operator) (any, error) {
	var how table.Suppression
	if op.UntilWindowCloses {
		w, err := b.windowOf(op)
		if err != nil {
			return nil, err
		}
		how = table.UntilWindowCloses(w)
	} else if op.UntilTimeLimitMs != nil {
		how = table.UntilTimeLimit(ms(*op.UntilTimeLimitMs))
	}
	if op.Buffer.MaxRecords > 0 {
		how = how.MaxRecords(op.Buffer.MaxRecords)
	}
	if op.Buffer.WhenFull == "shutDown" {
		how = how.ShutDownWhenFull()
	}
	name := op.Name
	if name == "" {
		name = "suppressed"
	}
	return n.with(n.Suppress(state.New(b.unique(name), n.key, serde.Serde[*datum](tagged{})), how)), nil
}

// windowOf finds the windows of the aggregation before an operator.
func (b *builder) windowOf(op *operator) (table.Window, error) {
	for len(op.From) > 0 {
		from := op.From[0]
		op = nil
		for i := range b.c.Topology {
			if b.c.Topology[i].ID == from {
				op = &b.c.Topology[i]
			}
		}
		if op == nil {
			break
		}
		if op.Op != "windowedBy" {
			continue
		}
		switch op.Window.Type {
		case "session":
			return op.Window.sessions(&operator{}), nil
		case "sliding":
			return op.Window.sliding(&operator{}), nil
		}
		return op.Window.fixed(&operator{}), nil
	}
	return nil, fmt.Errorf("there is no window before it")
}

// emits is a table that is told of on commit, where Kafka would have it in a
// cache: it has none for versions.
func emits[K any](b *builder, op *operator, t table.Table[K, *datum]) table.Table[K, *datum] {
	if b.cached(op) && op.VersionedHistoryMs == nil {
		return t.EmitOnCommit()
	}
	return t
}
