package archtest

import (
	"fmt"
	"strconv"
	"strings"
)

// exceptions is where a rule isn't kept yet, or can't be: one a line,
//
//	rule  file  name  [size]  # reason
//
// The list is a ratchet. With a size, the thing may shrink but not grow. An
// exception that excuses nothing any more is an error, as is one without a
// reason. Empty is best.
const exceptions = `
names internal/client/batch.go GetRecords # kgo.PoolRecords calls it that
`

type exception struct {
	rule, path, name string
	size             int
	used             bool
}

func parseExceptions(text string) ([]*exception, error) {
	var list []*exception
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		entry, reason, _ := strings.Cut(line, "#")
		if strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("an exception without a reason: %q", line)
		}
		words := strings.Fields(entry)
		if len(words) < 3 || len(words) > 4 {
			return nil, fmt.Errorf("an exception is rule, file, name, perhaps a size, then # and the reason: %q", line)
		}
		e := &exception{rule: words[0], path: words[1], name: words[2]}
		if len(words) == 4 {
			n, err := strconv.Atoi(words[3])
			if err != nil {
				return nil, fmt.Errorf("the size in %q: %w", line, err)
			}
			e.size = n
		}
		list = append(list, e)
	}
	return list, nil
}

// excuse leaves out the findings of a rule for which there is an exception, and
// adds one for each exception that is of no use, or of less than it says.
func excuse(rule string, findings []Finding, list []*exception) []Finding {
	var left []Finding
	for _, f := range findings {
		if e := find(list, rule, f); e != nil {
			e.used = true
			if f.Size < e.size {
				f.Text += fmt.Sprintf(" (better than the %d it may have: say %d in the list of exceptions)", e.size, f.Size)
				left = append(left, f)
			}
			continue
		}
		left = append(left, f)
	}
	for _, e := range list {
		if e.rule == rule && !e.used {
			left = append(left, Finding{Path: e.path, Name: e.name,
				Text: fmt.Sprintf("the exception for %s isn't needed any more, or not enough: see the list in exceptions.go", e.name)})
		}
	}
	return left
}

func find(list []*exception, rule string, f Finding) *exception {
	for _, e := range list {
		if e.rule == rule && e.path == f.Path && e.name == f.Name && (e.size == 0 || f.Size <= e.size) {
			return e
		}
	}
	return nil
}
