package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Tree is the files of a repository.
type Tree struct {
	Module string  // the module's path
	Go     []*File // each file of Go, parsed
	Text   []*Text // each file that people write, Go too
}

// File is a parsed file of Go.
type File struct {
	Path   string // slash-separated, from the root of the repository
	Dir    string // its folder, "." for the root
	Test   bool   // named _test.go
	Lines  int
	Syntax *ast.File
	fset   *token.FileSet
}

// Text is a file as text.
type Text struct {
	Path    string
	Content string
}

// Finding is something a rule finds wrong.
type Finding struct {
	Path string
	Line int    // 0 if it is the file or the folder as a whole
	Name string // what it is about, for the list of exceptions: a function, a word
	Size int    // for the rules about length
	Text string
}

func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.Path, f.Text)
	}
	return fmt.Sprintf("%s:%d: %s", f.Path, f.Line, f.Text)
}

// Load reads and parses the files below the root of fsys. A file of Go that
// doesn't parse is an error.
func Load(fsys fs.FS) (*Tree, error) {
	tree := &Tree{}
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("the root of the repository: %w", err)
	}
	first, _, _ := strings.Cut(string(mod), "\n")
	tree.Module = strings.TrimSpace(strings.TrimPrefix(first, "module "))

	fset := token.NewFileSet()
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (skipDir(name) || isModule(fsys, name)):
			return fs.SkipDir
		case d.IsDir() || !isText(name):
			return nil
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		return tree.add(fset, name, string(content))
	})
	return tree, err
}

func (t *Tree) add(fset *token.FileSet, name, content string) error {
	t.Text = append(t.Text, &Text{Path: name, Content: content})
	if path.Ext(name) != ".go" {
		return nil
	}
	syntax, err := parser.ParseFile(fset, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.Go = append(t.Go, &File{
		Path:   name,
		Dir:    path.Dir(name),
		Test:   strings.HasSuffix(name, "_test.go"),
		Lines:  strings.Count(content, "\n"),
		Syntax: syntax,
		fset:   fset,
	})
	return nil
}

// skipDir is for folders that hold what is built, stored or recorded.
func skipDir(name string) bool {
	switch base := path.Base(name); base {
	case "testdata", "vendor", "bin", "data":
		return true
	case ".", ".ci":
		return false
	default:
		return strings.HasPrefix(base, ".")
	}
}

// isModule reports whether a folder is a module of its own, which has its own
// dependencies and isn't built with the rest.
func isModule(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, path.Join(name, "go.mod"))
	return err == nil && name != "."
}

func isText(name string) bool {
	switch path.Ext(name) {
	case ".go", ".md", ".mk", ".sh", ".yml", ".yaml", ".toml":
		return true
	}
	base := path.Base(name)
	return base == "Makefile" || base == "run"
}

// packages groups the files of Go by folder, tests too, in order of folders.
func (t *Tree) packages() (dirs []string, files map[string][]*File) {
	files = make(map[string][]*File)
	for _, f := range t.Go {
		if files[f.Dir] == nil {
			dirs = append(dirs, f.Dir)
		}
		files[f.Dir] = append(files[f.Dir], f)
	}
	return dirs, files
}

// line is the line of a position in the file.
func (f *File) line(p token.Pos) int { return f.fset.Position(p).Line }

// isMain reports whether the file belongs to a command.
func (f *File) isMain() bool { return f.Syntax.Name.Name == "main" }

// imports maps the name under which the file knows a package to its path.
// Packages without a name of their own here go by the last element of their
// path, leaving out a version.
func (f *File) imports() map[string]string {
	names := make(map[string]string)
	for _, spec := range f.Syntax.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(p)
		if isVersion(name) {
			name = path.Base(path.Dir(p))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}

func isVersion(name string) bool {
	_, err := strconv.Atoi(strings.TrimPrefix(name, "v"))
	return err == nil && strings.HasPrefix(name, "v")
}

// funcs calls yield for each function and method declared in the file.
func (f *File) funcs(yield func(*ast.FuncDecl)) {
	for _, d := range f.Syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			yield(fn)
		}
	}
}

// funcName is "F", or "T.M" for a method.
func funcName(fn *ast.FuncDecl) string {
	if recv := receiver(fn); recv != "" {
		return recv + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// receiver is the name of the type a method belongs to, "" for a function.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	t := fn.Recv.List[0].Type
	for {
		switch e := t.(type) {
		case *ast.StarExpr:
			t = e.X
		case *ast.ParenExpr:
			t = e.X
		case *ast.IndexExpr:
			t = e.X
		case *ast.IndexListExpr:
			t = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}
