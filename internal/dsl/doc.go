// Package dsl is what the public packages stream, table and state are made of:
// typed handles of nodes that are not there yet, the builder that collects
// them, and the typed records that flow between them when a task runs.
//
// It is the border between types and bytes. Above it everything knows K and V;
// below it the engine knows names, bytes and times. A node is added twice at
// once: to the untyped graph, and as a function that hangs its closures into a
// task.
package dsl
