package archtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const whyImports = `A package imports only packages on lines above its own in the policy
(imports_policy.go), and other modules only where the policy lets them in. The
order is the design: a typed shell over an untyped core, stream apart from
broker. The policy is no list of what is there: don't change it to get a build
through; move the code to where it belongs. A new package gets a line of its
own choice, and with it its place in the design. Tests may import anything.`

// layer is the place of a package in the policy.
type layer struct {
	section string
	depth   int // lines above it in its section
	any     bool
}

// policy is the layers by folder. A folder ending in "/..." stands for all
// below it.
type policy map[string]layer

// parsePolicy reads sections ("name:") of lines of folders. A package may
// import those on lines above its own, in its section and in the section
// "shared"; those of the section "anything", all.
func parsePolicy(text string) policy {
	p := make(policy)
	section, depth := "", 0
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if name, ok := strings.CutSuffix(strings.TrimSpace(line), ":"); ok {
			section, depth = name, 0
			continue
		}
		for _, dir := range strings.Fields(line) {
			p[dir] = layer{section: section, depth: depth, any: section == "anything"}
		}
		depth++
	}
	return p
}

func (p policy) find(dir string) (layer, bool) {
	if l, ok := p[dir]; ok {
		return l, true
	}
	for pattern, l := range p {
		if matches(pattern, dir) {
			return l, true
		}
	}
	return layer{}, false
}

// matches reports whether dir is the folder, or below the folder of a pattern
// ending in "/...".
func matches(pattern, dir string) bool {
	root, all := strings.CutSuffix(pattern, "/...")
	return dir == root || all && strings.HasPrefix(dir, root+"/")
}

// mayImport reports whether the policy lets a import b.
func (a layer) mayImport(b layer) bool {
	switch {
	case a.any:
		return true
	case b.any:
		return false
	case b.section == "shared" && a.section != "shared":
		return true
	}
	return a.section == b.section && b.depth < a.depth
}

func checkImports(t *Tree, layers, external string) []Finding {
	policy, outside := parsePolicy(layers), parseExternal(external)
	var found []Finding
	seen := make(map[string]bool)
	for _, f := range t.Go {
		if f.Test {
			continue
		}
		from, ok := policy.find(f.Dir)
		if !ok {
			if !seen[f.Dir] {
				found = append(found, Finding{Path: f.Dir, Name: f.Dir, Text: "the policy has no line for this package"})
			}
			seen[f.Dir] = true
			continue
		}
		for _, spec := range f.Syntax.Imports {
			p, _ := strconv.Unquote(spec.Path.Value)
			report := func(text string) {
				found = append(found, Finding{Path: f.Path, Line: f.line(spec.Pos()), Name: p, Text: text})
			}
			if dir, ok := strings.CutPrefix(p, t.Module+"/"); ok {
				if to, ok := policy.find(dir); !ok || !from.mayImport(to) {
					report(fmt.Sprintf("%s must not import %s", f.Dir, dir))
				}
			} else if where, ok := outside.find(p); ok && !slices.ContainsFunc(where, func(w string) bool { return matches(w, f.Dir) }) {
				report(fmt.Sprintf("%s must not import %s: only %s may", f.Dir, p, strings.Join(where, ", ")))
			} else if !ok && strings.Contains(strings.Split(p, "/")[0], ".") {
				report(fmt.Sprintf("the policy has no line for %s, a module from outside", p))
			}
		}
	}
	return found
}

// outsiders maps import paths of other modules to the folders that may import
// them and what is below them.
type outsiders map[string][]string

func parseExternal(text string) outsiders {
	r := make(outsiders)
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			r[strings.TrimSuffix(words[0], ":")] = words[1:]
		}
	}
	return r
}

// find is the folders for an import path: those of the longest path above it.
func (r outsiders) find(path string) (where []string, ok bool) {
	best := -1
	for prefix, dirs := range r {
		if matches(prefix+"/...", path) && len(prefix) > best {
			best, where = len(prefix), dirs
		}
	}
	return where, best >= 0
}
