package batch

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrCorrupt is matched by errors about bytes that are not a batch.
var ErrCorrupt = errors.New("corrupt batch")

// Error is a refusal with the code that Kafka's protocol has for it. It is
// returned by all of the broker's storage for what a client can be told.
type Error struct {
	Kafka   *kerr.Error // the code; never nil
	Message string      // what is wrong and where, for the client's eyes
	Records []RecordError
	Cause   error // for the broker's log; may be nil
}

// RecordError says which record of a batch was refused.
type RecordError struct {
	Index   int32 // in the batch, from 0
	Message string
}

// maxRecordErrors is how many bad records of a batch are told apart: the
// answer must not be larger than the question.
const maxRecordErrors = 3

// Errorf makes an Error with the given code.
func Errorf(code *kerr.Error, format string, args ...any) *Error {
	return &Error{Kafka: code, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	s := e.Kafka.Message + ": " + e.Message
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap makes an Error match its *kerr.Error and its cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kafka}
	}
	return []error{e.Kafka, e.Cause}
}

// Code is the error's number in the protocol.
func (e *Error) Code() int16 { return e.Kafka.Code }

// CodeOf is the protocol's number for err: 0 for nil, that of an *Error or
// *kerr.Error in its chain, and UNKNOWN_SERVER_ERROR (-1) for any other.
func CodeOf(err error) int16 {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code()
	}
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		return e.Code
	}
	return kerr.UnknownServerError.Code
}
