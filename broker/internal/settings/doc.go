// Package settings is the one table of what can be set: the broker's settings,
// the configs of topics and those of groups, under Kafka's names, with type,
// default, range, and what each does in this broker.
//
// A [View] is what holds at one moment: what was given at the start, over it
// what clients have changed since, and the defaults below. The package doesn't
// know where settings come from, nor who may change them; [ParseProperties]
// reads them from text in the form of a server.properties.
package settings
