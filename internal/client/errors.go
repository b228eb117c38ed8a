package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/record"
)

var (
	// ErrClosed is what calls return after Close.
	ErrClosed = errors.New("client closed")
	// ErrFenced marks the error of a commit by a member that the group no
	// longer knows or that has fallen behind: its partitions belong to others
	// now, and what it did since its last commit must be thrown away.
	ErrFenced = errors.New("no longer a member of the group's current generation")
	// ErrRebalancing marks the error of a commit that came in the middle of a
	// rebalance. Nothing was committed; it may be tried again after it.
	ErrRebalancing = errors.New("the group is rebalancing")
	// ErrJoin marks the failure to join the group, or to stay in it. The client
	// goes on trying.
	ErrJoin = errors.New("can't join the group")
	// ErrDropped marks the error of a Session of which a record was dropped
	// though nobody gave it up: it was in one batch with a record of another
	// session that was. What the session wrote has to be written once more,
	// from the last commit on; see Group.Renounce.
	ErrDropped = errors.New("dropped together with records of a task that was given up")
	// ErrUnreachable marks the failure to reach any broker.
	ErrUnreachable = errors.New("no broker reachable")
	// ErrUnknownTopic marks the use of a topic that doesn't exist.
	ErrUnknownTopic = errors.New("unknown topic")
)

// A PartitionError is the failure to read or commit a partition.
type PartitionError struct {
	record.TopicPartition
	Op  string // "fetch", "commit", "list offsets"
	Err error
}

func (e *PartitionError) Error() string {
	return fmt.Sprintf("client: %s of %s: %v", e.Op, e.TopicPartition, e.Err)
}

// Unwrap returns what went wrong.
func (e *PartitionError) Unwrap() error { return e.Err }

// A SendError is the failure to write a record. It is kept by the record's
// Session.
type SendError struct {
	record.TopicPartition       // the partition is -1 if it wasn't chosen yet
	Size                  int   // of key and value, in bytes
	Err                   error // what went wrong
}

func (e *SendError) Error() string {
	hint := ""
	switch {
	case errors.Is(e.Err, kerr.MessageTooLarge):
		hint = fmt.Sprintf("; the record has %d bytes: raise the topic's max.message.bytes and the client's batch size, or write less", e.Size)
	case errors.Is(e.Err, kerr.UnknownTopicOrPartition), errors.Is(e.Err, kerr.UnknownTopicID):
		hint = "; create the topic first"
	case errors.Is(e.Err, kgo.ErrRecordTimeout):
		hint = "; it was not acknowledged within the delivery timeout"
	}
	at := e.TopicPartition.String()
	if e.Partition < 0 {
		at = e.Topic
	}
	return fmt.Sprintf("client: send to %s: %v%s", at, e.Err, hint)
}

// Unwrap returns what went wrong.
func (e *SendError) Unwrap() error { return e.Err }

// commitError types a failure to commit, for one partition or all of them.
func commitError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.UnknownMemberID),
		errors.Is(err, kerr.FencedInstanceID), errors.Is(err, kerr.FencedMemberEpoch),
		errors.Is(err, kerr.StaleMemberEpoch):
		return fmt.Errorf("%w: %w", ErrFenced, err)
	case errors.Is(err, kerr.RebalanceInProgress):
		return fmt.Errorf("%w: %w", ErrRebalancing, err)
	}
	return closedError(err)
}

// closedError translates the library's word for a closed client.
func closedError(err error) error {
	if errors.Is(err, kgo.ErrClientClosed) {
		return ErrClosed
	}
	return err
}

// unreachable says of a failed first request that nobody answered, and where.
func unreachable(brokers []string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var ke *kerr.Error
	if errors.As(err, &ke) { // somebody did answer
		return fmt.Errorf("client: %s: %w", strings.Join(brokers, ", "), err)
	}
	return fmt.Errorf("client: %w at %s: %w", ErrUnreachable, strings.Join(brokers, ", "), err)
}

// Transient tells whether err may be gone when the same is tried again: nobody
// answered, or who did wasn't able to right now.
func Transient(err error) bool {
	// The library leaves it to its callers what to do about a refused
	// connection, which is what a broker that is being restarted answers.
	var op *net.OpError
	// A broker that ends before its first answer looks to the library as one
	// that wants another way to log in; but one has answered before.
	var first *kgo.ErrFirstReadEOF
	return errors.As(err, &first) || kgo.IsRetryableBrokerErr(err) || kerr.IsRetriable(err) ||
		errors.As(err, &op) && op.Op == "dial" ||
		errors.Is(err, ErrUnreachable) || errors.Is(err, context.DeadlineExceeded)
}
