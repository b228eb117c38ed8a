package stream

import (
	"errors"
	"fmt"
	"time"

	"github.com/leatstream/leat/internal/task"
)

// Stage is where a record failed.
type Stage string

// The stages.
const (
	// Decode: its bytes are not what the topic's serde expects.
	Decode Stage = "decode"
	// Process: a function of yours returned an error or panicked.
	Process Stage = "process"
	// Encode: a result is not what a serde can encode.
	Encode Stage = "encode"
	// State: the disk or the broker failed. No action can go past it.
	State Stage = "state"
)

// RecordError is a record that could not be processed. [Config.OnError] is asked
// what to do about it; if the app stops, Run returns it.
type RecordError struct {
	Stage    Stage
	Operator string // the operator and its store or topic: "Stream(flights)"
	Task     string // sub-topology and partition: "0_3"; "global" for a global table
	// Topic, Partition and Offset are the record's; the topic is "" if the
	// failure was between records, in a punctuation or a commit. There is no
	// record to skip then, so the app stops without OnError being asked.
	Topic     string
	Partition int32
	Offset    int64
	Time      time.Time
	Err       error
	// Attempt is how often the operator has failed for this record, from 1.
	Attempt int
}

// Error says what failed, where, and what now.
func (e *RecordError) Error() string {
	where := "between records"
	if e.Topic != "" {
		where = fmt.Sprintf("record at topic %s, partition %d, offset %d", e.Topic, e.Partition, e.Offset)
	}
	return fmt.Sprintf("%s in %s (task %s), %s: %v", e.Stage, e.Operator, e.Task, where, e.Err)
}

// Unwrap is the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// Action is what becomes of a record that could not be processed.
type Action uint8

const (
	// Fail stops the app; Run returns the *RecordError. The record is not
	// committed, so nothing is lost and the next start meets it again.
	Fail Action = iota
	// Skip counts the record as dropped and goes on.
	Skip
	// DeadLetter writes the record to [Config.DeadLetterTopic], as it came and
	// with the reason in its headers, counts it and goes on. Config.OnError and
	// OnDrop return it; between records it is as Skip.
	DeadLetter
	// Retry calls the function of the operator again, after
	// [Config.RetryBackoff]. What it did before it failed (rows that it put,
	// records that it forwarded) stays done. It is for the stage Process; for
	// any other it is as Fail. The worker waits, and so do its other tasks: it
	// is for what passes soon.
	Retry
)

// Retries is an OnError that tries n times more before it does what then says.
// What can't be tried again is left to then at once.
func Retries(n int, then Action) func(*RecordError) Action {
	return func(e *RecordError) Action {
		if e.Stage == Process && e.Attempt <= n {
			return Retry
		}
		return then
	}
}

// The headers of a dead letter, beside those that the record had.
const (
	HeaderReason    = task.HeaderReason    // "decode", "process" or "encode"; or why it was dropped
	HeaderError     = task.HeaderError     // text of the error, if there was one
	HeaderOperator  = task.HeaderOperator  // as RecordError.Operator
	HeaderTopic     = task.HeaderTopic     // where the record was
	HeaderPartition = task.HeaderPartition // decimal
	HeaderOffset    = task.HeaderOffset    // decimal
)

// Policy is Config.OnError in the terms of a task. It is for leat's own packages.
func Policy(policy func(*RecordError) Action) func(*task.Failure) (task.Action, error) {
	return func(f *task.Failure) (task.Action, error) {
		e := recordError(f)
		if policy == nil || f.Final {
			return task.Fail, e
		}
		switch policy(e) {
		case Retry:
			return task.Retry, e
		case Skip:
			return task.Skip, nil
		case DeadLetter:
			return task.DeadLetter, nil
		}
		return task.Fail, e
	}
}

func recordError(f *task.Failure) *RecordError {
	e := &RecordError{
		Stage:    map[task.FailureKind]Stage{task.FailedDecode: Decode, task.FailedProcess: Process, task.FailedEncode: Encode, task.FailedStore: State}[f.Kind],
		Operator: f.Operator, Task: f.Task.String(),
		Topic: f.Topic, Partition: f.Partition, Offset: f.Offset, Time: time.UnixMilli(f.Time).UTC(), Err: f.Err, Attempt: f.Attempt,
	}
	if e.Operator == "" {
		e.Operator = "a function of the topology"
	}
	if f.Task.Sub < 0 {
		e.Task = "global"
	}
	return e
}

// wrap gives a failure that came up through the engine its public type.
func wrap(err error) error {
	var public *RecordError
	var f *task.Failure
	if errors.As(err, &public) || !errors.As(err, &f) {
		return err
	}
	return recordError(f)
}
