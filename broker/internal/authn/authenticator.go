package authn

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/leatstream/leat/internal/clock"
)

// Options configures an Authenticator. All fields but Tokens are required.
type Options struct {
	Clock clock.Clock
	// Credential finds what is stored of a user.
	Credential func(user, mechanism string) (Credential, bool)
	// Tokens checks the tokens of OAUTHBEARER; nil refuses them all.
	Tokens *Verifier
}

// Authenticator starts SASL exchanges. It is safe for concurrent use.
type Authenticator struct {
	opt    Options
	secret []byte        // makes up credentials for users that there aren't
	hashes chan struct{} // limits how many passwords are hashed at once
}

// hashesAtOnce keeps clients that try passwords from taking all processors.
const hashesAtOnce = 2

// New returns an Authenticator.
func New(o Options) *Authenticator {
	a := &Authenticator{opt: o, secret: make([]byte, 32), hashes: make(chan struct{}, hashesAtOnce)}
	rand.Read(a.secret) // never fails
	return a
}

// Identity is who a client has proved to be.
type Identity struct {
	User string
	// Expires is when the proof ends, for instance that of a token. Zero is
	// never.
	Expires time.Time
}

// Exchange is one SASL conversation. It is used by one goroutine at a time.
type Exchange interface {
	// Step takes what the client has sent and returns what to send back. The
	// identity is not nil once the client has proved it; the answer that comes
	// with it must still be sent. An error ends the exchange.
	Step(ctx context.Context, in []byte) (out []byte, id *Identity, err error)
	// Failed is the error that Step will return next, if that is known: a
	// client may go away instead of asking.
	Failed() error
}

// ErrRefused is matched by errors that are the client's fault. Their text may be
// shown to the client: it doesn't tell what exactly was wrong.
var ErrRefused = errors.New("authentication failed")

// refusal is an ErrRefused with a cause that only the operator sees.
type refusal struct {
	text  string
	cause error
}

func (r *refusal) Error() string { return r.text }

func (r *refusal) Unwrap() []error {
	if r.cause == nil {
		return []error{ErrRefused}
	}
	return []error{ErrRefused, r.cause}
}

// Cause is what the operator should know of a refusal.
func Cause(err error) error {
	if r, ok := errors.AsType[*refusal](err); ok && r.cause != nil {
		return r.cause
	}
	return err
}

// Start starts an exchange; nil if there is no such mechanism.
func (a *Authenticator) Start(mechanism string) Exchange {
	switch mechanism {
	case Plain:
		return &plainExchange{a}
	case ScramSHA256, ScramSHA512:
		return newScram(a, mechanism)
	case OAuthBearer:
		return &bearerExchange{a: a}
	default:
		return nil
	}
}
