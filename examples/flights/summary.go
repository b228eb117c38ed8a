package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/serde"
)

// summarize reads the outputs and prints what is in them.
func (o options) summarize(ctx context.Context, c *cluster, took time.Duration) error {
	r, err := c.readResults(ctx)
	if err != nil {
		return err
	}
	names, err := c.airlines(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(o.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	r.printCarriers(w, names)
	r.printGroups(w)
	r.printRotations(w)
	if err := w.Flush(); err != nil {
		return err
	}
	if r.DeadLetters > 0 {
		fmt.Fprintf(o.out, "\n%d records could not be read; they are in the topic %s.\n", r.DeadLetters, deadLetters)
	}
	did := o.progress.figures.processed
	if did == 0 {
		fmt.Fprintln(o.out, "\nAll was processed before; there was nothing left to do.")
		return nil
	}
	fmt.Fprintf(o.out, "\n%d records processed here in %.1f s (%.0f records/s)\n",
		did, took.Seconds(), float64(did)/took.Seconds())
	return nil
}

// airlines is the names of the carriers, of the topic airlines.
func (c *cluster) airlines(ctx context.Context) (map[string]string, error) {
	type airline struct {
		Name string `json:"name"`
	}
	names, s := map[string]string{}, serde.JSON[airline]()
	spans, err := c.spans(ctx, "airlines")
	if err != nil {
		return nil, err
	}
	return names, c.read(ctx, spans, func(r *kgo.Record) error {
		if a, err := s.Decode(r.Value); err == nil {
			names[string(r.Key)] = a.Name
		}
		return nil // what can't be read has no name, which isn't worth stopping for
	})
}

func (r *results) printCarriers(w *tabwriter.Writer, names map[string]string) {
	all, total := map[string]CarrierDay{}, CarrierDay{}
	add := func(a, b CarrierDay) CarrierDay {
		return CarrierDay{a.Flights + b.Flights, a.Cancelled + b.Cancelled, a.Delayed + b.Delayed, a.DepDelaySum + b.DepDelaySum}
	}
	for key, d := range r.CarrierDays {
		carrier, _, _ := strings.Cut(key, "@")
		all[carrier], total = add(all[carrier], d), add(total, d)
	}
	fmt.Fprint(w, "\nflights\tcancelled\tdelayed\tmean delay\t\t carrier\n")
	line := func(d CarrierDay, name string) {
		mean := float64(d.DepDelaySum) / max(1, float64(d.Flights-d.Cancelled))
		fmt.Fprintf(w, "%d\t%.1f %%\t%.1f %%\t%.1f min\t\t %s\n", d.Flights, share(d.Cancelled, d.Flights), share(d.Delayed, d.Flights), mean, name)
	}
	for _, carrier := range top(all, 8, func(d CarrierDay) int64 { return d.Flights }) {
		line(all[carrier], cmp.Or(names[carrier], carrier))
	}
	line(total, "all")
}

func (r *results) printGroups(w *tabwriter.Writer) {
	fmt.Fprint(w, "\nflights\tmiles\t\t\t\t manufacturer\n")
	for _, m := range top(r.Makers, 6, func(m Maker) int64 { return m.Flights }) {
		fmt.Fprintf(w, "%d\t%d\t\t\t\t %s\n", r.Makers[m].Flights, r.Makers[m].Miles, m)
	}
	fmt.Fprint(w, "\nflights\t\t\t\t\t to time zone\n")
	for _, z := range top(r.DestZones, 10, func(z Zone) int64 { return z.Flights }) {
		fmt.Fprintf(w, "%d\t\t\t\t\t %s\n", r.DestZones[z].Flights, z)
	}
	fmt.Fprint(w, "\nflights\tdelayed\t\t\t\t visibility in miles\n")
	byLength := func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) } // 9, 10, unknown
	for _, v := range slices.SortedFunc(maps.Keys(r.Visibility), byLength) {
		d := r.Visibility[v]
		fmt.Fprintf(w, "%d\t%.1f %%\t\t\t\t %s\n", d.Flights, share(d.Delayed, d.Flights), v)
	}
}

func (r *results) printRotations(w *tabwriter.Writer) {
	fmt.Fprintf(w, "\nlegs\tmiles\thours\t\t\t rotation (the longest of %d)\n", len(r.Rotations))
	for _, key := range top(r.Rotations, 3, func(l Rotation) int64 { return l.Legs }) {
		l := r.Rotations[key]
		k, err := rotationKey.Decode([]byte(key))
		if err != nil {
			continue // not a key of ours
		}
		took := time.UnixMilli(l.End).Sub(k.Start())
		fmt.Fprintf(w, "%d\t%d\t%.1f\t\t\t %s from %s\n", l.Legs, l.Miles, took.Hours(), k.Key, k.Start().Format(time.DateTime))
	}
}

// top is the keys of the n rows with the most of something.
func top[V any](rows map[string]V, n int, of func(V) int64) []string {
	keys := slices.SortedFunc(maps.Keys(rows), func(a, b string) int {
		return cmp.Or(cmp.Compare(of(rows[b]), of(rows[a])), strings.Compare(a, b))
	})
	return keys[:min(n, len(keys))]
}

func share(part, all int64) float64 { return 100 * float64(part) / max(1, float64(all)) }
