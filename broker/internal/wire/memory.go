package wire

import (
	"context"
	"errors"
	"math/bits"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/leatstream/leat/internal/clock"
)

// Memory bounds the bytes of large requests that connections receive and work
// on at the same time, and passes their buffers round. Connections that would
// need more wait, which their clients notice as a slow network. The first part
// of each frame doesn't count: the number of connections bounds that. A Memory is
// safe for concurrent use.
type Memory struct {
	limit int64
	clock clock.Clock
	wait  time.Duration
	left  *semaphore.Weighted
	pools [largestPooled - smallestPooled + 1]sync.Pool // of buffers of 2^n bytes
}

// Sizes of the buffers that are passed round, as powers of 2.
const (
	smallestPooled = 12
	largestPooled  = 21
)

// NewMemory returns a Memory of limit bytes. A request that is larger gets
// through, but alone. A connection that has waited for so long is closed: those
// that wait may be waiting for each other.
func NewMemory(limit int64, clk clock.Clock, wait time.Duration) *Memory {
	return &Memory{limit: limit, clock: clk, wait: wait, left: semaphore.NewWeighted(limit)}
}

// errMemory closes a connection that has waited for memory too long.
var errMemory = errors.New("too many bytes of requests are in work")

// take waits for n bytes until ctx is done.
func (m *Memory) take(ctx context.Context, n int) error {
	if m.left.TryAcquire(int64(n)) {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := m.clock.AfterFunc(m.wait, func() { cancel(errMemory) })
	defer t.Stop()
	if err := m.left.Acquire(ctx, int64(n)); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (m *Memory) give(n int) { m.left.Release(int64(n)) }

// buffer returns a buffer of n bytes with anything in it.
func (m *Memory) buffer(n int) []byte {
	class := max(bits.Len(uint(n-1)), smallestPooled)
	if class > largestPooled {
		return make([]byte, n)
	}
	if b, _ := m.pools[class-smallestPooled].Get().(*[]byte); b != nil {
		return (*b)[:n]
	}
	return make([]byte, n, 1<<class)
}

// recycle takes back a buffer that nothing refers to any more.
func (m *Memory) recycle(b []byte) {
	class := bits.Len(uint(cap(b))) - 1
	if class < smallestPooled || class > largestPooled || cap(b) != 1<<class {
		return
	}
	b = b[:0]
	m.pools[class-smallestPooled].Put(&b)
}

// inbound is one frame as it came in.
type inbound struct {
	bytes   []byte
	charged int
}

// free gives the frame's bytes back. Unless its buffer is reusable, something
// may still refer to it; it doesn't count all the same, since what the first
// stage of a request keeps is bounded by limits of its own.
func (m *Memory) free(f inbound, reusable bool) {
	if f.charged > 0 {
		m.give(f.charged)
	}
	if reusable {
		m.recycle(f.bytes)
	}
}
