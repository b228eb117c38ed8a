package integration

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
	"github.com/twmb/franz-go/pkg/kgo"
)

// catalogue is a table of books with their publishers' towns.
func catalogue(books, publishers, out string) *stream.Topology {
	text := serde.String
	return stream.MustBuild(func(b *stream.Builder) {
		b.Table(topic.New(books, text, text), state.New("books", text, text)).
			LeftJoinForeign(b.Table(topic.New(publishers, text, text), state.New("publishers", text, text)),
				func(_, publisher string) string { return publisher },
				state.NewForeign("by-publisher", text, text, text), state.New("catalogue", text, text),
				func(publisher, town string, known bool) string { return publisher + "/" + town }).
			To(topic.New(out, text, text))
	})
}

// library is what was written to the two tables.
type library struct {
	books, publishers map[string]string
}

// change writes n changes of rows, some of them deletions.
func (l *library) change(t *testing.T, c cluster, rnd *rand.Rand, books, publishers string, n int) {
	t.Helper()
	cl := c.client(t)
	recs := make([]*kgo.Record, n)
	for i := range recs {
		table, name, key, value := l.books, books, fmt.Sprintf("book%d", rnd.IntN(60)), fmt.Sprintf("p%d", rnd.IntN(9))
		if rnd.IntN(3) == 0 {
			table, name, key, value = l.publishers, publishers, fmt.Sprintf("p%d", rnd.IntN(9)), fmt.Sprintf("town%d", rnd.IntN(30))
		}
		recs[i] = &kgo.Record{Topic: name, Key: []byte(key), Value: []byte(value)}
		if table[key] = value; rnd.IntN(8) == 0 {
			recs[i].Value = nil
			delete(table, key)
		}
	}
	if err := cl.ProduceSync(timeout(t, 30*time.Second), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// joined is the catalogue as it has to be.
func (l *library) joined() map[string]string {
	all := map[string]string{}
	for book, publisher := range l.books {
		all[book] = publisher + "/" + l.publishers[publisher]
	}
	return all
}

// TestScenarioForeignKeys joins tables of three and of two partitions, while
// instances come, go, and lose their disk.
func TestScenarioForeignKeys(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		books, publishers, out, id := unique("books"), unique("publishers"), unique("catalogue"), unique("app")
		c.create(t, 3, books, out)
		c.create(t, 2, publishers)
		topo := catalogue(books, publishers, out)
		l := &library{map[string]string{}, map[string]string{}}
		rnd := rand.New(rand.NewPCG(1, 2))
		await := func(what string) {
			t.Helper()
			eventually(t, what, func() bool {
				got := map[string]string{}
				for k, v := range c.table(t, out) {
					got[k] = string(v)
				}
				return maps.Equal(got, l.joined())
			})
		}

		first := c.start(t, topo, id, t.TempDir())
		l.change(t, c, rnd, books, publishers, 300)
		await("one instance joins")
		second := c.start(t, topo, id, t.TempDir())
		l.change(t, c, rnd, books, publishers, 300)
		await("two instances join")
		first.end(t)
		l.change(t, c, rnd, books, publishers, 300)
		await("the one that stays joins")
		second.end(t)
		c.start(t, topo, id, t.TempDir())
		l.change(t, c, rnd, books, publishers, 300)
		await("one without a disk goes on from the changelogs")
	})
}
