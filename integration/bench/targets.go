package main

import (
	"fmt"
	"io"
	"strings"
)

// target is what leat's broker is to reach, in terms of the others.
type target struct {
	about  string // the end of the metrics' names
	of     string // which of leat's
	to     []string
	least  float64 // how many times theirs; 0 if there is no such
	most   float64
	absent bool // whether there is nobody to compare with: a number of its own
}

var targets = []target{
	{about: ", records/s", of: "leat-os", to: []string{"kafka", "kfake"}, least: 1.3},
	{about: ", broker CPU s per GB", of: "leat-os", to: []string{"kafka"}, most: 0.5},
	{about: ", records/s", of: "leat-fsync", to: []string{"leat-os"}, least: 0.7},
	{about: "p99, ms", of: "leat-os", to: []string{"kafka"}, most: 0.5},
	{about: "start to first produce, ms", of: "leat-os", most: 100, absent: true},
	{about: "idle memory, MB", of: "leat-os", most: 40, absent: true},
}

// targets writes how the medians compare with what is aimed at.
func (r *results) targets(w io.Writer) {
	fmt.Fprint(w, "\n| | measured | aim | |\n|---|---|---|---|\n")
	for _, t := range targets {
		for _, metric := range r.metrics {
			// Of reading, what was synced before makes no difference.
			if (metric == t.about || !t.absent && strings.HasSuffix(metric, t.about)) && !(t.of == "leat-fsync" && strings.HasPrefix(metric, "consume")) {
				r.target(w, t, metric)
			}
		}
	}
}

func (r *results) target(w io.Writer, t target, metric string) {
	have := median(r.values[[2]string{metric, t.of}])
	against, best := 1.0, ""
	for _, other := range t.to {
		v := median(r.values[[2]string{metric, other}])
		if v != nothing && (best == "" || t.least > 0 && v > against || t.most > 0 && v < against) {
			against, best = v, other
		}
	}
	if have == nothing || best == "" && !t.absent {
		return
	}
	ratio, unit, aim, met := have/against, "", fmt.Sprintf("≤ %g", t.most), have/against <= t.most
	if t.least > 0 {
		aim, met = fmt.Sprintf("≥ %g", t.least), ratio >= t.least
	}
	if best != "" {
		unit = " of " + best
	}
	verdict := "missed"
	if met {
		verdict = "met"
	}
	fmt.Fprintf(w, "| %s: %s | %.2f%s | %s | %s |\n", t.of, metric, ratio, unit, aim, verdict)
}
