package authn

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// VerifierOptions says which tokens are good. A token must be signed by one of
// Keys, unless AllowUnsecured, and must not have expired.
type VerifierOptions struct {
	Keys           *KeySet // may be nil with AllowUnsecured
	Issuer         string  // "" accepts any
	Audience       []string
	Claim          string        // the claim with the user's name; "" is sub
	Skew           time.Duration // how far clocks may be apart
	AllowUnsecured bool          // accept tokens without a signature
}

// Verifier checks the tokens of OAUTHBEARER: JSON web tokens (RFC 7519).
type Verifier struct{ opt VerifierOptions }

// NewVerifier returns a Verifier.
func NewVerifier(o VerifierOptions) *Verifier {
	if o.Claim == "" {
		o.Claim = "sub"
	}
	return &Verifier{o}
}

// algorithms are those of signatures made with a private key. A symmetric one
// would make everyone who can check tokens able to make them.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// maxToken bounds what is parsed.
const maxToken = 64 << 10

// Verify returns whom the token is for. The error matches ErrRefused.
func (v *Verifier) Verify(ctx context.Context, token string, now time.Time) (*Identity, error) {
	if len(token) > maxToken {
		return nil, &refusal{"invalid token", fmt.Errorf("a token of %d bytes", len(token))}
	}
	var std jwt.Claims
	all := map[string]any{}
	if err := v.claims(ctx, token, now, &std, &all); err != nil {
		return nil, &refusal{"invalid token", err}
	}
	if std.Expiry == nil {
		return nil, &refusal{"invalid token", errors.New("the token has no expiry (exp)")}
	}
	expected := jwt.Expected{Issuer: v.opt.Issuer, AnyAudience: v.opt.Audience, Time: now}
	if err := std.ValidateWithLeeway(expected, v.opt.Skew); err != nil {
		return nil, &refusal{"invalid token", err}
	}
	name, _ := all[v.opt.Claim].(string)
	if name == "" {
		return nil, &refusal{"invalid token", fmt.Errorf("the token has no claim %q with a name", v.opt.Claim)}
	}
	return &Identity{User: name, Expires: std.Expiry.Time()}, nil
}

// claims decodes the token's claims once its signature is found to be good.
func (v *Verifier) claims(ctx context.Context, token string, now time.Time, into ...any) error {
	if payload, ok := unsecured(token); ok {
		if !v.opt.AllowUnsecured {
			return errors.New("the token has no signature")
		}
		for _, to := range into {
			if err := json.Unmarshal(payload, to); err != nil {
				return fmt.Errorf("claims: %w", err)
			}
		}
		return nil
	}
	if v.opt.Keys == nil {
		return errors.New("no keys are configured to check signatures with")
	}
	t, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return err
	}
	id := t.Headers[0].KeyID
	keys, err := v.opt.Keys.find(ctx, id, now)
	if err != nil {
		return err
	}
	err = fmt.Errorf("no key has the id %q", id)
	for _, k := range keys {
		if k.Algorithm != "" && k.Algorithm != t.Headers[0].Algorithm {
			continue
		}
		if err = t.Claims(k.Key, into...); err == nil {
			return nil
		}
	}
	return err
}

// unsecured returns the payload of a token that says it has no signature.
func unsecured(token string) ([]byte, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[2] != "" {
		return nil, false
	}
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return nil, false
	}
	var h struct {
		Algorithm string `json:"alg"`
	}
	if json.Unmarshal(head, &h) != nil || h.Algorithm != "none" {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	return payload, err == nil
}
