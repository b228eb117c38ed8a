//go:build !race && !invariants

package invariant

// Enabled is whether Check checks. It is a constant, so that code under it is
// left out of ordinary builds.
const Enabled = false
