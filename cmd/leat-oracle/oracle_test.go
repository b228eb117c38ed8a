package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/leatstream/leat/window"
)

// archived are the cases of testdata, by file name.
func archived(t testing.TB) map[string]*testCase {
	t.Helper()
	z, err := zip.OpenReader("testdata/cases.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	cases := map[string]*testCase{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		src, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if cases[f.Name], err = readCase(src); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
	}
	return cases
}

// TestCases holds leat against every answer of Kafka Streams in testdata.
func TestCases(t *testing.T) {
	kinds := map[string]int{}
	for name, c := range archived(t) {
		res, err := runCase(c)
		if err != nil {
			t.Errorf("%s (%s): %v", name, c.Comment, err)
			continue
		}
		for _, d := range compare(c, res) {
			t.Errorf("%s (%s): %s", name, c.Comment, d)
		}
		kinds[kindOf(name)]++
	}
	total := 0
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%4d %s", kinds[kind], kind)
		total += kinds[kind]
	}
	t.Logf("%4d cases", total)
	if total < 694 {
		t.Errorf("only %d cases agree", total)
	}
}

// TestCases_Restarted restarts the tasks before each record, with empty
// databases. What they answer must be the same.
func TestCases_Restarted(t *testing.T) {
	total := 0
	for name, c := range archived(t) {
		if forgets(c) || looksLate(c) {
			continue
		}
		res, err := runWith(c, way{restart: func() bool { return true }})
		if err != nil {
			t.Errorf("%s (%s): %v", name, c.Comment, err)
			continue
		}
		for _, d := range compare(c, res) {
			t.Errorf("%s (%s): %s", name, c.Comment, d)
		}
		total++
	}
	t.Logf("%d cases", total)
	if total < 450 {
		t.Errorf("only %d cases were run", total)
	}
}

// forgets reports whether a case keeps in memory what a restart loses: a processor
// when it punctuates next, or how many records it has seen; a left or outer join
// of streams, under LikeKafka, how old what waits was when it last looked, which
// is Kafka's memory too.
func forgets(c *testCase) bool {
	return slices.ContainsFunc(c.Topology, func(op operator) bool {
		if op.Op == "streamJoin" && op.Type != "inner" {
			return true
		}
		return slices.Contains([]string{"ticker", "emitCountEvery", "deadline", "sortBuffer"}, op.Fn)
	})
}

// looksLate reports whether a case has a join that looks for what it hasn't
// joined when Kafka Streams would. That remembers in memory when to look, not
// always rightly: after a restart it finds earlier what is due. As leat does it
// by default a restart changes nothing; that is TestCases_RandomRestarts.
func looksLate(c *testCase) bool {
	return slices.ContainsFunc(c.Topology, func(op operator) bool {
		return op.Op == "streamJoin" && op.Type != "inner"
	})
}

// kindOf is "hand", "random", or what a focused case is about.
func kindOf(name string) string {
	dir, file := path.Split(name)
	if dir != "focused/" {
		return strings.TrimSuffix(dir, "/")
	}
	return strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(file, ".json"), "-b"), "-0123456789")
}

// The comparison must notice what it is there for.
func TestCompare_NoticesDifferences(t *testing.T) {
	c := archived(t)["hand/022-tumbling-grace.json"]
	if c == nil {
		t.Fatal("the case is gone")
	}
	changes := map[string]func(*result){
		"a value":            func(r *result) { r.Topics["out"][1].Value = str("other") },
		"a key":              func(r *result) { r.Topics["out"][1].Key = nil },
		"a window":           func(r *result) { r.Topics["out"][1].Key.span.EndMS++ },
		"a time":             func(r *result) { r.Topics["out"][0].TS++ },
		"a header":           func(r *result) { r.Topics["out"][0].Headers = [][2]any{{"h", "v"}} },
		"one record less":    func(r *result) { r.Topics["out"] = r.Topics["out"][1:] },
		"one record more":    func(r *result) { r.Topics["out"] = append(r.Topics["out"], r.Topics["out"][0]) },
		"the order":          func(r *result) { o := r.Topics["out"]; o[0], o[1] = o[1], o[0] },
		"another topic":      func(r *result) { r.Topics["more"] = r.Topics["out"] },
		"a row":              func(r *result) { r.Stores["st"][0].Value = nil },
		"no store":           func(r *result) { delete(r.Stores, "st") },
		"an error":           func(r *result) { r.Error = &failure{Phase: "run"} },
		"a peek":             func(r *result) { r.Peeks = []peeked{{ID: "p"}} },
		"an answered query":  func(r *result) { r.Queries = []answer{{Store: "st"}} },
		"a row of the store": func(r *result) { r.Stores["st"] = r.Stores["st"][1:] },
	}
	for what, change := range changes {
		res, err := runCase(c)
		if err != nil {
			t.Fatal(err)
		}
		if d := compare(c, res); len(d) > 0 {
			t.Fatalf("unchanged: %v", d)
		}
		if change(res); len(compare(c, res)) == 0 {
			t.Errorf("%s: no difference", what)
		}
	}
}

func TestRun_UnsupportedOperator(t *testing.T) {
	c := &testCase{Topology: []operator{
		{ID: "s", Op: "stream", Topic: "in", Key: "string", Value: "string"},
		{ID: "x", Op: "levitate", From: names{"s"}},
	}}
	_, err := runCase(c)
	var u *unsupportedError
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "levitate") {
		t.Errorf("got %v", err)
	}
	var stderr bytes.Buffer
	if code := runFiles([]string{"testdata/none.json"}, true, "", io.Discard, &stderr); code != 1 || stderr.Len() == 0 {
		t.Errorf("a file that isn't there: exit code %d, %q", code, &stderr)
	}
}

// FuzzTagged reads arbitrary bytes as a key or value of a store.
func FuzzTagged(f *testing.F) {
	for _, d := range []*datum{str(""), str("a"), num(-1), raw([]byte{0}), inWindow(str("k"), windowSpan), inWindow(nil, windowSpan)} {
		b, err := tagged{}.Append(nil, d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{byte(windowed), 0})
	f.Fuzz(func(t *testing.T, src []byte) {
		d, err := tagged{}.Decode(src)
		if err != nil {
			return
		}
		b, err := tagged{}.Append(nil, d)
		if err != nil || !bytes.Equal(b, src) {
			t.Errorf("%x became %v, then %x, %v", src, d, b, err)
		}
	})
}

var windowSpan = window.Span{StartMS: 1, EndMS: 2}

// FuzzCase reads arbitrary bytes as a case: it may fail, but not panic.
func FuzzCase(f *testing.F) {
	f.Add([]byte(`{"topology":[{"id":"s","op":"stream","topic":"in","key":"string","value":"int64"},{"op":"to","from":"s","topic":"out"}],"inputs":[{"topic":"in","key":"a","value":1,"ts":1}],"expected":{"topics":{"out":[{"key":"a","value":1,"ts":1}]}}}`))
	f.Add([]byte(`{"topology":[{"op":"to"}]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := readCase(src)
		if err != nil {
			return
		}
		if res, err := runCase(c); err == nil && json.Valid(c.Expected) {
			compare(c, res)
		}
	})
}
