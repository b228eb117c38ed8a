//go:build synctests

package integration

import (
	"testing"
	"testing/synctest"
)

// virtual says that bubble has virtual time.
const virtual = true

// bubble runs f under virtual time. That takes the build tag synctests, by which
// franz-go swaps its mutexes for ones that a bubble counts as blocked: commits
// wait at one for the end of a rebalance, and time would stand still meanwhile.
func bubble(t *testing.T, f func(*testing.T)) { synctest.Test(t, f) }
