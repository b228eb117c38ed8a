//go:build synctests

package main

import (
	"testing"
	"testing/synctest"
)

// bubble runs f under virtual time. That takes the build tag synctests: see the
// bubble of integration.
func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
