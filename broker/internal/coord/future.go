package coord

import (
	"context"

	"github.com/leatstream/leat/broker/internal/partition"
)

// Future is the answer of a shard, which may come later.
type Future[T any] struct {
	done  chan struct{} // closed when the rest is set
	gone  chan struct{} // closed when the shard has stopped
	value T
	log   *partition.Log // nil if nothing has to become durable
	upTo  int64
}

// resolve gives the answer, which holds once the shard's log is durable up to
// what it has now.
func (f *Future[T]) resolve(j *journal, v T) { f.resolveAt(j, j.end, v) }

// resolveAt gives an answer that was decided when the log ended at an offset.
func (f *Future[T]) resolveAt(j *journal, end int64, v T) {
	f.value, f.log, f.upTo = v, j.log, end
	close(f.done)
}

// Await waits for the answer. The error is ctx's, ErrClosed, or why the answer
// could not become durable.
func (f *Future[T]) Await(ctx context.Context) (T, error) {
	var zero T
	select {
	case <-f.done:
	case <-ctx.Done():
		return zero, context.Cause(ctx)
	case <-f.gone:
		return zero, ErrClosed
	}
	if f.log != nil && f.upTo > 0 {
		if err := f.log.WaitDurable(ctx, f.upTo); err != nil {
			return zero, err
		}
	}
	return f.value, nil
}
