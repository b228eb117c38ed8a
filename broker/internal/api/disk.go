package api

import "context"

// A goroutine that waits for a disk holds a thread of the system, and a process
// has only so many (Go gives up at 10,000). So with many connections on a disk
// that is stuck, the others wait without a thread.
const (
	diskWriters = 256
	diskReaders = 256
)

// gate lets so many through at a time as it has room for.
type gate chan struct{}

// within calls do once there is room, unless ctx is done before.
func (g gate) within(ctx context.Context, do func()) error {
	select {
	case g <- struct{}{}:
	default:
		select {
		case g <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer func() { <-g }()
	do()
	return nil
}
