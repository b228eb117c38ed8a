package telemetry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// collect renders all points as name{attributes} value.
func collect(t *testing.T, r metric.Reader) []string {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := r.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, scope := range data.ScopeMetrics {
		if scope.Scope.Name != Scope {
			t.Errorf("scope %q, want %q", scope.Scope.Name, Scope)
		}
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					out = append(out, fmt.Sprint(m.Name, p.Attributes.Encoded(attributes), " ", p.Value))
				}
			case metricdata.Sum[float64]:
				for _, p := range d.DataPoints {
					out = append(out, fmt.Sprint(m.Name, p.Attributes.Encoded(attributes), " ", p.Value))
				}
			case metricdata.Gauge[int64]:
				for _, p := range d.DataPoints {
					out = append(out, fmt.Sprint(m.Name, p.Attributes.Encoded(attributes), " ", p.Value))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func TestFiguresArePublished(t *testing.T) {
	s := Snapshot{
		Records: 10, ProcessTime: 2 * time.Second, Commits: 3, CommitFailures: 1, CommitTime: 1500 * time.Millisecond,
		Tasks: []Task{{
			Name: "0_1", Records: 9, Buffered: 4, StreamTime: 1234, Restored: 5, RestoreTotal: 7, StateBytes: 99,
			Lags:  []Lag{{"in", 1, 6}},
			Drops: []Drop{{"Count(c)", "late", 2}},
		}},
	}
	r := metric.NewManualReader()
	provider := metric.NewMeterProvider(metric.WithReader(r))
	unregister, err := Register(provider, "app", func() Snapshot { return s })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"leat.commit.failures{app} 1",
		"leat.commit.time{app} 1.5",
		"leat.commits{app} 3",
		"leat.partition.lag{app 0_1 partition=1 topic=in} 6",
		"leat.process.time{app} 2",
		"leat.records{app} 10",
		"leat.task.buffered{app 0_1} 4",
		"leat.task.dropped{app 0_1 operator=Count(c) reason=late} 2",
		"leat.task.records{app 0_1} 9",
		"leat.task.restore.remaining{app 0_1} 2",
		"leat.task.restored{app 0_1} 5",
		"leat.task.state.size{app 0_1} 99",
		"leat.task.stream.time{app 0_1} 1234",
	}
	if d := cmp.Diff(want, collect(t, r)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	unregister()
	if got := strings.Join(collect(t, r), "\n"); strings.Contains(got, "leat.") {
		t.Errorf("after the end there still are\n%s", got)
	}
}

func TestWithoutAProviderNothingIsAsked(t *testing.T) {
	unregister, err := Register(nil, "app", func() Snapshot {
		t.Error("the figures were collected")
		return Snapshot{}
	})
	if err != nil {
		t.Fatal(err)
	}
	unregister()
}
