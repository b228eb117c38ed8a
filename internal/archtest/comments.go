package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
)

const whyComments = `Each package says what it is for and what it isn't, in the comment before its
package clause (in doc.go, where it is long). Each exported name, in internal
packages too, has a comment that gives what its signature doesn't: units,
errors, defaults, what may be called at the same time. One comment over a group
of constants or variables does for all of them. String, Error and Unwrap say
themselves what they do.`

func checkComments(t *Tree) []Finding {
	var found []Finding
	dirs, files := t.packages()
	for _, dir := range dirs {
		code := slices.DeleteFunc(slices.Clone(files[dir]), func(f *File) bool { return f.Test })
		if len(code) > 0 && !slices.ContainsFunc(code, func(f *File) bool { return hasText(f.Syntax.Doc) }) {
			found = append(found, Finding{Path: dir, Name: "package", Text: "the package has no comment"})
		}
		for _, f := range code {
			if !f.isMain() {
				found = append(found, f.undocumented()...)
			}
		}
	}
	return found
}

func (f *File) undocumented() []Finding {
	var found []Finding
	report := func(name string, pos token.Pos) {
		found = append(found, Finding{Path: f.Path, Line: f.line(pos), Name: name, Text: fmt.Sprintf("%s has no comment", name)})
	}
	for _, d := range f.Syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if isPublic(d) && !hasText(d.Doc) {
				report(funcName(d), d.Pos())
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if id := undocumentedSpec(spec, hasText(d.Doc)); id != nil {
					report(id.Name, id.Pos())
				}
			}
		}
	}
	return found
}

// isPublic reports whether a function is exported, a method on an exported
// type, and has a name that doesn't speak for itself.
func isPublic(fn *ast.FuncDecl) bool {
	if !fn.Name.IsExported() {
		return false
	}
	recv := receiver(fn)
	if recv == "" {
		return true
	}
	return ast.IsExported(recv) && !slices.Contains([]string{"String", "Error", "Unwrap"}, fn.Name.Name)
}

// undocumentedSpec is the exported name in spec that has no comment, or nil.
func undocumentedSpec(spec ast.Spec, group bool) *ast.Ident {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		if spec.Name.IsExported() && !group && !hasText(spec.Doc) && !hasText(spec.Comment) {
			return spec.Name
		}
	case *ast.ValueSpec:
		for _, id := range spec.Names {
			if id.IsExported() && !group && !hasText(spec.Doc) && !hasText(spec.Comment) {
				return id
			}
		}
	}
	return nil
}

func hasText(c *ast.CommentGroup) bool { return c != nil && c.Text() != "" }
