package integration

import (
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
)

// wordCount counts words, from one topic to another.
func wordCount(in, out string) *stream.Topology {
	words := topic.New("words", serde.String, serde.String)
	counts := state.New("counts", serde.String, serde.Int64)
	return stream.MustBuild(func(b *stream.Builder) {
		b.Stream(topic.New(in, serde.Bytes, serde.String)).
			FlatMapValues(strings.FieldsSeq).
			GroupBy(func(_ []byte, w string) string { return w }, words).
			Count(counts).
			To(topic.New(out, serde.String, serde.Int64))
	})
}

// text is n lines, and how often each word is in them.
func text(n, seed int) (lines []string, counts map[string]int64) {
	counts = map[string]int64{}
	for i := range n {
		line := make([]string, 10)
		for j := range line {
			line[j] = fmt.Sprintf("word%d", (i*7+j*j*13+seed)%97)
			counts[line[j]]++
		}
		lines = append(lines, strings.Join(line, " "))
	}
	return lines, counts
}

func sum(ms ...map[string]int64) map[string]int64 {
	all := map[string]int64{}
	for _, m := range ms {
		for k, n := range m {
			all[k] += n
		}
	}
	return all
}

// counted is the result as it stands.
func (c cluster) counted(t *testing.T, out string) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	for k, v := range c.table(t, out) {
		if len(v) != 8 {
			t.Fatalf("%s: a count of %d bytes", k, len(v))
		}
		got[k] = int64(binary.BigEndian.Uint64(v))
	}
	return got
}

func (c cluster) awaitCounts(t *testing.T, what, out string, want map[string]int64) {
	t.Helper()
	var got map[string]int64
	eventually(t, what, func() bool {
		got = c.counted(t, out)
		return maps.Equal(got, want)
	})
}

// TestScenarioInstances has instances come and go while records come in; nothing is
// lost and nothing counted twice, since all of them leave in order.
func TestScenarioInstances(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		in, out, id := unique("lines"), unique("totals"), unique("app")
		c.create(t, 4, in, out)
		topo := wordCount(in, out)
		lines1, want1 := text(500, 1)
		lines2, want2 := text(500, 2)
		lines3, want3 := text(500, 3)

		first := c.start(t, topo, id, t.TempDir())
		c.produce(t, in, lines1...)
		c.awaitCounts(t, "one instance counts the first lines", out, want1)

		second := c.start(t, topo, id, t.TempDir())
		third := c.start(t, topo, id, t.TempDir())
		eventually(t, "every instance has a share of the eight tasks", func() bool {
			for _, a := range []*app{first, second, third} {
				if n := len(a.Status().Tasks); n < 2 || n > 3 {
					return false
				}
			}
			return true
		})
		c.produce(t, in, lines2...)
		c.awaitCounts(t, "three instances count the second lines", out, sum(want1, want2))

		first.end(t)
		c.produce(t, in, lines3...)
		c.awaitCounts(t, "the two that stay count the third lines", out, sum(want1, want2, want3))
	})
}

// TestScenarioLostDisk starts an app again without its state: the changelog has it.
func TestScenarioLostDisk(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		in, out, id := unique("lines"), unique("totals"), unique("app")
		c.create(t, 2, in, out)
		topo := wordCount(in, out)
		lines, want := text(300, 5)

		a := c.start(t, topo, id, t.TempDir())
		c.produce(t, in, lines...)
		c.awaitCounts(t, "the lines are counted", out, want)
		a.end(t)

		c.start(t, topo, id, t.TempDir())
		c.produce(t, in, lines...)
		c.awaitCounts(t, "the counts go on from where they were", out, sum(want, want))
	})
}
