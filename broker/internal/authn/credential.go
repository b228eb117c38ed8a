package authn

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	"hash"
)

// The mechanisms.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER"
)

// Bounds of the iterations of a credential, which are Kafka's. Fewer are too
// easily guessed, more would let an administrator's mistake stall logins.
const (
	MinIterations = 4096
	MaxIterations = 16384
)

// Credential is what the broker knows of one user's password, by one
// mechanism. The password can't be told from it.
type Credential struct {
	User       string `json:"user"`
	Mechanism  string `json:"mechanism"` // ScramSHA256 or ScramSHA512
	Salt       []byte `json:"salt"`
	Iterations int    `json:"iterations"`
	StoredKey  []byte `json:"storedKey"`
	ServerKey  []byte `json:"serverKey"`
}

// hashOf is the hash of a SCRAM mechanism; nil for any other.
func hashOf(mechanism string) func() hash.Hash {
	switch mechanism {
	case ScramSHA256:
		return sha256.New
	case ScramSHA512:
		return sha512.New
	default:
		return nil
	}
}

// NewCredential makes a credential of a password, with a new salt. The
// mechanism must be one of SCRAM.
func NewCredential(user, password, mechanism string) (Credential, error) {
	salt := make([]byte, 32)
	rand.Read(salt) // never fails
	salted, err := saltPassword(mechanism, password, salt, MinIterations)
	if err != nil {
		return Credential{}, err
	}
	return FromSalted(user, mechanism, salt, MinIterations, salted)
}

// FromSalted makes a credential of a salted password, which administrators'
// tools send so that the password itself needn't travel.
func FromSalted(user, mechanism string, salt []byte, iterations int, salted []byte) (Credential, error) {
	h := hashOf(mechanism)
	if h == nil {
		return Credential{}, fmt.Errorf("mechanism %q has no credentials", mechanism)
	}
	sum := h()
	sum.Write(keyed(h, salted, "Client Key"))
	return Credential{
		User: user, Mechanism: mechanism, Salt: salt, Iterations: iterations,
		StoredKey: sum.Sum(nil), ServerKey: keyed(h, salted, "Server Key"),
	}, nil
}

func keyed(h func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(h, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// saltPassword takes as long as the iterations want it to.
func saltPassword(mechanism, password string, salt []byte, iterations int) ([]byte, error) {
	h := hashOf(mechanism)
	if h == nil {
		return nil, fmt.Errorf("mechanism %q has no credentials", mechanism)
	}
	salted, err := pbkdf2.Key(h, password, salt, iterations, h().Size())
	if err != nil {
		return nil, fmt.Errorf("salt a password: %w", err)
	}
	return salted, nil
}

// Verify says whether the password is the credential's.
func (c Credential) Verify(password string) bool {
	salted, err := saltPassword(c.Mechanism, password, c.Salt, c.Iterations)
	if err != nil {
		return false
	}
	got, err := FromSalted(c.User, c.Mechanism, c.Salt, c.Iterations, salted)
	return err == nil && subtle.ConstantTimeCompare(got.StoredKey, c.StoredKey) == 1
}
