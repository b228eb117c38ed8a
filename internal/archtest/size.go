package archtest

import (
	"fmt"
	"go/ast"
)

// The most lines of a file, and of a function from its first line to its
// closing brace. Functions of tests are exempt: a table of cases is long and
// yet simple.
const (
	maxFileLines = 500
	maxFuncLines = 70
)

const whyFileLength = `A file has at most 500 lines, and 60 to 300 are better. What tells code that
can be read from code that can't is the tail: the few very long files. Take one
noun, or one operator, out into a file of its own.`

const whyFuncLength = `A function has at most 70 lines: it can be seen as a whole, and does one thing.
Take out what has a name of its own: the pure part, the inner loop, the error's
text. Don't cut it in two at the middle.`

func checkFileLength(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Go {
		if f.Lines > maxFileLines {
			found = append(found, Finding{Path: f.Path, Name: "file", Size: f.Lines,
				Text: fmt.Sprintf("%d lines, at most %d", f.Lines, maxFileLines)})
		}
	}
	return found
}

func checkFuncLength(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Go {
		if f.Test {
			continue
		}
		f.funcs(func(fn *ast.FuncDecl) {
			lines := f.line(fn.End()) - f.line(fn.Pos()) + 1
			if lines > maxFuncLines {
				found = append(found, Finding{Path: f.Path, Line: f.line(fn.Pos()), Name: funcName(fn), Size: lines,
					Text: fmt.Sprintf("%s has %d lines, at most %d", funcName(fn), lines, maxFuncLines)})
			}
		})
	}
	return found
}
