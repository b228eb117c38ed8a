// Package worker runs an application's tasks in one process: an Instance.
//
// It joins the application's group, takes the tasks that it is given, restores
// their state, feeds them records and commits what they did. It decides nothing
// about records (package task does) or about who runs what (package assign).
//
// # Goroutines
//
// One goroutine polls. It hands the records of a poll to the workers, a batch
// per partition at a time, and waits when none of them is short of records.
//
// Each worker is a goroutine that owns its tasks outright: nobody else calls a
// method of a task (but for its figures) from the moment the worker got it until
// it has given it back. Everything comes to it through a mailbox: records,
// tasks, answers, and the demand to give a task up.
//
// Restorers prepare tasks that were just assigned. The prober asks the brokers
// whether inputs that look empty are. The follower keeps global tables up to
// date. Callbacks of the group run on a goroutine of the client's, which
// waits for the workers where partitions are to be given up.
//
// Locks: Instance.mu and mailbox.mu, both leaves, held for no longer than it
// takes to look something up.
//
// # The life of a task here
//
// Its input partitions are assigned (rebalance.go), it waits until it has all
// of them, a restorer opens its database and reads the tail of its changelogs
// (restore.go), a worker runs it (loop.go) and commits it again and again
// (commit.go), until its partitions are revoked: it is committed and closed
// before they are given up. If they were lost, it is closed without a commit;
// and as soon as that is suspected (a commit was refused, see worker.fenced) it
// stops, as what it writes could come after what its new owner writes.
package worker
