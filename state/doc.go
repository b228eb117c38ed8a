// Package state declares stores and is what a processor reads and writes in
// them.
//
// A [Store] is declared once, as a package variable, with its name and its
// serdes; its name is the name of the changelog topic that restores it, so keep
// it when you edit the topology around it. A [KeyValue] is a store that a task
// has opened: a typed cache over the task's part of the state on disk.
//
// The package doesn't run anything. Packages stream and table take
// declarations; where a store's bytes lie is the engine's business.
package state
