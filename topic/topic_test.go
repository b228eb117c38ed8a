package topic_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/topic"
	"pgregory.net/rapid"
)

func TestNew(t *testing.T) {
	lines := topic.New("lines", serde.String, serde.Int64, topic.Partitions(6))
	if lines.Name() != "lines" || lines.Partitions() != 6 || fmt.Sprint(lines) != "lines" {
		t.Errorf("got %v with %d partitions", lines, lines.Partitions())
	}
	if err := lines.Check(); err != nil {
		t.Error(err)
	}
	b, err := lines.Value().Append(nil, 1)
	if err != nil || len(b) != 8 {
		t.Errorf("the value's serde wrote %x, %v", b, err)
	}
	if k, err := lines.Key().Decode([]byte("k")); k != "k" || err != nil {
		t.Errorf("the key's serde read %q, %v", k, err)
	}
}

func TestDeclared(t *testing.T) {
	one := topic.New("one", serde.String, serde.String)
	two := topic.New("two", serde.String, serde.String)
	for _, at := range []string{one.Declared(), two.Declared()} {
		if !strings.HasPrefix(at, "topic/topic_test.go:") {
			t.Errorf("declared at %q", at)
		}
	}
	if one.Declared() == two.Declared() {
		t.Errorf("both declared at %q", one.Declared())
	}
}

func TestCheck(t *testing.T) {
	long := strings.Repeat("x", topic.MaxNameSize)
	for _, c := range []struct {
		topic topic.Topic[string, string]
		want  []string // parts of the error; none: no error
	}{
		{topic.New("a.B_c-9", serde.String, serde.String), nil},
		{topic.New(long, serde.String, serde.String), nil},
		{topic.New("...", serde.String, serde.String), nil},
		{topic.New(long+"x", serde.String, serde.String), []string{"250 characters"}},
		{topic.New("", serde.String, serde.String), []string{"empty"}},
		{topic.New(".", serde.String, serde.String), []string{`"." or ".."`}},
		{topic.New("..", serde.String, serde.String), []string{`"." or ".."`}},
		{topic.New("a b", serde.String, serde.String), []string{`' '`, `topic "a b"`}},
		{topic.New("é", serde.String, serde.String), []string{`'é'`}},
		{topic.New("a", serde.String, serde.String, topic.Partitions(0)), []string{"0 partitions"}},
		{topic.New("a", serde.String, serde.String, topic.Partitions(-1)), []string{"-1 partitions"}},
		{topic.New[string, string]("a/b", nil, nil), []string{`'/'`, "keys", "values"}},
		{topic.Topic[string, string]{}, []string{"topic.New"}},
	} {
		err := c.topic.Check()
		if len(c.want) == 0 {
			if err != nil {
				t.Errorf("%s: %v", c.topic, err)
			}
			continue
		}
		var e *topic.Error
		if !errors.As(err, &e) || e.Topic != c.topic.Name() {
			t.Errorf("%q: %v", c.topic.Name(), err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %q doesn't say %q", c.topic.Name(), err, part)
			}
		}
	}
}

// TestCheckName compares with Kafka's rule as a regular expression would say it.
func TestCheckName(t *testing.T) {
	legal := rapid.StringMatching(`[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,50}`)
	rapid.Check(t, func(t *rapid.T) {
		name := legal.Draw(t, "name")
		if err := topic.CheckName(name); err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		bad := rapid.RuneFrom([]rune(" /\\:\x00é*?\"<>,;@\uFFFD")).Draw(t, "bad")
		at := rapid.IntRange(0, len(name)).Draw(t, "at")
		if name := name[:at] + string(bad) + name[at:]; topic.CheckName(name) == nil {
			t.Fatalf("%q is taken", name)
		}
	})
}

func Example() {
	clicks := topic.New("clicks", serde.String, serde.JSON[struct{ URL string }]())
	fmt.Println(clicks, clicks.Check())

	wrong := topic.New("clicks today", serde.String, serde.Int64)
	var e *topic.Error
	fmt.Println(errors.As(wrong.Check(), &e), e.Problem)
	// Output:
	// clicks <nil>
	// true the name has a ' ': only a-z, A-Z, 0-9, '.', '_' and '-'
}
