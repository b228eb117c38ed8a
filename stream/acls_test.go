package stream_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
)

// ExampleTopology_ACLs prints the commands that give an app its rights.
func ExampleTopology_ACLs() {
	var (
		lines  = topic.New("lines", serde.String, serde.String)
		words  = topic.New("words", serde.String, serde.String)
		counts = topic.New("counts", serde.String, serde.Int64)
	)
	top := stream.MustBuild(func(b *stream.Builder) {
		b.Stream(lines).
			GroupBy(func(_, line string) string { return strings.ToLower(line) }, words).
			Count(state.New("word-counts", serde.String, serde.Int64)).
			Apply(stream.FromTable).
			To(counts)
	})
	for _, a := range top.ACLs(stream.Config{ApplicationID: "wordcount"}) {
		fmt.Println("kafka-acls --add --allow-principal User:wordcount", a.Flags())
	}
	// Output:
	// kafka-acls --add --allow-principal User:wordcount --operation READ --group 'wordcount' --resource-pattern-type literal
	// kafka-acls --add --allow-principal User:wordcount --operation WRITE --topic 'counts' --resource-pattern-type literal
	// kafka-acls --add --allow-principal User:wordcount --operation READ --topic 'lines' --resource-pattern-type literal
	// kafka-acls --add --allow-principal User:wordcount --operation CREATE --operation READ --operation WRITE --topic 'wordcount-word-counts-changelog' --resource-pattern-type literal
	// kafka-acls --add --allow-principal User:wordcount --operation CREATE --operation READ --operation WRITE --operation DELETE --topic 'wordcount-words-repartition' --resource-pattern-type literal
}

func TestTopology_ACLs_Rest(t *testing.T) {
	lines := topic.New("lines", serde.String, serde.String)
	reader := stream.MustBuild(func(b *stream.Builder) {
		b.Stream(lines).Foreach(func(string, string) {})
	})
	for want, c := range map[string]struct {
		top *stream.Topology
		cfg stream.Config
	}{
		"cluster kafka-cluster [IDEMPOTENT_WRITE]; group app [READ]; topic lines [READ]": {reader, stream.Config{ApplicationID: "app"}},
		"group app [READ]; topic app-dead-letters [WRITE]; topic lines [READ]": {reader, stream.Config{
			ApplicationID: "app", OnError: func(*stream.RecordError) stream.Action { return stream.DeadLetter },
		}},
		"group app [READ]; topic graveyard [WRITE]; topic lines [READ]": {reader, stream.Config{ApplicationID: "app", DeadLetterTopic: "graveyard"}},
		"cluster kafka-cluster [IDEMPOTENT_WRITE]; group app [READ]; topic orders-* [READ]": {
			stream.MustBuild(func(b *stream.Builder) {
				b.Stream(topic.Matching("orders-(eu|us)", serde.String, serde.String)).Foreach(func(string, string) {})
			}), stream.Config{ApplicationID: "app"}},
	} {
		var got []string
		for _, a := range c.top.ACLs(c.cfg) {
			name := a.Name
			if a.Prefix {
				name += "*"
			}
			got = append(got, fmt.Sprintf("%s %s %v", a.Resource, name, a.Operations))
		}
		if g := strings.Join(got, "; "); g != want {
			t.Errorf("%s, want %s", g, want)
		}
	}
}

func TestACL_Flags(t *testing.T) {
	for want, a := range map[string]stream.ACL{
		"--operation IDEMPOTENT_WRITE --cluster":                               {Resource: "cluster", Name: "kafka-cluster", Operations: []string{"IDEMPOTENT_WRITE"}},
		"--operation READ --topic 'orders-' --resource-pattern-type prefixed":  {Resource: "topic", Name: "orders-", Prefix: true, Operations: []string{"READ"}},
		"--operation READ --group 'wordcount' --resource-pattern-type literal": {Resource: "group", Name: "wordcount", Operations: []string{"READ"}},
	} {
		if got := a.Flags(); got != want || !regexp.MustCompile(`^--operation`).MatchString(a.String()) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
