package dsl

import "github.com/leatstream/leat/internal/task"

// Within makes a port inside a node, for what the node hands to itself: each
// record succeeds or fails alone, as it does between nodes.
func Within[R any](t *task.Task) *Port[R] { return &Port[R]{task: t} }
