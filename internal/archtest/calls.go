package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

const whyCalls = `No wall clock, socket, disk or global logger behind the caller's back. Time
comes in through internal/clock, connections through dial and listen functions
of a Config, the broker's files through broker/internal/vfs, logs through a
*slog.Logger. That is what lets a whole system run in a test under virtual
time, over a lossy network, on a disk that forgets. Tests may call what they
like, but for time.Sleep.`

// bannedCalls is functions (and types) of other packages, and the folders that
// are the seam they may be used in. "time.*" stands for all of a package.
const bannedCalls = `
# clocks: use clock.Clock
time.Now time.Since time.Until time.Sleep time.After time.AfterFunc time.Tick time.NewTimer time.NewTicker:
	internal/clock cmd/... examples/... integration/...
# sockets: take a function from the Config
net.Dial net.DialTimeout net.DialTCP net.DialUDP net.Dialer net.Listen net.ListenTCP net.ListenPacket net.ListenConfig tls.Dial tls.DialWithDialer tls.Dialer tls.Listen:
	internal/client broker cmd/... examples/... integration/...
http.Get http.Post http.DefaultClient http.DefaultServeMux http.HandleFunc http.Handle http.ListenAndServe:
	cmd/... examples/... integration/...
# logs: take a *slog.Logger; log.* is for main functions
slog.Default slog.SetDefault slog.Debug slog.Info slog.Warn slog.Error slog.Log log.Print log.Printf log.Println log.Fatal log.Fatalf log.Fatalln log.Panic log.Panicf log.Default:
	cmd/... examples/... integration/...
fmt.Print fmt.Printf fmt.Println os.Stdout os.Stderr os.Exit os.Args:
	cmd/... examples/... integration/...
# chance: take a seed or a generator, so that a run can be repeated
rand.Int rand.IntN rand.Intn rand.Int63 rand.Int64 rand.Int64N rand.Uint32 rand.Uint64 rand.Float64 rand.Perm rand.Shuffle rand.N:
	cmd/... examples/... integration/...
`

// brokerFiles is those that only hold in the broker, whose whole disk is a seam.
const brokerFiles = `
os.Open os.OpenFile os.Create os.CreateTemp os.ReadFile os.WriteFile os.Remove os.RemoveAll os.Rename os.Mkdir os.MkdirAll os.ReadDir os.Stat os.Truncate os.Root os.OpenRoot:
	broker/internal/vfs
`

// ban is the folders in which a name may be used nevertheless.
type ban map[string][]string

// parseBans reads names, a colon, and folders, over any number of lines.
func parseBans(text string) ban {
	b := make(ban)
	var names, dirs []string
	inDirs := false
	flush := func() {
		for _, n := range names {
			b[n] = dirs
		}
		names, dirs, inDirs = nil, nil, false
	}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if inDirs && !strings.HasPrefix(line, "\t") {
			flush()
		}
		for _, word := range strings.Fields(line) {
			name, last := strings.CutSuffix(word, ":")
			if inDirs {
				dirs = append(dirs, word)
			} else {
				names = append(names, name)
			}
			inDirs = inDirs || last
		}
	}
	flush()
	return b
}

func checkCalls(t *Tree, banned string) []Finding {
	everywhere, broker := parseBans(banned), parseBans(brokerFiles)
	var found []Finding
	for _, f := range t.Go {
		if f.Test {
			continue
		}
		found = append(found, f.uses(everywhere)...)
		if matches("broker/...", f.Dir) {
			found = append(found, f.uses(broker)...)
		}
	}
	return found
}

// uses finds the banned names that the file uses.
func (f *File) uses(banned ban) []Finding {
	var found []Finding
	imports := f.imports()
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		name := f.selected(n, imports)
		where, ok := banned[name]
		if ok && !slices.ContainsFunc(where, func(w string) bool { return matches(w, f.Dir) }) {
			found = append(found, Finding{Path: f.Path, Line: f.line(n.Pos()), Name: name,
				Text: fmt.Sprintf("%s is used, but is only for %s", name, strings.Join(where, ", "))})
		}
		return true
	})
	return found
}

// selected is "pkg.Name" where n is a name of an imported package of the
// standard library, whatever it was imported as; else "".
func (f *File) selected(n ast.Node, imports map[string]string) string {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	p := imports[x.Name]
	if p == "" || strings.Contains(strings.Split(p, "/")[0], ".") || p == "crypto/rand" {
		return ""
	}
	p = strings.TrimSuffix(p, "/v2")
	return p[strings.LastIndex(p, "/")+1:] + "." + sel.Sel.Name
}

const whyPanics = `panic is for the bugs of a programmer, and those are said by
invariant.Violated, or by a function called Must…. Bad data, bad configuration
and bad luck are errors. (A recover may be anywhere, and so may be the panic
that passes on what a recover got: write it as panic(r) or panic(recovered).)`

func checkPanics(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Go {
		if f.Test || f.Dir == "internal/invariant" {
			continue
		}
		f.funcs(func(fn *ast.FuncDecl) {
			if strings.HasPrefix(fn.Name.Name, "Must") {
				return
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || !isIdent(call.Fun, "panic") {
					return true
				}
				if len(call.Args) == 1 && (isIdent(call.Args[0], "r") || isIdent(call.Args[0], "recovered")) {
					return true
				}
				found = append(found, Finding{Path: f.Path, Line: f.line(call.Pos()), Name: funcName(fn), Text: funcName(fn) + " calls panic"})
				return true
			})
		})
	}
	return found
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
