// Package assign decides which member of a group runs which task.
//
// Plan is a pure function: it is called by the leader of a group during a
// rebalance, with what every member said of itself, and returns who shall run
// what. It knows nothing of topics, offsets to commit or the Kafka protocol;
// the client carries its input and output as bytes (see Subscription), and a
// plan that moves a running task is made cooperative there, in two rebalances.
//
// Four things are wanted, in this order:
//
//  1. Every task is assigned exactly once.
//  2. Balance: each sub-topology is spread over the members in proportion to
//     their capacity, and so are the stateful tasks together, and all tasks
//     together. Between members of equal capacity none of the three counts
//     differs by more than one.
//  3. Stickiness: within what balance allows a task stays where it runs, and a
//     task that has to go somewhere goes where most of its state is.
//  4. Determinism: the order of the arguments never matters, and a plan that
//     was carried out is a plan's own result (nothing moves twice).
//
// There are no standby tasks and no warm-up of a task before it moves yet. A
// Member says how much state it has of tasks that it doesn't run, which is all
// that these will need.
package assign
