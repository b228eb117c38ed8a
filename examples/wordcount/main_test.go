package main

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/stream/streamtest"
)

func TestWordCount(t *testing.T) {
	d := streamtest.New(t, wordCount)
	d.Send(lines, "", "to be or not to be")
	d.Send(lines, "", "be")

	got := maps.Collect(d.Read(totals)) // the last total of each word
	want := map[string]int64{"to": 2, "be": 3, "or": 1, "not": 1}
	if !maps.Equal(got, want) {
		t.Errorf("totals = %v, want %v", got, want)
	}

	d.Advance(time.Hour) // no timers: nothing may happen
	for word, n := range d.Read(totals) {
		t.Errorf("unexpected %s: %d", word, n)
	}
	if n, ok, err := d.Store(counts).Get("be"); n != 3 || !ok || err != nil {
		t.Errorf("counts[be] = %d, %t, %v", n, ok, err)
	}
}

// The README shows this program; it must be this one.
func TestREADME(t *testing.T) {
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(program), "package main")
	if !strings.Contains(string(readme), "```go\npackage main"+code+"```\n") {
		t.Error("README.md doesn't show main.go as it is; copy it from \"package main\" on")
	}
}
