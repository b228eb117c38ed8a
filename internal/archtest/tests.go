package archtest

import "go/ast"

const whySleeps = `No time.Sleep in tests: it is too short on a busy machine and too long on all
others. Wait for what you wait for: a channel, a callback, a Wait method. Where
time itself is tested, use testing/synctest, whose time goes by at once; there,
directly in the function passed to synctest.Test, Sleep is allowed.`

func checkSleeps(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Go {
		if !f.Test {
			continue
		}
		imports := f.imports()
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && f.selected(call.Fun, imports) == "synctest.Test" {
				return false
			}
			if f.selected(n, imports) == "time.Sleep" {
				found = append(found, Finding{Path: f.Path, Line: f.line(n.Pos()), Name: "time.Sleep", Text: "time.Sleep in a test"})
			}
			return true
		})
	}
	return found
}

const whySkips = `A test that is skipped says why: t.Skip with a reason, not t.SkipNow or an
empty t.Skip. The reason says what would have to be there for it to run.`

func checkSkips(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Go {
		if !f.Test {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) > 0 {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && isTesting(sel.X) && (sel.Sel.Name == "Skip" || sel.Sel.Name == "SkipNow") {
				found = append(found, Finding{Path: f.Path, Line: f.line(call.Pos()), Name: sel.Sel.Name,
					Text: sel.Sel.Name + " without a reason"})
			}
			return true
		})
	}
	return found
}

// isTesting goes by the names that everybody gives a testing.T, B, F and TB.
func isTesting(e ast.Expr) bool {
	return isIdent(e, "t") || isIdent(e, "b") || isIdent(e, "f") || isIdent(e, "tb")
}
