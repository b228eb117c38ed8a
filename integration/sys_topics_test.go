package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// In the tests of this file somebody has changed topics or offsets while the app
// was away.

// away runs change between two lives of the app, of which the second has lost
// its disk if fresh is set.
func away(t *testing.T, fresh bool, change func(context.Context, *crash)) {
	crashedWith(t, "", often, func(c *crash) {
		c.settle()
		c.first.leave()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		change(ctx, c)
		dir := c.first.dir
		if fresh {
			dir = c.dirs.fresh()
		}
		c.first = c.run("after", dir, often)
		c.more()
		c.settle()
		c.first.leave()
		if c.after != nil {
			c.after()
		}
	})
}

// recreate deletes topics and makes them anew.
func (c *crash) recreate(ctx context.Context, topics ...string) {
	c.t.Helper()
	if _, err := c.admin.DeleteTopics(ctx, topics...); err != nil {
		c.t.Fatal(err)
	}
	resp, err := c.admin.CreateTopics(ctx, int32(c.partitions), 1, nil, topics...)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.feed.Close() // it knows topics by their ids
	c.connect()
}

// TestChangelogDeleted has the app come back to an empty changelog. The count
// begins anew, with the old disk as with an empty one.
func TestChangelogDeleted(t *testing.T) {
	for name, fresh := range map[string]bool{"old disk": false, "new disk": true} {
		t.Run(name, func(t *testing.T) {
			away(t, fresh, func(ctx context.Context, c *crash) {
				c.recreate(ctx, "shop-kinds-changelog", "out-kinds")
				c.f.kinds = map[string]int64{} // what comes from now on
				c.after = c.exact
			})
		})
	}
}

// TestChangelogTruncated has the app restore from a changelog of which all
// records were deleted: its restoring must come to an end.
func TestChangelogTruncated(t *testing.T) {
	away(t, true, func(ctx context.Context, c *crash) {
		ends, err := c.admin.ListEndOffsets(ctx, "shop-kinds-changelog")
		if err != nil {
			c.t.Fatal(err)
		}
		// A compacted topic's records can't be deleted.
		policy := "delete"
		altered, err := c.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &policy}}, "shop-kinds-changelog")
		if err == nil {
			_, err = altered.On("shop-kinds-changelog", func(r *kadm.AlterConfigsResponse) error { return r.Err })
		}
		if err != nil {
			c.t.Fatal(err)
		}
		resp, err := c.admin.DeleteRecords(ctx, ends.Offsets())
		if err == nil {
			err = resp.Error()
		}
		if err != nil {
			c.t.Fatal(err)
		}
		c.recreate(ctx, "out-kinds")
		c.f.kinds = map[string]int64{}
		c.after = c.exact
	})
}

// TestSourcesRecreated has the topics of the tables replaced by empty ones, so
// that the app has committed offsets beyond their ends.
func TestSourcesRecreated(t *testing.T) {
	for name, fresh := range map[string]bool{"old disk": false, "new disk": true} {
		t.Run(name, func(t *testing.T) {
			away(t, fresh, func(ctx context.Context, c *crash) { c.recreate(ctx, "users", "plans") })
		})
	}
}

// TestOffsetsReset has the app process everything once more.
func TestOffsetsReset(t *testing.T) {
	away(t, false, func(ctx context.Context, c *crash) {
		starts, err := c.admin.ListStartOffsets(ctx, shopInputs...)
		if err != nil {
			c.t.Fatal(err)
		}
		if err := c.admin.CommitAllOffsets(ctx, appID, starts.Offsets()); err != nil {
			c.t.Fatal(err)
		}
		c.after = func() { c.lacksNothing("after all was processed again") }
	})
}

// TestPartitionsAdded has the inputs get more partitions, which moves keys: the
// app must refuse to start, and say why.
func TestPartitionsAdded(t *testing.T) {
	for _, topics := range [][]string{{"orders"}, shopInputs} {
		t.Run(strings.Join(topics, "+"), func(t *testing.T) {
			crashedWith(t, "", often, func(c *crash) {
				c.settle()
				c.first.leave()
				var resp kadm.CreatePartitionsResponses
				resp, err := c.admin.CreatePartitions(context.Background(), 2, topics...)
				if err == nil {
					err = resp.Error()
				}
				if err != nil {
					c.t.Fatal(err)
				}
				after := c.run("after", c.first.dir, often)
				c.await("the instance refuses to work", after.hasEnded)
				if after.err == nil || !strings.Contains(after.err.Error(), "partitions") {
					c.t.Errorf("ended with %v, not with an error about partitions", after.err)
				}
				t.Log(after.err)
			})
		})
	}
}
