//go:build !synctests

package main

import "testing"

// bubble runs f, and time goes by as usual.
func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	f(t)
}
