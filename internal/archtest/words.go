package archtest

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

const whyWords = `Some words mean that something isn't finished, or is only true on one machine.
What is to be done is done now, or is an issue in the tracker with its own text;
paths come from flags, the environment or t.TempDir. (internal/archtest itself
is exempt, as it has to name them.)`

// bannedWords is what must not be written in any file, and why.
var bannedWords = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`\b(TODO|FIXME)\b`), "finish it, or make it an issue"},
	{regexp.MustCompile(`(^|[\s"'=(` + "`" + `])/(root|home|work|Users)/[\w.]`), "a path of one machine"},
	{regexp.MustCompile(`\.\./shared/`), "a path outside of the repository"},
	{regexp.MustCompile(`(?i)\bnolint\b`), "no linter reads it: say //lint:ignore CHECK reason"},
}

func checkWords(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Text {
		if path.Dir(f.Path) == "internal/archtest" {
			continue
		}
		n := 0
		for line := range strings.Lines(f.Content) {
			n++
			for _, ban := range bannedWords {
				if m := ban.pattern.FindString(line); m != "" {
					word := strings.Trim(m, " \t\"'=(`")
					found = append(found, Finding{Path: f.Path, Line: n, Name: word, Text: fmt.Sprintf("%q: %s", word, ban.why)})
				}
			}
		}
	}
	return found
}
