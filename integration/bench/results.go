package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// results are what was measured.
type results struct {
	metrics []string // in the order of measuring
	brokers []string
	values  map[[2]string][]float64 // by metric and broker
	rounds  int
	out     *os.File // nil if nobody wants the lines
	encoder *json.Encoder
	broken  error // the first error of out
}

// newResults are none, and the file that each is added to ("" is none).
func newResults(file string) (*results, error) {
	r := &results{values: map[[2]string][]float64{}}
	if file == "" {
		return r, nil
	}
	var err error
	if r.out, err = os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	r.encoder = json.NewEncoder(r.out)
	return r, nil
}

func (r *results) close() error {
	if r.out == nil {
		return nil
	}
	if err := r.out.Close(); r.broken == nil {
		r.broken = err
	}
	return r.broken
}

// of is how results of a broker in a round are added.
func (r *results) of(round int, broker string) func(string, float64) {
	return func(metric string, value float64) {
		r.rounds = max(r.rounds, round)
		if !slices.Contains(r.metrics, metric) {
			r.metrics = append(r.metrics, metric)
		}
		if !slices.Contains(r.brokers, broker) {
			r.brokers = append(r.brokers, broker)
		}
		at := [2]string{metric, broker}
		r.values[at] = append(r.values[at], value)
		if r.encoder == nil {
			return
		}
		line := struct {
			Round  int     `json:"round"`
			Broker string  `json:"broker"`
			Metric string  `json:"metric"`
			Value  float64 `json:"value"`
		}{round, broker, metric, value}
		if err := r.encoder.Encode(line); err != nil && r.broken == nil {
			r.broken = err
		}
	}
}

// Parts of the names of metrics that are about the measuring.
const (
	ofOthers = "CPU time of others, %"
	ofClient = "client CPU s per million records"
)

// table writes the medians of all rounds, and how far they can be trusted.
func (r *results) table(w io.Writer) {
	fmt.Fprintf(w, "| | %s |\n|---|%s\n", strings.Join(r.brokers, " | "), strings.Repeat("---|", len(r.brokers)))
	disturbed := nothing
	for _, metric := range r.metrics {
		if strings.HasSuffix(metric, ofOthers) {
			for _, broker := range r.brokers {
				for _, v := range r.values[[2]string{metric, broker}] {
					disturbed = max(disturbed, v, 0) // what is below 0 is lost in the noise
				}
			}
		}
		if strings.HasSuffix(metric, ofOthers) || strings.HasSuffix(metric, ofClient) {
			continue
		}
		fmt.Fprintf(w, "| %s |", metric)
		for _, broker := range r.brokers {
			fmt.Fprintf(w, " %s |", shown(median(r.values[[2]string{metric, broker}])))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nMedians of %d.", r.rounds)
	if disturbed != nothing {
		fmt.Fprintf(w, " While rates were measured, other programs had up to %.0f %% of the CPU time.", disturbed)
	}
	fmt.Fprintln(w)
	if disturbed > 10 {
		fmt.Fprintln(w, "That is too much: the rates and latencies say little.")
	}
}

// median is what half of the values are below; of no values it is nothing.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	if n == 0 {
		return nothing
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// nothing stands for a median of no values: nothing measured is below 0, but a
// share of others that is lost in the noise.
const nothing = -1e300

// shown is a number with about three digits.
func shown(v float64) string {
	switch abs := max(v, -v); {
	case v == nothing:
		return ""
	case abs >= 1000:
		return thousands(int64(v + 0.5))
	case abs >= 100:
		return fmt.Sprintf("%.0f", v)
	case abs >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// thousands separates the thousands by commas.
func thousands(n int64) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
