//go:build !synctests

package integration

import "testing"

// virtual says that bubble has virtual time: see the other bubble.
const virtual = false

// bubble runs f, and time goes by as usual.
func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	f(t)
}
