package worker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

func countLayout(t *testing.T) *layout {
	t.Helper()
	g := countPlan().Graph
	counts, err := g.Resolve("app", topology.Counts{"in": 2, "out": 3})
	if err != nil {
		t.Fatal(err)
	}
	return newLayout("app", g, counts)
}

func TestLayout(t *testing.T) {
	l := countLayout(t)
	by := func(p int32) record.TopicPartition {
		return record.TopicPartition{Topic: "app-by-repartition", Partition: p}
	}
	in := func(p int32) record.TopicPartition { return record.TopicPartition{Topic: "in", Partition: p} }
	want := map[task.ID][]record.TopicPartition{
		{Sub: 0, Partition: 0}: {in(0)}, {Sub: 0, Partition: 1}: {in(1)},
		{Sub: 1, Partition: 0}: {by(0)}, {Sub: 1, Partition: 1}: {by(1)},
	}
	if d := cmp.Diff(want, l.inputs); d != "" {
		t.Errorf("inputs (-want +got)\n%s", d)
	}
	topics := l.internalTopics(countPlan().Graph, 2)
	if len(topics) != 2 {
		t.Fatalf("%d internal topics, want 2: %v", len(topics), topics)
	}
	repartition, changelog := topics[0], topics[1]
	if repartition.Name != "app-by-repartition" || repartition.Partitions != 2 || repartition.Configs["retention.ms"] != "-1" {
		t.Errorf("repartition topic: %+v", repartition)
	}
	if changelog.Name != "app-counts-changelog" || changelog.Partitions != 2 || changelog.Replication != 2 || changelog.Configs["cleanup.policy"] != "compact" {
		t.Errorf("changelog: %+v", changelog)
	}
}

func TestMembersWithAnotherTopologyGetNothing(t *testing.T) {
	l := countLayout(t)
	member := func(id string, hash uint64) client.Member {
		s := assign.Subscription{Instance: "host of " + id, Topology: hash, Capacity: 1}
		return client.Member{ID: id, UserData: s.Append(nil)}
	}
	plan, others, err := l.assign([]client.Member{member("a", l.hash), member("b", l.hash+1), member("c", l.hash)})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan["a"]) != 2 || len(plan["c"]) != 2 || len(plan["b"]) != 0 {
		t.Errorf("plan: %v", plan)
	}
	if d := cmp.Diff([]string{"host of b"}, others); d != "" {
		t.Errorf("others (-want +got)\n%s", d)
	}
	if _, _, err := l.assign([]client.Member{{ID: "x", UserData: []byte("?")}}); err == nil {
		t.Error("a member of another kind is no error")
	}
}

func TestATaskIsHeldWhole(t *testing.T) {
	l := countLayout(t)
	id := task.ID{Sub: 0, Partition: 0}
	l.inputs[id] = append(l.inputs[id], record.TopicPartition{Topic: "more", Partition: 0})
	l.owner[l.inputs[id][1]] = id
	if held := l.held(l.inputs[id][:1]); len(held) != 0 {
		t.Errorf("a task with half of its partitions is held: %v", held)
	}
	if held := l.held(l.inputs[id]); len(held) != 1 {
		t.Errorf("a task with all of its partitions isn't held: %v", held)
	}
}
