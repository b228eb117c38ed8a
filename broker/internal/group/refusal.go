package group

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// refusal is an error that a member is told: a code, and why.
type refusal struct {
	kafka *kerr.Error
	why   string
}

// Refuse returns an error to be told to a member.
func Refuse(code *kerr.Error, why string) error { return &refusal{code, why} }

func (r *refusal) Error() string { return r.why }

func (r *refusal) Unwrap() error { return r.kafka }

// Refusal is the code and the text of an error by Refuse, and that of an unknown
// server error for others.
func Refusal(err error) (int16, *string) {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.kafka.Code, &r.why
	}
	return kerr.UnknownServerError.Code, nil
}
