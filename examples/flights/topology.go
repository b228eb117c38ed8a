package main

import (
	"math"
	"strconv"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

// appID is the app's consumer group and the prefix of its internal topics.
const appID = "flights"

// What comes in, as JSON with the names of the CSV's columns.
var (
	flights  = topic.New("flights", serde.String, serde.JSON[Flight]())      // by tail number
	planes   = topic.New("planes", serde.String, serde.JSON[Plane]())        // by tail number
	airports = topic.New("airports", serde.String, serde.JSON[Airport]())    // by FAA code
	weather  = topic.New("weather", serde.String, serde.JSON[Observation]()) // by airport of origin
)

// What goes out, as JSON; the last value of a key counts.
var (
	carrierDays = topic.New("carrier-days", dayKey, serde.JSON[CarrierDay]())
	makers      = topic.New("makers", serde.String, serde.JSON[Maker]())
	destZones   = topic.New("dest-zones", serde.String, serde.JSON[Zone]())
	rotations   = topic.New("rotations", rotationKey, serde.JSON[Rotation]())
	visibility  = topic.New("visibility", serde.String, serde.JSON[*Departures]())
)

// What moves between partitions on its way. (These are the repartition topics.)
var (
	byCarrier       = topic.New("by-carrier", serde.String, serde.Msgpack[Flight]())
	byMaker         = topic.New("by-maker", serde.String, serde.Int64) // miles
	byZone          = topic.New("by-zone", serde.String, serde.String)
	flightsByHour   = topic.New("flights-by-hour", serde.String, serde.Msgpack[Flight]())
	weatherByHour   = topic.New("weather-by-hour", serde.String, serde.Msgpack[Observation]())
	hoursByVisibility = topic.New("hours-by-visibility", serde.String, serde.Msgpack[Departures]())
)

// What is kept.
var (
	planeStore   = state.New("planes", serde.String, serde.Msgpack[Plane]())
	dayStore     = state.New("carrier-days", serde.String, serde.Msgpack[CarrierDay]())
	makerStore   = state.New("makers", serde.String, serde.Msgpack[Maker]())
	zoneStore    = state.New("zones", serde.String, serde.Int64)
	legStore     = state.New("rotations", serde.String, serde.Msgpack[Maker]())
	hourStore    = state.New("hours", serde.String, serde.Msgpack[Departures]())
	weatherStore = state.New("weather", serde.String, serde.Msgpack[Observation]())
	seenStore    = state.New("visibility", serde.String, serde.Pointer(serde.Msgpack[Departures]()))
)

// ever keeps windows open and stored however far one partition runs ahead of
// another, or the day's date of what happened: a year of data goes by in
// seconds here, and brokers expire records by the clock on the wall.
const ever = 100 * 365 * 24 * time.Hour

var (
	day      = window.Tumbling(24 * time.Hour).Grace(370 * 24 * time.Hour).Retention(ever)
	rotation = window.Session(6 * time.Hour).Grace(370 * 24 * time.Hour).Retention(ever)
)

// topology answers five questions about a year of departures.
var topology = stream.MustBuild(func(b *stream.Builder) {
	departures := b.Stream(flights)

	// How did each carrier do on each day?
	departures.
		GroupBy(carrierOf, byCarrier).
		WindowedBy(day).
		Aggregate(dayStore, zero[CarrierDay], func(_ string, f Flight, d CarrierDay) CarrierDay { return d.Plus(f) }).
		To(carrierDays)

	// Who built the planes, and how far have they flown? Planes were written
	// with earlier timestamps than flights, so each flight finds its own.
	departures.
		LeftJoinTable(b.Table(planes, planeStore), builtBy).
		GroupBy(func(_ string, f flown) string { return f.maker }, byMaker).
		Aggregate(makerStore, zero[Maker], func(_ string, f flown, m Maker) Maker {
			return Maker{Flights: m.Flights + 1, Miles: m.Miles + f.miles}
		}).
		To(makers)

	// Which time zones do people fly to? Every instance has all airports.
	departures.
		LeftJoinGlobal(b.GlobalTable(airports), destOf, zoneOf).
		GroupBy(func(_, zone string) string { return zone }, byZone).
		Count(zoneStore).
		MapValues(func(n int64) Zone { return Zone{Flights: n} }).
		To(destZones)

	// How long does a plane go on before it rests for more than six hours?
	departures.
		GroupByKey().
		SessionsBy(rotation).
		Aggregate(legStore, zero[Maker], addLeg, addLegs).
		MapValuesWithKey(func(k window.Key[string], l Legs) Rotation {
			return Rotation{End: k.EndMS, Legs: l.Legs, Miles: l.Miles}
		}).
		To(rotations)

	// What does bad visibility do to punctuality? Tables on both sides: when the
	// weather of an hour is heard of late, its flights move from one group to
	// another, so it doesn't matter which of the two was faster.
	observed := b.Stream(weather).
		SelectKey(func(_ string, o Observation) string { return o.Origin + "@" + o.TimeHour }).
		Repartition(weatherByHour).
		ToTable(weatherStore)
	departures.
		GroupBy(hourOf, flightsByHour).
		Aggregate(hourStore, zero[Departures], func(_ string, f Flight, d Departures) Departures { return d.Plus(f.Count()) }).
		LeftJoin(observed, seen).
		GroupBy(func(_ string, s sight) (string, Departures) { return s.miles, s.departures }, hoursByVisibility).
		Aggregate(seenStore, zero[*Departures], addSeen, subSeen).
		To(visibility)
})
