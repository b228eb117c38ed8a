package broker

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/api"
	"github.com/leatstream/leat/broker/internal/settings"
)

//go:generate go test -run TestDocs -update

// TestDocs makes the tables of docs/broker.md from the code, and fails if they
// are others.
func TestDocs(t *testing.T) {
	const file = "../docs/broker.md"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, table := range map[string]string{"apis": apiTable(), "settings": settingsTable(), "groups": groupTable(), "idle": idleList(), "refused": refusedTable()} {
		begin, end := "<!-- generated: "+name+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(text, begin)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no part %q", file, begin)
		}
		text = before + begin + table + end + after
	}
	if text == string(b) {
		return
	}
	if !*update {
		t.Fatalf("the tables of %s aren't those of the code: run go generate ./broker", file)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func apiTable() string {
	var b strings.Builder
	b.WriteString("| key | API | versions |\n|---|---|---|\n")
	for _, a := range api.List() {
		versions := fmt.Sprintf("%d–%d", a.Min, a.Max)
		if a.Min == a.Max {
			versions = fmt.Sprint(a.Min)
		}
		fmt.Fprintf(&b, "| %d | %s | %s |\n", a.Key, kmsg.NameForKey(a.Key), versions)
	}
	return b.String()
}

// shownDefault is a default as tables show it.
func shownDefault(d settings.Def) string {
	switch {
	case d.Null:
		return "none"
	case d.Default == "":
		return "empty"
	case d.Kafka != "":
		return fmt.Sprintf("`%s` (Kafka: %s)", d.Default, kafkaDefault(d))
	default:
		return "`" + d.Default + "`"
	}
}

func kafkaDefault(d settings.Def) string {
	if d.Kafka == "null" {
		return "none"
	}
	return "`" + d.Kafka + "`"
}

func settingsTable() string {
	var b strings.Builder
	b.WriteString("| setting | default | what it does | while it runs |\n|---|---|---|---|\n")
	for _, d := range settings.Brokers {
		if d.Effect == settings.Applied {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, shownDefault(d), d.Note, map[bool]string{true: "yes"}[d.Scope != settings.AtStart])
		}
	}
	return b.String()
}

func groupTable() string {
	var b strings.Builder
	b.WriteString("| config | default |\n|---|---|\n")
	for _, d := range settings.Groups {
		def := "`" + d.Default + "`"
		if len(d.Broker) > 0 {
			def = "the broker's `" + d.Broker[0].Name + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", d.Name, def)
	}
	return b.String()
}

func idleList() string {
	var names []string
	for _, d := range settings.Brokers {
		if d.Effect == settings.Meaningless {
			names = append(names, "`"+d.Name+"`")
		}
	}
	return strings.Join(names, ", ") + ".\n"
}

func refusedTable() string {
	var b strings.Builder
	b.WriteString("| setting | why |\n|---|---|\n")
	for _, d := range settings.Brokers {
		if d.Effect == settings.Unserved {
			fmt.Fprintf(&b, "| `%s` | %s |\n", d.Name, d.Note)
		}
	}
	return b.String()
}
