package archtest

// Rule is one of the things that hold everywhere in the repository.
type Rule struct {
	Name  string
	Why   string // what it asks, why, and what to do about a finding
	Check func(*Tree) []Finding
}

// Rules is all of them.
var Rules = []Rule{
	{"imports", whyImports, func(t *Tree) []Finding { return checkImports(t, layers, external) }},
	{"file-length", whyFileLength, checkFileLength},
	{"func-length", whyFuncLength, checkFuncLength},
	{"calls", whyCalls, func(t *Tree) []Finding { return checkCalls(t, bannedCalls) }},
	{"panics", whyPanics, checkPanics},
	{"sleeps", whySleeps, checkSleeps},
	{"skips", whySkips, checkSkips},
	{"words", whyWords, checkWords},
	{"names", whyNames, checkNames},
	{"comments", whyComments, checkComments},
	{"examples", whyExamples, checkExamples},
}
