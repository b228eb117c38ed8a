package client

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/leatstream/leat/internal/clock"
)

// Credentials gets tokens by the grant of client credentials.
type Credentials struct {
	TokenURL     string
	ClientID     string
	ClientSecret string
	Scopes       []string
	Params       url.Values
	HTTP         *http.Client
}

// Token gets a token.
func (c Credentials) Token(ctx context.Context) (string, time.Time, error) {
	if c.TokenURL == "" || c.ClientID == "" {
		return "", time.Time{}, errors.New("client credentials: the token URL and the client id must be set")
	}
	return getToken(ctx, c.HTTP, &clientcredentials.Config{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, TokenURL: c.TokenURL,
		Scopes: c.Scopes, EndpointParams: c.Params,
	})
}

// httpTimeout is for how long a server of tokens may leave a request unanswered.
const httpTimeout = 30 * time.Second

func getToken(ctx context.Context, via *http.Client, c *clientcredentials.Config) (string, time.Time, error) {
	if via == nil {
		via = &http.Client{Timeout: httpTimeout}
	}
	t, err := c.Token(context.WithValue(ctx, oauth2.HTTPClient, via))
	if err != nil {
		return "", time.Time{}, err
	}
	return t.AccessToken, t.Expiry, nil
}

// JWTBearer gets tokens by the JWT bearer grant.
type JWTBearer struct {
	TokenURL  string
	Assertion func(context.Context) (string, error)
	Key       crypto.Signer
	KeyID     string
	Issuer    string
	Subject   string
	Audience  string
	Lifetime  time.Duration
	Claims    map[string]any
	Scopes    []string
	Params    url.Values
	HTTP      *http.Client
	Clock     clock.Clock
}

// bearerGrant is the grant's name in RFC 7523.
const bearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// Token gets a token.
func (j JWTBearer) Token(ctx context.Context) (string, time.Time, error) {
	if j.TokenURL == "" {
		return "", time.Time{}, errors.New("JWT bearer: the token URL must be set")
	}
	assertion := j.Assertion
	if assertion == nil {
		assertion = func(context.Context) (string, error) { return j.sign() }
	}
	a, err := assertion(ctx)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("JWT bearer: make an assertion: %w", err)
	}
	params := url.Values{}
	maps.Copy(params, j.Params)
	params.Set("grant_type", bearerGrant)
	params.Set("assertion", a)
	return getToken(ctx, j.HTTP, &clientcredentials.Config{
		TokenURL: j.TokenURL, Scopes: j.Scopes, EndpointParams: params,
		// The assertion says who the client is.
		AuthStyle: oauth2.AuthStyleInParams,
	})
}

// sign makes an assertion.
func (j JWTBearer) sign() (string, error) {
	if j.Key == nil || j.Issuer == "" {
		return "", errors.New("neither an assertion nor a key and an issuer are given")
	}
	alg, err := algorithm(j.Key)
	if err != nil {
		return "", err
	}
	opts := (&jose.SignerOptions{}).WithType("JWT")
	if j.KeyID != "" {
		opts = opts.WithHeader(jose.HeaderKey("kid"), j.KeyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: j.Key}, opts)
	if err != nil {
		return "", err
	}
	now := clock.Or(j.Clock).Now()
	std := jwt.Claims{
		Issuer: j.Issuer, Subject: or(j.Subject, j.Issuer), Audience: jwt.Audience{or(j.Audience, j.TokenURL)},
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-time.Minute)), // clocks differ
		Expiry: jwt.NewNumericDate(now.Add(or(j.Lifetime, 5*time.Minute))), ID: rand.Text(),
	}
	b := jwt.Signed(signer)
	if len(j.Claims) > 0 {
		b = b.Claims(j.Claims)
	}
	return b.Claims(std).Serialize()
}

// algorithm is how a key signs.
func algorithm(k crypto.Signer) (jose.SignatureAlgorithm, error) {
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return jose.RS256, nil
	case ed25519.PrivateKey:
		return jose.EdDSA, nil
	case *ecdsa.PrivateKey:
		if k.Curve.Params().BitSize == 256 {
			return jose.ES256, nil
		}
	}
	return "", fmt.Errorf("a key of type %T can't sign here: use RSA, ECDSA with P-256, or Ed25519", k)
}
