package archtest

import (
	"strings"
	"testing"
	"testing/fstest"
)

// load makes a tree of the files given as path, content, path, content…
func load(t *testing.T, files ...string) *Tree {
	t.Helper()
	fsys := fstest.MapFS{"go.mod": {Data: []byte("module example.com/m\n\ngo 1.27\n")}}
	for i := 0; i < len(files); i += 2 {
		fsys[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	tree, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// repeat is n lines.
func repeat(n int) string { return strings.Repeat("\n", n) }

// TestRules shows each rule files that break it and files that don't. A rule
// that found nothing in the first could as well not be there.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		rule string
		path string
		bad  map[string]string // source, and a part of what is said of it
		good []string
	}{
		{"imports", "topic/a.go", map[string]string{
			`package topic; import "example.com/m/window"`:           "topic/a.go:1: topic must not import window",
			`package topic; import "example.com/m/stream"`:           "topic must not import stream",
			`package topic; import "example.com/m/broker"`:           "topic must not import broker",
			`package topic; import "example.com/m/examples/a"`:       "topic must not import examples/a",
			`package topic; import _ "example.com/m/nowhere"`:        "topic must not import nowhere",
			`package topic; import "github.com/dgraph-io/badger/v4"`: "only internal/store may",
			`package topic; import "example.org/new"`:                "no line for example.org/new",
		}, []string{
			`package topic; import ("fmt"; "example.com/m/serde"; "example.com/m/internal/clock")`,
		}},
		{"imports", "broker/a.go", map[string]string{
			`package broker; import "example.com/m/stream"`:             "broker must not import stream",
			`package broker; import "example.com/m/serde"`:              "broker must not import serde",
			`package broker; import "github.com/twmb/franz-go/pkg/kgo"`: "must not import github.com/twmb/franz-go/pkg/kgo",
		}, []string{
			`package broker; import ("example.com/m/broker/internal/api"; "example.com/m/internal/record"; "github.com/twmb/franz-go/pkg/kmsg")`,
		}},
		{"imports", "broker/internal/vfs/a.go", map[string]string{
			`package vfs; import "example.com/m/broker/internal/wire"`: "broker/internal/vfs must not import broker/internal/wire",
		}, nil},
		{"imports", "internal/record/a.go", map[string]string{
			`package record; import "example.com/m/serde"`: "internal/record must not import serde",
		}, nil},
		{"imports", "newcomer/a.go", map[string]string{
			`package newcomer`: "newcomer: the policy has no line for this package",
		}, nil},
		{"imports", "examples/wordcount/main.go", nil, []string{
			`package main; import ("example.com/m/stream"; "example.com/m/broker"; "github.com/twmb/franz-go/pkg/kgo")`,
		}},
		{"imports", "stream/a_test.go", nil, []string{`package stream; import "example.com/m/broker"`}},
		{"file-length", "a/a.go", map[string]string{"package a" + repeat(501): "501 lines, at most 500"},
			[]string{"package a" + repeat(500)}},
		{"func-length", "a/a.go", map[string]string{
			"package a\nfunc f() {" + repeat(70) + "}":              "a/a.go:2: f has 71 lines, at most 70",
			"package a\nfunc (t *T[K, V]) m() {" + repeat(80) + "}": "T.m has 81 lines",
		}, []string{"package a\nfunc f() {" + repeat(69) + "}"}},
		{"func-length", "a/a_test.go", nil, []string{"package a\nfunc f() {" + repeat(90) + "}"}},
		{"calls", "a/a.go", map[string]string{
			`package a; import "time"; var x = time.Now()`:              "a/a.go:1: time.Now is used, but is only for internal/clock",
			`package a; import t "time"; var x = t.Now`:                 "time.Now is used",
			`package a; import "net"; var d net.Dialer`:                 "net.Dialer is used",
			`package a; import "net/http"; var c = http.DefaultClient`:  "http.DefaultClient is used",
			`package a; import "log/slog"; func f() { slog.Info("x") }`: "slog.Info is used",
			`package a; import "math/rand/v2"; var x = rand.N(3)`:       "rand.N is used",
			`package a; import "fmt"; func f() { fmt.Println() }`:       "fmt.Println is used",
		}, []string{
			`package a; import "time"; var x = time.Unix(0, 0)`,
			`package a; import "crypto/rand"; var x = rand.Int`,
			`package a; func f(time clock) { time.Now() }; type clock interface{ Now() }`,
		}},
		{"calls", "broker/a.go", map[string]string{`package broker; import "os"; var x = os.Open`: "only for broker/internal/vfs"}, nil},
		{"calls", "broker/internal/vfs/a.go", nil, []string{`package vfs; import "os"; var x = os.Open`}},
		{"calls", "internal/clock/a.go", nil, []string{`package clock; import "time"; var x = time.Now`}},
		{"calls", "cmd/leat/a.go", nil, []string{`package main; import "net"; var x = net.Listen`}},
		{"panics", "a/a.go", map[string]string{
			`package a; func f() { panic("x") }`:                     "f calls panic",
			`package a; func (T) m() { go func() { panic(err) }() }`: "T.m calls panic",
		}, []string{
			`package a; func MustParse() { panic("x") }`,
			`package a; func f() { defer func() { r := recover(); panic(r) }() }`,
		}},
		{"panics", "internal/invariant/a.go", nil, []string{`package invariant; func f() { panic("x") }`}},
		{"sleeps", "a/a_test.go", map[string]string{
			`package a; import "time"; func f() { time.Sleep(1) }`: "time.Sleep in a test",
		}, []string{
			`package a; import ("time"; "testing/synctest"); func f() { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }`,
		}},
		{"skips", "a/a_test.go", map[string]string{
			`package a; func f() { t.Skip() }`:    "Skip without a reason",
			`package a; func f() { t.SkipNow() }`: "SkipNow without a reason",
		}, []string{`package a; func f() { t.Skip("no broker at KAFKA_ADDR"); decoder.Skip() }`}},
		{"words", "a/a.go", map[string]string{
			"package a\n// TODO: more":          `a/a.go:2: "TODO": finish it`,
			"package a\nvar x = \"/home/me/x\"": "a path of one machine",
			"package a // see ../shared/x":      "outside of the repository",
		}, []string{"package a // mastodon, http://x/work/x"}},
		{"words", "docs/x.md", map[string]string{"FIXME": `docs/x.md:1: "FIXME"`}, nil},
		{"names", "util/a.go", map[string]string{`package util`: "package util is named for being a drawer"}, nil},
		{"names", "a/a.go", map[string]string{
			`package a; func GetOffset() {}`:             "GetOffset: say Offset",
			`package a; func (T) GetX() {}`:              "GetX: say X",
			`package stream; type StreamConfig struct{}`: "stream.StreamConfig: say stream.Config",
		}, []string{`package stream; type Stream struct{}; func Get() {}; type Streamer struct{}; func Getter() {}`}},
		{"comments", "a/a.go", map[string]string{
			"package a":                                                       "a: the package has no comment",
			"// Package a.\npackage a\nfunc F() {}":                           "F has no comment",
			"// Package a.\npackage a\ntype T[K any] struct{}":                "T has no comment",
			"// Package a.\npackage a\nvar (\nx = 1\nX = 2\n)":                "a/a.go:5: X has no comment",
			"// Package a.\npackage a\n// T.\ntype T int\nfunc (t *T) M() {}": "T.M has no comment",
		}, []string{
			"// Package a.\npackage a\n// T.\ntype T int\nfunc (T) String() string\nfunc (t) M() {}\n// All.\nconst (\nX = 1\nY = 2\n)\nvar (\nZ = 1 // z\n)",
		}},
		{"examples", "serde/a.go", map[string]string{"package serde": "serde: the package has no Example"}, nil},
		{"examples", "internal/a/a.go", nil, []string{"package a"}},
	} {
		rule := ruleNamed(t, c.rule)
		for source, want := range c.bad {
			if got := rule.Check(load(t, c.path, source)); len(got) != 1 || !strings.Contains(got[0].String(), want) {
				t.Errorf("%s: %s\nfound %v, want %q", c.rule, source, got, want)
			}
		}
		for _, source := range c.good {
			if got := rule.Check(load(t, c.path, source)); len(got) > 0 {
				t.Errorf("%s: %s\nfound %v, want nothing", c.rule, source, got)
			}
		}
	}
}

func ruleNamed(t *testing.T, name string) Rule {
	t.Helper()
	for _, r := range Rules {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("there is no rule %s", name)
	return Rule{}
}

// TestExamples_Methods: each method of a generic type of the DSL needs its own.
func TestExamples_Methods(t *testing.T) {
	tree := load(t,
		"stream/stream.go", `package stream
			type Stream[K, V any] struct{}
			func (s Stream[K, V]) Filter() {}
			func (s Stream[K, V]) Map[W any]() {}
			func (s Stream[K, V]) Merge() {}
			func (s Stream[K, V]) String() string { return "" }
			func (s Stream[K, V]) hidden() {}
			type Config struct{}
			func (c Config) Check() {}`,
		"stream/stream_test.go", `package stream_test
			func ExampleStream_Filter() {}
			func ExampleStream_Merge_twice() {}`)
	got := checkExamples(tree)
	if len(got) != 1 || got[0].String() != "stream/stream.go:4: there is no ExampleStream_Map" {
		t.Errorf("found %v", got)
	}
}

func TestLoad(t *testing.T) {
	tree := load(t,
		"a.go", "package m",
		"b/b_test.go", "package b\n",
		"README.md", "text",
		"Makefile", "all:",
		".ci/run", "make",
		".git/x.go", "not Go",
		"b/testdata/x.go", "not Go",
		"logo.png", "\x00",
	)
	if tree.Module != "example.com/m" || len(tree.Go) != 2 || len(tree.Text) != 5 {
		t.Errorf("module %s, %d files of Go, %d of text", tree.Module, len(tree.Go), len(tree.Text))
	}
	for _, f := range tree.Go {
		if f.Test != (f.Path == "b/b_test.go") || f.Dir == "." != (f.Path == "a.go") {
			t.Errorf("%+v", f)
		}
	}
	if _, err := Load(fstest.MapFS{"go.mod": {}, "a.go": {Data: []byte("not Go")}}); err == nil {
		t.Error("a file that doesn't parse is no error")
	}
	if _, err := Load(fstest.MapFS{}); err == nil {
		t.Error("no go.mod is no error")
	}
}

func TestExceptions(t *testing.T) {
	parse := func(text string) []*exception {
		list, err := parseExceptions(text)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	long := Finding{Path: "a/a.go", Name: "f", Size: 80, Text: "f has 80 lines"}
	for _, c := range []struct{ list, want string }{
		{"", "f has 80 lines"},
		{"func-length a/a.go f # a state machine", ""},
		{"func-length a/a.go f 80 # a state machine", ""},
		{"func-length a/a.go f 85 # a state machine", "better than the 85"},
		{"func-length a/a.go f 75 # a state machine", "f has 80 lines"},
		{"func-length a/b.go f # another file", "f has 80 lines"},
		{"panics a/a.go f # another rule", "f has 80 lines"},
	} {
		var got []string
		for _, f := range excuse("func-length", []Finding{long}, parse(c.list)) {
			got = append(got, f.Text)
		}
		if text := strings.Join(got, "; "); !strings.Contains(text, c.want) || c.want == "" && text != "" {
			t.Errorf("%q: %q, want %q", c.list, text, c.want)
		}
	}
	if got := excuse("func-length", nil, parse("func-length a/a.go f # it was long once")); len(got) != 1 {
		t.Errorf("an exception that excuses nothing: %v", got)
	}
	for _, bad := range []string{"func-length a/a.go f", "func-length a/a.go # why", "func-length a/a.go f x # why", "a b c d e # why"} {
		if _, err := parseExceptions(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestPolicy: what the policy says must be what was meant by it.
func TestPolicy(t *testing.T) {
	p := parsePolicy(layers)
	place := func(dir string) layer {
		l, ok := p.find(dir)
		if !ok {
			t.Fatalf("no line for %s", dir)
		}
		return l
	}
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"stream", "table", true}, {"table", "stream", false},
		{"stream", "broker", false}, {"broker", "stream", false},
		{"stream", "broker/internal/wire", false}, {"broker/internal/wire", "internal/client", false},
		{"stream/streamtest", "stream", true}, {"stream", "stream/streamtest", false},
		{"internal/worker", "internal/client", true}, {"internal/task", "internal/client", false},
		{"integration", "broker", true}, {"examples/clicks", "stream", true}, {"stream", "integration", false},
		{"broker/internal/group", "broker/internal/partition", true}, {"broker/internal/group", "broker/internal/coord", false},
		{"state", "internal/record", true}, {"internal/clock", "serde", false},
	} {
		if got := place(c.from).mayImport(place(c.to)); got != c.want {
			t.Errorf("%s imports %s: allowed %t, want %t", c.from, c.to, got, c.want)
		}
	}
}

// A module inside of the repository has its own dependencies, and its own rules.
func TestLoad_Modules(t *testing.T) {
	tree, err := Load(fstest.MapFS{
		"go.mod": {Data: []byte("module m\n")}, "a/a.go": {Data: []byte("package a\n")},
		"b/go.mod": {Data: []byte("module b\n")}, "b/c/c.go": {Data: []byte("not Go")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Go) != 1 || tree.Go[0].Path != "a/a.go" {
		t.Errorf("loaded %d files, want only a/a.go", len(tree.Go))
	}
}
