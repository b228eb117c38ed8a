package stream

import (
	"strconv"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/window"
)

// cogroupInput is one stream of a Cogrouped. Behind it is the type of the
// stream's values, which no one else needs to know.
type cogroupInput[K, A any] interface {
	node() *topology.Node
	plain(init func() A) func(*task.Task, *topology.Node, *dsl.Rows[K, A])
	windowed(w window.Fixed, clock string, init func() A) func(*task.Task, *topology.Node, *dsl.Rows[window.Key[K], A])
	sliding(w window.Slides, clock string, init func() A) func(*task.Task, *topology.Node, *cells[K, A])
	sessions(w window.Sessions, clock string, init func() A, merge func(K, A, A) A) func(*task.Task, *topology.Node, *cells[K, A])
}

type cogroupStream[K, V, A any] struct {
	in  *dsl.StreamDef[K, V]
	add func(K, V, A) A
}

func (s cogroupStream[K, V, A]) node() *topology.Node { return s.in.Node }

func (s cogroupStream[K, V, A]) plain(init func() A) func(*task.Task, *topology.Node, *dsl.Rows[K, A]) {
	return plainFeed(s.in, adding(init, s.add))
}

func (s cogroupStream[K, V, A]) windowed(w window.Fixed, clock string, init func() A) func(*task.Task, *topology.Node, *dsl.Rows[window.Key[K], A]) {
	return windowFeed(s.in, w, clock, adding(init, s.add))
}

func (s cogroupStream[K, V, A]) sliding(w window.Slides, clock string, init func() A) func(*task.Task, *topology.Node, *cells[K, A]) {
	return slidingFeed(s.in, w, clock, adding(init, s.add))
}

func (s cogroupStream[K, V, A]) sessions(w window.Sessions, clock string, init func() A, merge func(K, A, A) A) func(*task.Task, *topology.Node, *cells[K, A]) {
	return sessionFeed(s.in, w, clock, init,
		func(k K, v V, row A, _ bool) A { return s.add(k, v, row) },
		func(k K, a, b A, _ bool) A { return merge(k, a, b) })
}

// clockOf names the stream time of an input.
func clockOf(i int) string { return "/" + strconv.Itoa(i) }

// nodes are those of the inputs.
func (c Cogrouped[K, A]) nodes() []*topology.Node {
	nodes := make([]*topology.Node, len(c.inputs))
	for i, in := range c.inputs {
		nodes[i] = in.node()
	}
	return nodes
}

// cogroup adds an aggregation of all inputs; feed subscribes it to one.
func cogroup[KR, K, A any](c Cogrouped[K, A], a dsl.Aggregation[KR, A], feed func(in cogroupInput[K, A], clock string) func(*task.Task, *topology.Node, *dsl.Rows[KR, A])) *dsl.TableDef[KR, A] {
	nodes := c.nodes()
	a.Input, a.More = nodes[0], nodes[1:]
	a.Feed = func(t *task.Task, n *topology.Node, rows *dsl.Rows[KR, A]) {
		for i, in := range c.inputs {
			feed(in, clockOf(i))(t, n, rows)
		}
	}
	return a.Build(c.b)
}

// cogroupCells is cogroup for windows that depend on the records.
func cogroupCells[K, A any](c Cogrouped[K, A], a cellAggregation[K, A], feed func(in cogroupInput[K, A], clock string) func(*task.Task, *topology.Node, *cells[K, A])) table.Table[window.Key[K], A] {
	a.inputs = c.nodes()
	a.feed = func(t *task.Task, n *topology.Node, rows *cells[K, A]) {
		for i, in := range c.inputs {
			feed(in, clockOf(i))(t, n, rows)
		}
	}
	return table.Table[window.Key[K], A](dsl.NewTable(a.build(c.b)))
}
