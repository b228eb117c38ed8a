package authn

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// KeySet is the public keys of whoever signs tokens: a JSON web key set (RFC
// 7517), read again when it is old or a key is missing. It is safe for
// concurrent use.
type KeySet struct {
	load func(context.Context) ([]byte, error)

	mu    sync.Mutex
	raw   []byte
	set   jose.JSONWebKeySet
	tried time.Time // when it was last read, or was tried to
}

// Times between two readings.
const (
	keysMaxAge = 10 * time.Minute
	keysMinAge = 10 * time.Second // so that tokens with made-up keys cost nothing
)

// NewKeySet returns the keys that load reads, which it does at once to find
// mistakes of the configuration.
func NewKeySet(ctx context.Context, now time.Time, load func(context.Context) ([]byte, error)) (*KeySet, error) {
	k := &KeySet{load: load}
	return k, k.read(ctx, now)
}

// read reads the keys. If that fails the old ones stay.
func (k *KeySet) read(ctx context.Context, now time.Time) error {
	k.tried = now
	raw, err := k.load(ctx)
	if err != nil {
		return fmt.Errorf("read the key set: %w", err)
	}
	if bytes.Equal(raw, k.raw) {
		return nil
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return fmt.Errorf("read the key set: %w", err)
	}
	usable := set.Keys[:0]
	for _, key := range set.Keys {
		if key.Valid() && key.IsPublic() && key.Use != "enc" {
			usable = append(usable, key)
		}
	}
	if len(usable) == 0 {
		return errors.New("read the key set: it has no public key for signatures")
	}
	set.Keys = usable
	k.raw, k.set = raw, set
	return nil
}

// find returns the keys with an id; all of them for "". While the keys are read
// again others wait, as they would need them too.
func (k *KeySet) find(ctx context.Context, id string, now time.Time) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := k.lookup(id)
	age := now.Sub(k.tried)
	if age < keysMinAge || len(found) > 0 && age < keysMaxAge {
		return found, nil
	}
	if err := k.read(ctx, now); err != nil && len(found) == 0 {
		return nil, err
	}
	return k.lookup(id), nil
}

func (k *KeySet) lookup(id string) []jose.JSONWebKey {
	if id == "" {
		return k.set.Keys
	}
	return k.set.Key(id)
}
