package window_test

import (
	"fmt"
	"time"
	_ "time/tzdata" // Europe/Berlin, wherever the tests run

	"github.com/leatstream/leat/window"
)

func ExampleTumbling() {
	perMinute := window.Tumbling(time.Minute).Grace(10 * time.Second)
	at := time.Date(2026, 5, 1, 12, 0, 42, 0, time.UTC)

	for w := range perMinute.Spans(at.UnixMilli()) {
		fmt.Println(w)
	}
	// Output: 2026-05-01T12:00:00Z/2026-05-01T12:01:00Z
}

func ExampleHopping() {
	w := window.Hopping(5*time.Minute, 2*time.Minute)
	at := time.Date(2026, 5, 1, 12, 3, 0, 0, time.UTC)

	for w := range w.Spans(at.UnixMilli()) {
		fmt.Println(w.Start().Format(time.TimeOnly), w.End().Format(time.TimeOnly))
	}
	// Output:
	// 12:00:00 12:05:00
	// 12:02:00 12:07:00
}

// Days in Berlin have 23 to 25 hours.
func ExampleCustom() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	days := window.Custom(25*time.Hour, func(t time.Time) (start, end time.Time) {
		year, month, day := t.In(berlin).Date()
		return time.Date(year, month, day, 0, 0, 0, 0, berlin), time.Date(year, month, day+1, 0, 0, 0, 0, berlin)
	})
	for _, day := range []int{28, 29} { // summer time begins on the 29th
		noon := time.Date(2026, 3, day, 12, 0, 0, 0, berlin)
		for w := range days.Spans(noon.UnixMilli()) {
			fmt.Println(w, w.Size())
		}
	}
	// Output:
	// 2026-03-27T23:00:00Z/2026-03-28T23:00:00Z 24h0m0s
	// 2026-03-28T23:00:00Z/2026-03-29T22:00:00Z 23h0m0s
}

func ExampleUnlimited() {
	since := window.Unlimited(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for _, year := range []int{2025, 2026} {
		_, n := since.First(time.Date(year, 5, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
		fmt.Println(year, n)
	}
	// Output:
	// 2025 0
	// 2026 1
}

func ExampleSliding() {
	w := window.Sliding(10 * time.Second).Grace(time.Minute)
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	fmt.Println(w, w.Span(start.UnixMilli()))
	// Output: Sliding(10s).Grace(1m0s) 2026-05-01T12:00:00Z/2026-05-01T12:00:10Z
}

func ExampleSession() {
	visits := window.Session(30 * time.Minute)
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	visit := window.Between(noon, noon.Add(10*time.Minute))

	fmt.Println(visits.Joins(visit, noon.Add(40*time.Minute).UnixMilli()))
	fmt.Println(visits.Joins(visit, noon.Add(41*time.Minute).UnixMilli()))
	// Output:
	// true
	// false
}

func ExampleWithin() {
	// A payment up to an hour after its order.
	w := window.Within(time.Hour).Before(0)
	fmt.Println(w.Range(7_200_000))
	// Output: 7200000 10800000
}

func ExampleFixed_Check() {
	fmt.Println(window.Hopping(time.Minute, time.Hour).Check())
	// Output: advance 1h0m0s is larger than the size 1m0s: records would fall between windows
}

func ExampleKey() {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	k := window.Key[string]{Key: "anna", Span: window.Between(noon, noon.Add(time.Minute))}
	fmt.Println(k.Key, k.Start().Format(time.TimeOnly), k.End().Format(time.TimeOnly))
	// Output: anna 12:00:00 12:01:00
}
