package main

import (
	"compress/gzip"
	"encoding/csv"
	"maps"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"
)

// expected computes the five outputs of the CSV files without leat: maps, loops
// and nothing of the example but its result types.
func expected(t testing.TB, limit int) *results {
	t.Helper()
	maker, zone, visib := map[string]string{}, map[string]string{}, map[string]string{}
	for _, p := range readCSV(t, "planes") {
		maker[p["tailnum"]] = p["manufacturer"]
	}
	for _, a := range readCSV(t, "airports") {
		if a["tzone"] != "NA" {
			zone[a["faa"]] = a["tzone"]
		}
	}
	for _, w := range readCSV(t, "weather") {
		if miles, err := strconv.ParseFloat(w["visib"], 64); err == nil {
			visib[w["origin"]+w["time_hour"]] = strconv.Itoa(int(math.Floor(miles)))
		}
	}
	or := func(m map[string]string, key string) string {
		if v, ok := m[key]; ok {
			return v
		}
		return "unknown"
	}
	list := readCSV(t, "flights")
	slices.SortStableFunc(list, func(a, b map[string]string) int { return departure(t, a).Compare(departure(t, b)) })
	want := newResults()
	last := map[string]string{} // by tail number: the key of the rotation it is on
	for _, f := range list[:min(limit, len(list))] {
		at, distance := departure(t, f), int64(number(t, f["distance"]))
		delayed := int64(0)

		d := want.CarrierDays[f["carrier"]+"@"+at.Format(time.DateOnly)]
		d.Flights++
		if f["dep_delay"] == "NA" {
			d.Cancelled++
		} else {
			delay := int64(number(t, f["dep_delay"]))
			d.DepDelaySum += delay
			if delay >= 15 {
				delayed = 1
			}
		}
		d.Delayed += delayed
		want.CarrierDays[f["carrier"]+"@"+at.Format(time.DateOnly)] = d

		m := want.Makers[or(maker, f["tailnum"])]
		want.Makers[or(maker, f["tailnum"])] = Maker{m.Flights + 1, m.Miles + distance}

		want.DestZones[or(zone, f["dest"])] = Zone{want.DestZones[or(zone, f["dest"])].Flights + 1}

		v := want.Visibility[or(visib, f["origin"]+f["time_hour"])]
		want.Visibility[or(visib, f["origin"]+f["time_hour"])] = Departures{Flights: v.Flights + 1, Delayed: v.Delayed + delayed}

		tail := f["tailnum"]
		if tail == "NA" {
			continue
		}
		r, ok := want.Rotations[last[tail]]
		if !ok || at.UnixMilli()-r.End > (6*time.Hour).Milliseconds() {
			r, last[tail] = Rotation{}, tail+"@"+strconv.FormatInt(at.UnixMilli(), 10)
		}
		want.Rotations[last[tail]] = Rotation{End: at.UnixMilli(), Legs: r.Legs + 1, Miles: r.Miles + distance}
	}
	return want
}

func readCSV(t testing.TB, name string) []map[string]string {
	t.Helper()
	f, err := embedded.Open("data/" + name + ".csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := make(map[string]string, len(line))
		for i, column := range lines[0] {
			row[column] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func departure(t testing.TB, f map[string]string) time.Time {
	at, err := time.Parse(time.RFC3339, f["time_hour"])
	if err != nil {
		t.Fatal(err)
	}
	return at.Add(time.Duration(number(t, f["minute"])) * time.Minute)
}

func number(t testing.TB, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// compare reports where two sets of results differ.
func compare(t testing.TB, got, want *results) {
	t.Helper()
	compareTopic(t, "carrier-days", got.CarrierDays, want.CarrierDays)
	compareTopic(t, "makers", got.Makers, want.Makers)
	compareTopic(t, "dest-zones", got.DestZones, want.DestZones)
	compareTopic(t, "rotations", got.Rotations, want.Rotations)
	compareTopic(t, "visibility", got.Visibility, want.Visibility)
}

func compareTopic[V comparable](t testing.TB, topic string, got, want map[string]V) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("%s: nothing is expected, which proves nothing", topic)
	}
	if maps.Equal(got, want) {
		return
	}
	wrong := 0
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if v, ok := got[key]; !ok || v != want[key] {
			if wrong++; wrong <= 5 {
				t.Errorf("%s: %s is %+v (there: %t), want %+v", topic, key, v, ok, want[key])
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[key]; !ok {
			if wrong++; wrong <= 10 {
				t.Errorf("%s: %s is %+v and should not be there", topic, key, got[key])
			}
		}
	}
	t.Errorf("%s: %d keys differ, of %d", topic, wrong, len(want))
}
