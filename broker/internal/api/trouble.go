package api

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
)

// logCode is the error code for what a log refused. Trouble of the broker's
// own, rather than the client's mistake, is told to the operator too.
func (s *Server) logCode(err error, topic string, p int32) int16 {
	if errors.Is(err, partition.ErrClosed) {
		// The topic has just been deleted, or the broker closes: clients look
		// again where the partition is.
		return kerr.NotLeaderForPartition.Code
	}
	code := batch.CodeOf(err)
	if code == kerr.KafkaStorageError.Code || code == kerr.UnknownServerError.Code && isInternal(err) {
		s.trouble.tell(s.Clock.Now(), func() {
			s.Log.Error("a log failed", "topic", topic, "partition", p, "err", err)
		})
	}
	return code
}

// isInternal says whether nobody has thought of this error: those with a code
// were thought of.
func isInternal(err error) bool {
	_, known := errors.AsType[*batch.Error](err)
	return !known
}

// trouble limits what is told to the operator: a full disk fails thousands of
// requests a second.
type trouble struct{ next atomic.Int64 } // nanoseconds, of the next that is told

// troubleEvery is the time between two messages.
const troubleEvery = time.Second

func (t *trouble) tell(now time.Time, say func()) {
	next := t.next.Load()
	if n := now.UnixNano(); n >= next && t.next.CompareAndSwap(next, n+int64(troubleEvery)) {
		say()
	}
}
