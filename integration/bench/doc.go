// Command bench measures brokers from outside, one after the other, with the
// same client: leat's (which leaves its records to the operating system, and
// which syncs them before it acknowledges), Apache Kafka, and kfake, a broker in
// Go for tests that keeps all in memory.
//
// It measures rates of writing and reading, the CPU time and memory that the
// broker takes for it, how long an acknowledgement takes, and the start, idling
// and stop of a broker. In each round all brokers have their turn, each in a new
// process on an empty disk; before anything counts, the same work is done once,
// so that a virtual machine has compiled it. The result is the median of the
// rounds, as a table in Markdown; each single measurement is a line of JSON.
//
// The machine has to be idle otherwise. The table says how much of its CPU time
// went elsewhere. run.sh builds and fetches what is measured.
package main
