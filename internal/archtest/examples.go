package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

const whyExamples = `Each public package has an Example, and each method by which users build a
topology has one of its own, named for it (ExampleStream_MapValues in a _test.go
of the same folder). Examples are run by go test, so they can't lie, and go doc
and pkg.go.dev show them where people look.`

// publicPackages is what users import.
var publicPackages = []string{"serde", "topic", "window", "state", "table", "stream", "stream/streamtest", "broker"}

// dslPackages is those whose generic types users chain methods of.
var dslPackages = []string{"stream", "table"}

func checkExamples(t *Tree) []Finding {
	var found []Finding
	_, files := t.packages()
	for _, dir := range publicPackages {
		if len(files[dir]) == 0 {
			continue // not there yet
		}
		have := make(map[string]bool)
		for _, f := range files[dir] {
			f.funcs(func(fn *ast.FuncDecl) {
				if f.Test && strings.HasPrefix(fn.Name.Name, "Example") {
					have[fn.Name.Name] = true
				}
			})
		}
		if len(have) == 0 {
			found = append(found, Finding{Path: dir, Name: "Example", Text: "the package has no Example"})
		}
		if slices.Contains(dslPackages, dir) {
			found = append(found, missingExamples(files[dir], have)...)
		}
	}
	return found
}

func missingExamples(files []*File, have map[string]bool) []Finding {
	generic := genericTypes(files)
	var found []Finding
	for _, f := range files {
		f.funcs(func(fn *ast.FuncDecl) {
			if f.Test || !isPublic(fn) || !generic[receiver(fn)] {
				return
			}
			want := "Example" + receiver(fn) + "_" + fn.Name.Name
			if !hasExample(have, want) {
				found = append(found, Finding{Path: f.Path, Line: f.line(fn.Pos()), Name: funcName(fn), Text: fmt.Sprintf("there is no %s", want)})
			}
		})
	}
	return found
}

// hasExample reports whether there is the example, perhaps one with a suffix,
// which go doc takes as a further one of the same thing.
func hasExample(have map[string]bool, want string) bool {
	for name := range have {
		if rest, ok := strings.CutPrefix(name, want); ok && (rest == "" || rest[0] == '_') {
			return true
		}
	}
	return false
}

// genericTypes is the exported types with type parameters.
func genericTypes(files []*File) map[string]bool {
	generic := make(map[string]bool)
	for _, f := range files {
		for _, d := range f.Syntax.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range decl.Specs {
				if ts, ok := spec.(*ast.TypeSpec); ok && ts.TypeParams != nil && ts.Name.IsExported() {
					generic[ts.Name.Name] = true
				}
			}
		}
	}
	return generic
}
