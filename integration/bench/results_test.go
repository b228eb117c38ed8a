package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lines")
	r, err := newResults(file)
	if err != nil {
		t.Fatal(err)
	}
	for round, rate := range []float64{900, 1_234_567, 1e9} {
		r.of(round+1, "leat-os")("produce 100 B, records/s", rate)
		r.of(round+1, "kafka")("produce 100 B, records/s", 1e6)
		r.of(round+1, "kfake")("produce 100 B, records/s", 5e5)
		r.of(round+1, "leat-os")("produce 100 B, "+ofOthers, 3)
	}
	r.of(1, "kafka")("stop, ms", 12.34)
	var out strings.Builder
	r.table(&out)
	r.targets(&out)
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| | leat-os | kafka | kfake |\n",
		"| produce 100 B, records/s | 1,234,567 | 1,000,000 | 500,000 |\n",
		"| stop, ms |  | 12.3 |  |\n",
		"Medians of 3. While rates were measured, other programs had up to 3 % of the CPU time.\n",
		"| leat-os: produce 100 B, records/s | 1.23 of kafka | ≥ 1.3 | missed |\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	var last struct {
		Round          int
		Broker, Metric string
		Value          float64
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 13 || last.Round != 1 || last.Broker != "kafka" || last.Metric != "stop, ms" || last.Value != 12.34 {
		t.Errorf("%d lines, the last is %+v, %v", len(lines), last, err)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, nothing}, {[]float64{7}, 7}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(c.of); got != c.want {
			t.Errorf("%v: %v, want %v", c.of, got, c.want)
		}
	}
}
