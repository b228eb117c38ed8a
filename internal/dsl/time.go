package dsl

import "github.com/leatstream/leat/internal/task"

// OnTime lets a node's stream time go on when the task's does without a record,
// and calls then. A node that has seen no record yet has nothing to wait for.
func OnTime(t *task.Task, streamTime *int64, then func() error) {
	t.OnTime(func(ms int64) error {
		if *streamTime < 0 || ms <= *streamTime {
			return nil
		}
		*streamTime = ms
		return then()
	})
}
