package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// The function library of cases, part 1: functions of one record. A function
// takes and gives null as nil.

var errBoom = errors.New("boom")

// MustNotBoom is how a pure function fails a record in leat: it panics.
func MustNotBoom(d *datum) {
	if d.is(text) && strings.Contains(d.text, "boom") {
		panic(errBoom)
	}
}

type (
	valueFunc    func(v *datum) *datum
	valueKeyFunc func(k, v *datum) *datum
	predicate    func(k, v *datum) bool
	mapFunc      func(k, v *datum) (*datum, *datum)
	pair         struct{ k, v *datum }
)

var intText = regexp.MustCompile(`^-?[0-9]{1,18}$`)

// valueFuncs are functions of a value; orNull says which are not called for null.
var valueFuncs = map[string]valueFunc{
	"identity":    orNull(func(v *datum) *datum { return v }),
	"upper":       orNull(func(v *datum) *datum { return str(strings.ToUpper(v.text)) }),
	"reverse":     orNull(func(v *datum) *datum { return str(reversed(v.text)) }),
	"bang":        orNull(func(v *datum) *datum { return str(v.text + "!") }),
	"length":      orNull(func(v *datum) *datum { return num(int64(len(v.text))) }),
	"parseInt":    orNull(parseInt),
	"toString":    orNull(func(v *datum) *datum { return str(v.String()) }),
	"addOne":      orNull(func(v *datum) *datum { return num(v.int + 1) }),
	"double":      orNull(func(v *datum) *datum { return num(v.int * 2) }),
	"neg":         orNull(func(v *datum) *datum { return num(-v.int) }),
	"toFloat":     orNull(func(v *datum) *datum { return &datum{kind: float, float: float64(v.int)} }),
	"half":        orNull(func(v *datum) *datum { return &datum{kind: float, float: v.float / 2} }),
	"toBytes":     orNull(func(v *datum) *datum { return raw([]byte(v.text)) }),
	"fromBytes":   orNull(func(v *datum) *datum { return str(v.text) }),
	"nullIfOdd":   orNull(func(v *datum) *datum { return unless(v.int%2 != 0, v) }),
	"nullIfEmpty": orNull(func(v *datum) *datum { return unless(v.text == "", v) }),
	"nullIfX":     orNull(func(v *datum) *datum { return unless(strings.Contains(v.text, "x"), v) }),
	"failOnBoom":  orNull(func(v *datum) *datum { MustNotBoom(v); return v }),
	"const1":      func(*datum) *datum { return num(1) },
	"showNull":    func(v *datum) *datum { return str("<" + v.String() + ">") },
}

func orNull(f valueFunc) valueFunc {
	return func(v *datum) *datum {
		if v == nil {
			return nil
		}
		return f(v)
	}
}

func unless(null bool, v *datum) *datum {
	if null {
		return nil
	}
	return v
}

