package integration

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// topicCopy gets each record of topicLog, into the same partition.
const topicCopy = "copy"

// copyAll copies in transactions that commit the offsets of what was copied, and
// aborts every fifth. After a failure it begins anew, as a process does that was
// restarted.
func (l *load) copyAll() {
	for turn := 0; l.running.Err() == nil; {
		s, err := kgo.NewGroupTransactSession(append(l.options(),
			kgo.TransactionalID("copier"), kgo.TransactionTimeout(30*time.Second), kgo.DefaultProduceTopic(topicCopy),
			kgo.ConsumerGroup("copiers"), kgo.InstanceID("copier"), kgo.ConsumeTopics(topicLog),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
		if err != nil {
			panic(err) // of the test's own options
		}
		// What the one before has left open ends now, not when it times out: until
		// then its offsets can't be told.
		_, _, err = s.Client().ProducerID(l.running)
		for ; err == nil && l.running.Err() == nil; turn++ {
			err = l.copySome(s, kgo.TransactionEndTry(turn%5 != 4))
		}
		l.failed(err)
		s.Close()
	}
}

func (l *load) copySome(s *kgo.GroupTransactSession, how kgo.TransactionEndTry) error {
	fs := s.PollRecords(l.running, 200)
	if err := fs.Err(); err != nil {
		return err
	}
	if err := s.Begin(); err != nil {
		return err
	}
	first := kgo.AbortingFirstErrPromise(s.Client())
	fs.EachRecord(func(r *kgo.Record) {
		s.Produce(l.ctx, &kgo.Record{Partition: r.Partition, Value: r.Value}, first.Promise())
	})
	sent := first.Err()
	committed, err := s.End(l.ctx, how && kgo.TransactionEndTry(sent == nil))
	if committed {
		l.acked(copyKind)
	}
	return errors.Join(sent, err)
}

// copies compares what was copied with what there was to copy: it has to be the
// first records of each partition, each once and in order. It returns how many
// there are.
func (l *load) copies() (n int) {
	there := l.read(topicLog, kgo.ReadCommitted())
	for p, values := range l.read(topicCopy, kgo.ReadCommitted()) {
		want, got := inOrder(there[p]), inOrder(values)
		n += len(got)
		for i, v := range got {
			if i >= len(want) || want[i] != v {
				l.wrong = append(l.wrong, fmt.Sprintf("the %d-th copy of partition %d is %s, not %v", i, p, v, want[min(i, len(want)):min(i+1, len(want))]))
				break
			}
		}
	}
	return n
}

// inOrder is values by their offsets.
func inOrder(values map[int64]string) []string {
	var list []string
	for _, offset := range slices.Sorted(maps.Keys(values)) {
		list = append(list, values[offset])
	}
	return list
}
