package streamtest

import (
	"fmt"
	"testing"

	"github.com/leatstream/leat/stream"
)

// reporter is what a driver needs of a test.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

var _ reporter = testing.TB(nil)

// MustNew returns a driver that belongs to no test, for an Example or a
// playground: where one of [New] would fail the test, it panics.
func MustNew(topo *stream.Topology, opts ...Option) *Driver {
	return newDriver(alone{func(text string) { panic(text) }}, topo, opts)
}

// alone is the reporter of a driver without a test.
type alone struct{ fail func(text string) }

func (alone) Helper() {}

func (a alone) Errorf(format string, args ...any) { a.fail(fmt.Sprintf(format, args...)) }
func (a alone) Fatalf(format string, args ...any) { a.fail(fmt.Sprintf(format, args...)) }