func reversed(s string) string {
	b := []rune(s)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

func parseInt(v *datum) *datum {
	n, err := strconv.ParseInt(v.text, 10, 64)
	return unless(err != nil || !intText.MatchString(v.text), num(n))
}

var valueKeyFuncs = map[string]valueKeyFunc{
	"keyColonValue": func(k, v *datum) *datum { return str(k.String() + ":" + v.String()) },
	"keyColonValueOrNull": func(k, v *datum) *datum {
		return unless(v == nil, str(k.String()+":"+v.String()))
	},
	"keyStr": func(k, _ *datum) *datum { return str(k.String()) },
}

var mapFuncs = map[string]mapFunc{
	"swap":           func(k, v *datum) (*datum, *datum) { return v, k },
	"keyByFirstChar": func(_, v *datum) (*datum, *datum) { return firstChar(v), v },
	"prefixKey":      func(k, v *datum) (*datum, *datum) { return str("p-" + k.String()), v },
	"nullKey":        func(_, v *datum) (*datum, *datum) { return nil, v },
	"pairUp":         func(k, v *datum) (*datum, *datum) { return str(v.String()), str(k.String() + "=" + v.String()) },
	"identity":       func(k, v *datum) (*datum, *datum) { return k, v },
	"byMod2":         func(_, v *datum) (*datum, *datum) { return parity(v), v },
}

func firstChar(v *datum) *datum {
	if v.isEmpty() {
		return v
	}
	return str(v.text[:1])
}

func parity(v *datum) *datum {
	if v == nil {
		return nil
	}
	if v.int%2 == 0 {
		return str("even")
	}
	return str("odd")
}

var flatMapFuncs = map[string]func(k, v *datum) []pair{
	"dup":  func(k, v *datum) []pair { return []pair{{k, v}, {k, v}} },
	"none": func(_, _ *datum) []pair { return nil },
	"wordsAsKeys": func(_, v *datum) (out []pair) {
		for _, w := range words(v) {
			out = append(out, pair{w, v})
		}
		return out
	},
	"keyAndPrefixed": func(k, v *datum) []pair { return []pair{{str(k.String()), v}, {str("p-" + k.String()), v}} },
}

// words splits at single spaces and leaves empty parts out.
func words(v *datum) (out []*datum) {
	if v == nil {
		return nil
	}
	for _, w := range strings.Split(v.text, " ") {
		if w != "" {
			out = append(out, str(w))
		}
	}
	return out
}

var flatValueFuncs = map[string]func(v *datum) []*datum{
	"splitWords": words,
	"dupValue":   func(v *datum) []*datum { return []*datum{v, v} },
	"chars": func(v *datum) (out []*datum) {
		if v != nil {
			for _, c := range v.text {
				out = append(out, str(string(c)))
			}
		}
		return out
	},
	"upTo": func(v *datum) (out []*datum) {
		for i := range max(0, min(v.number(), 5)) {
			out = append(out, num(i))
		}
		return out
	},
}

var predicates = map[string]predicate{
	"isEven":      func(_, v *datum) bool { return v != nil && v.int%2 == 0 },
	"isPositive":  func(_, v *datum) bool { return v != nil && v.int > 0 },
	"over5":       func(_, v *datum) bool { return v != nil && v.int > 5 },
	"nonNull":     func(_, v *datum) bool { return v != nil },
	"keyNonNull":  func(k, _ *datum) bool { return k != nil },
	"containsA":   func(_, v *datum) bool { return v != nil && strings.Contains(v.text, "a") },
	"longerThan3": func(_, v *datum) bool { return v != nil && len(v.text) > 3 },
	"keyIsA":      func(k, _ *datum) bool { return k.String() == "a" },
	"keyLtC":      func(k, _ *datum) bool { return k.String() < "c" },
	"always":      func(_, _ *datum) bool { return true },
	"never":       func(_, _ *datum) bool { return false },
	"failOnBoom":  func(_, v *datum) bool { MustNotBoom(v); return true },
}

var keyFuncs = map[string]valueKeyFunc{
	"key":          func(k, _ *datum) *datum { return k },
	"value":        func(_, v *datum) *datum { return v },
	"valueStr":     func(_, v *datum) *datum { return str(v.String()) },
	"keyStr":       func(k, _ *datum) *datum { return str(k.String()) },
	"firstChar":    func(_, v *datum) *datum { return firstChar(v) },
	"keyFirstChar": func(k, _ *datum) *datum { return firstChar(k) },
	"beforeColon": func(_, v *datum) *datum {
		if v == nil {
			return nil
		}
		before, _, ok := strings.Cut(v.text, ":")
		return unless(!ok, str(before))
	},
	"constAll": func(_, _ *datum) *datum { return str("all") },
	"mod2":     func(_, v *datum) *datum { return parity(v) },
	"null":     func(_, _ *datum) *datum { return nil },
	"nullIfX": func(_, v *datum) *datum {
		return unless(v == nil || strings.Contains(v.text, "x"), v)
	},
	"windowKey": func(k, _ *datum) *datum { return k.inner },
}

// tableMaps give a row of a table its group; the value is never null.
var tableMaps = map[string]mapFunc{
	"byKey":          func(k, v *datum) (*datum, *datum) { return k, v },
	"byValue":        func(_, v *datum) (*datum, *datum) { return str(v.String()), v },
	"byFirstChar":    func(_, v *datum) (*datum, *datum) { return firstChar(v), v },
	"byConst":        func(_, v *datum) (*datum, *datum) { return str("all"), v },
	"byMod2":         func(_, v *datum) (*datum, *datum) { return parity(v), v },
	"byKeyFirstChar": func(k, v *datum) (*datum, *datum) { return firstChar(k), v },
	"nullKeyIfX": func(_, v *datum) (*datum, *datum) {
		return unless(strings.Contains(v.text, "x"), firstChar(v)), v
	},
	"byWindowKey": func(k, v *datum) (*datum, *datum) { return k.inner, v },
}
