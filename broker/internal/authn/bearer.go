package authn

import (
	"bytes"
	"context"
	"strings"
)

// bearerExchange is OAUTHBEARER (RFC 7628): the client shows a token.
type bearerExchange struct {
	a      *Authenticator
	failed error // the client has been told, and has to confirm
}

// kvSeparator is what stands between the parts of the client's message; alone
// it is a client's answer to an error.
const kvSeparator = "\x01"

// invalidToken tells a client, in the way of the RFC, to get another token.
var invalidToken = []byte(`{"status":"invalid_token"}`)

// Step takes the token. What is wrong with it is told in a first answer, and
// the failure follows when the client has confirmed that.
func (x *bearerExchange) Step(ctx context.Context, in []byte) ([]byte, *Identity, error) {
	if x.failed != nil {
		return nil, nil, x.failed
	}
	authz, token, err := parseBearer(in)
	if err != nil {
		return nil, nil, err
	}
	id, err := x.a.verify(ctx, token)
	if err == nil && authz != "" && authz != id.User {
		err = &refusal{text: "the authorization id is not the token's principal"}
	}
	if err != nil {
		x.failed = &refusal{text: "Authentication failed: " + string(invalidToken), cause: Cause(err)}
		return invalidToken, nil, nil
	}
	return nil, id, nil
}

// Failed is why the token was refused, once the client has been told.
func (x *bearerExchange) Failed() error { return x.failed }

func (a *Authenticator) verify(ctx context.Context, token string) (*Identity, error) {
	if a.opt.Tokens == nil {
		return nil, &refusal{text: "no tokens are accepted"}
	}
	return a.opt.Tokens.Verify(ctx, token, a.opt.Clock.Now())
}

// parseBearer reads "n,a=NAME,", a separator, and key=value pairs of which one
// is auth.
func parseBearer(in []byte) (authz, token string, err error) {
	bad := &refusal{text: "Authentication failed: invalid OAUTHBEARER client first message"}
	head, rest, ok := strings.Cut(string(in), kvSeparator)
	if !ok || !bytes.HasSuffix(in, []byte(kvSeparator+kvSeparator)) {
		return "", "", bad
	}
	gs2 := strings.Split(head, ",")
	if len(gs2) != 3 || gs2[0] != "n" || gs2[2] != "" {
		return "", "", bad
	}
	if gs2[1] != "" {
		name, is := strings.CutPrefix(gs2[1], "a=")
		if !is {
			return "", "", bad
		}
		authz = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(name)
	}
	for kv := range strings.SplitSeq(rest, kvSeparator) {
		key, value, _ := strings.Cut(kv, "=")
		if key != "auth" {
			continue // an extension, such as the id of a logical cluster
		}
		scheme, t, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") || t == "" {
			return "", "", bad
		}
		token = strings.TrimSpace(t)
	}
	if token == "" {
		return "", "", bad
	}
	return authz, token, nil
}
