package task

import "fmt"

// Action is what happens to a record that can't be processed.
type Action uint8

// The actions.
const (
	Fail       Action = iota // stop the application; nothing is lost
	Skip                     // count it and go on
	DeadLetter               // write its bytes and the reason to a topic, and go on
	Retry                    // call the function again
)

// FailureKind tells where a record failed.
type FailureKind uint8

// The kinds of failures.
const (
	FailedDecode  FailureKind = iota // its bytes are not what the serde expects
	FailedProcess                    // a function of the user's returned an error or panicked
	FailedEncode                     // a result can't be encoded
	FailedStore                      // the disk or the broker failed; never skipped
)

func (k FailureKind) String() string {
	return [...]string{"decode", "process", "encode", "store"}[k]
}

func (k FailureKind) reason() string {
	return [...]string{"undecodable", "failed", "unencodable", "store"}[k]
}

// Failure is a record that failed.
type Failure struct {
	Task      ID
	Kind      FailureKind
	Operator  string // label of the node, "" if unknown
	Topic     string // the record's, "" if it failed between records
	Partition int32
	Offset    int64
	Time      int64
	Err       error
	Attempt   int // how often the function has failed for this record, from 1
	// Final says that no action can go past it: there is no record to skip.
	Final bool
}

func (f *Failure) Error() string {
	return fmt.Sprintf("task %s: %s at %s-%d offset %d: %s failed: %v", f.Task, f.label(), f.Topic, f.Partition, f.Offset, f.Kind, f.Err)
}

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.Err }

func (f *Failure) label() string {
	if f.Operator != "" {
		return f.Operator
	}
	return "Source(" + f.Topic + ")"
}

// OpError tells the task which operator failed, and how.
type OpError struct {
	Operator string
	Kind     FailureKind
	Err      error
}

func (e *OpError) Error() string { return e.Operator + ": " + e.Err.Error() }

// Unwrap is the cause.
func (e *OpError) Unwrap() error { return e.Err }
