package main

import (
	"slices"
	"strings"
)

// The function library of cases, part 2: what aggregations and joins call.

type (
	reduceFunc func(a, v *datum) *datum
	aggFunc    func(k, v, a *datum) *datum
	mergeFunc  func(k, a, b *datum) *datum
	joinFunc   func(k, l, r *datum) *datum
)

var reduceFuncs = map[string]reduceFunc{
	"sum":  orSame(func(a, v *datum) *datum { return num(a.int + v.int) }),
	"diff": orSame(func(a, v *datum) *datum { return num(a.int - v.int) }),
	"max":  orSame(func(a, v *datum) *datum { return num(max(a.int, v.int)) }),
	"min":  orSame(func(a, v *datum) *datum { return num(min(a.int, v.int)) }),
	"fsum": orSame(func(a, v *datum) *datum { return &datum{kind: float, float: a.float + v.float} }),
	"sumNullIfZero": orSame(func(a, v *datum) *datum {
		return unless(a.int+v.int == 0, num(a.int+v.int))
	}),
	"concat":      func(a, v *datum) *datum { return str(a.String() + "," + v.String()) },
	"concatPlus":  func(a, v *datum) *datum { return str(a.String() + "+" + v.String()) },
	"concatMinus": func(a, v *datum) *datum { return str(a.String() + "-" + v.String()) },
	"last":        func(_, v *datum) *datum { return v },
	"first":       func(a, _ *datum) *datum { return a },
}

// orSame leaves a as it is for a null value.
func orSame(f reduceFunc) reduceFunc {
	return func(a, v *datum) *datum {
		if v == nil {
			return a
		}
		return f(a, v)
	}
}

var inits = map[string]*datum{
	"zero": num(0), "ten": num(10), "empty": str(""), "nullString": nil, "nullInt": nil,
}

var aggFuncs = map[string]aggFunc{
	"count":      func(_, _, a *datum) *datum { return num(a.number() + 1) },
	"uncount":    func(_, _, a *datum) *datum { return num(a.number() - 1) },
	"sum":        func(_, v, a *datum) *datum { return num(a.number() + v.number()) },
	"sub":        func(_, v, a *datum) *datum { return num(a.number() - v.number()) },
	"sumLen":     func(_, v, a *datum) *datum { return num(a.number() + length(v)) },
	"subLen":     func(_, v, a *datum) *datum { return num(a.number() - length(v)) },
	"listAppend": func(_, v, a *datum) *datum { return joined(a, str(v.String())) },
	"listRemove": func(_, v, a *datum) *datum { return without(a, v.String()) },
	"kvAppend": func(k, v, a *datum) *datum {
		return str(orEmpty(a) + "(" + k.String() + "=" + v.String() + ")")
	},
	"plus":  func(_, v, a *datum) *datum { return str(orEmpty(a) + "+" + v.String()) },
	"minus": func(_, v, a *datum) *datum { return str(orEmpty(a) + "-" + v.String()) },
	"appendOrReset": func(_, v, a *datum) *datum {
		if v.isText("reset") {
			return nil
		}
		return joined(a, str(v.String()))
	},
}

func length(v *datum) int64 {
	if v == nil {
		return 0
	}
	return int64(len(v.text))
}

func orEmpty(a *datum) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// joined is a comma list of two.
func joined(a, b *datum) *datum {
	if a.isEmpty() {
		return str(orEmpty(b))
	}
	if b.isEmpty() {
		return a
	}
	return str(a.text + "," + b.text)
}

// without is a comma list without the first item equal to s.
func without(a *datum, s string) *datum {
	if a.isEmpty() {
		return str("")
	}
	items := strings.Split(a.text, ",")
	if i := slices.Index(items, s); i >= 0 {
		items = slices.Delete(items, i, i+1)
	}
	return str(strings.Join(items, ","))
}

var mergeFuncs = map[string]mergeFunc{
	"sum":  func(_, a, b *datum) *datum { return num(a.number() + b.number()) },
	"list": func(_, a, b *datum) *datum { return joined(a, b) },
	"bar":  func(_, a, b *datum) *datum { return str(a.String() + "|" + b.String()) },
}

var joinFuncs = map[string]joinFunc{
	"pair":    func(_, l, r *datum) *datum { return str(l.String() + "+" + r.String()) },
	"pairKey": func(k, l, r *datum) *datum { return str(k.String() + ":" + l.String() + "+" + r.String()) },
	"sum":     func(_, l, r *datum) *datum { return num(l.number() + r.number()) },
	"left":    func(_, l, _ *datum) *datum { return l },
	"right":   func(_, _, r *datum) *datum { return r },
	"nullIfEqual": func(_, l, r *datum) *datum {
		return unless(l.String() == r.String(), str(l.String()+"+"+r.String()))
	},
}
