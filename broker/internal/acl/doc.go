// Package acl decides who may do what: access control lists as Kafka's
// standard authorizer reads them.
//
// A [Binding] allows or denies a principal an operation on the resources that
// a pattern matches. [Rules] is an index of bindings that never changes;
// whoever stores the bindings makes a new one for each change. A [Policy] adds
// what isn't stored: super users, and what holds where there are no bindings.
//
// The package stores nothing, knows no requests, and doesn't find out who
// somebody is.
package acl
