package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

const whyNames = `A package is named for what it holds, never for being a drawer: not util,
common, base, helper, manager, types. A function that gives a thing is named for
the thing: Offset, not GetOffset. A type doesn't repeat its package's name:
stream.Config, not stream.StreamConfig. STYLE.md has the words of the field.`

var drawers = []string{"util", "utils", "common", "base", "helper", "helpers", "manager", "types", "misc", "shared", "lib"}

func checkNames(t *Tree) []Finding {
	var found []Finding
	dirs, files := t.packages()
	for _, dir := range dirs {
		if name := files[dir][0].Syntax.Name.Name; slices.Contains(drawers, name) {
			found = append(found, Finding{Path: dir, Name: name, Text: "package " + name + " is named for being a drawer"})
		}
	}
	for _, f := range t.Go {
		if f.Test {
			continue
		}
		f.exported(func(name string, pos token.Pos, isType bool) {
			report := func(format string, args ...any) {
				found = append(found, Finding{Path: f.Path, Line: f.line(pos), Name: name, Text: fmt.Sprintf(format, args...)})
			}
			if bare := strings.TrimPrefix(name, "Get"); bare != name && ast.IsExported(bare) {
				report("%s: say %s", name, bare)
			}
			if !isType {
				return
			}
			pkg := f.Syntax.Name.Name
			if len(name) > len(pkg) && strings.EqualFold(name[:len(pkg)], pkg) && ast.IsExported(name[len(pkg):]) {
				report("%s.%s: say %s.%s", pkg, name, pkg, name[len(pkg):])
			}
		})
	}
	return found
}

// exported calls yield for each exported function, method and type declared at
// the top of the file.
func (f *File) exported(yield func(name string, pos token.Pos, isType bool)) {
	for _, d := range f.Syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() {
				yield(d.Name.Name, d.Name.Pos(), false)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok && spec.Name.IsExported() {
					yield(spec.Name.Name, spec.Name.Pos(), true)
				}
			}
		}
	}
}
