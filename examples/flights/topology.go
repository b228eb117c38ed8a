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

// deadLetters takes records of the input topics that can't be read.
const deadLetters = appID + "-dead-letters"

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
	byCarrier         = topic.New("by-carrier", serde.String, serde.Msgpack[Flight]())
	byMaker           = topic.New("by-maker", serde.String, serde.Msgpack[Flown]())
	byZone            = topic.New("by-zone", serde.String, serde.String)
	flightsByHour     = topic.New("flights-by-hour", serde.String, serde.Msgpack[Flight]())
	weatherByHour     = topic.New("weather-by-hour", serde.String, serde.Msgpack[Observation]())
	hoursByVisibility = topic.New("hours-by-visibility", serde.String, serde.Msgpack[Departures]())
)

// consumed are the topics that the app's group commits offsets of.
var consumed = []string{
	flights.Name(), planes.Name(), weather.Name(),
	internal(byCarrier.Name()), internal(byMaker.Name()), internal(byZone.Name()),
	internal(flightsByHour.Name()), internal(weatherByHour.Name()), internal(hoursByVisibility.Name()),
}

// internal is the name on the broker of a repartition topic.
func internal(name string) string { return appID + "-" + name + "-repartition" }

// What is kept.
var (
	planeStore   = state.New("planes", serde.String, serde.Msgpack[Plane]())
	dayStore     = state.New("carrier-days", serde.String, serde.Msgpack[CarrierDay]())
	makerStore   = state.New("makers", serde.String, serde.Msgpack[Maker]())
	zoneStore    = state.New("zones", serde.String, serde.Int64)
	legStore     = state.New("rotations", serde.String, serde.Msgpack[Legs]())
	hourStore    = state.New("hours", serde.String, serde.Msgpack[Departures]())
	weatherStore = state.New("weather", serde.String, serde.Msgpack[Observation]())
	seenStore    = state.New("visibility", serde.String, serde.Pointer(serde.Msgpack[Departures]()))
)

// A year goes by in seconds here, and one partition may run ahead of another by
// most of it: where flights of several partitions meet again, no window closes
// before the year is over. Rotations are counted where the flights are read, in
// order; a day of grace is more than they need.
var (
	day  = window.Tumbling(24 * time.Hour).Grace(370 * 24 * time.Hour)
	rest = window.Session(6 * time.Hour).Grace(24 * time.Hour)
)

// topology answers five questions about a year of departures.
var topology = stream.MustBuild(func(b *stream.Builder) {
	departures := b.Stream(flights)

	// How did each carrier do on each day?
	departures.
		GroupBy(carrier, byCarrier).
		WindowedBy(day).
		Aggregate(dayStore, zero, addToDay).
		To(carrierDays)

	// Who built the planes, and how far have they flown? A task takes what has
	// the earlier timestamp first, and planes are written with one before all
	// flights: each flight finds its plane.
	departures.
		LeftJoinTable(b.Table(planes, planeStore), builtBy).
		GroupBy(maker, byMaker).
		Aggregate(makerStore, zero, addToMaker).
		To(makers)

	// Which time zones do people fly to? Every instance has all airports.
	departures.
		LeftJoinGlobal(b.GlobalTable(airports), dest, zoneOf).
		GroupBy(zone, byZone).
		Count(zoneStore).
		MapValues(func(n int64) Zone { return Zone{Flights: n} }).
		To(destZones)

	// How long does a plane go on without resting for more than six hours? The
	// key holds the tail number, so these flights are where they belong.
	departures.
		GroupByKey().
		SessionsBy(rest).
		Aggregate(legStore, zero, addLeg, addLegs).
		MapValuesWithKey(asRotation).
		To(rotations)

	// What does bad visibility do to punctuality? Both sides are tables: when an
	// hour's weather comes after its flights, these move from one group to
	// another, and it doesn't matter who was faster.
	observed := b.Stream(weather).
		SelectKey(observedHour).
		Repartition(weatherByHour).
		ToTable(weatherStore)
	departures.
		GroupBy(hour, flightsByHour).
		Aggregate(hourStore, zero, addToHour).
		LeftJoin(observed, seen).
		GroupBy(miles, hoursByVisibility).
		Aggregate(seenStore, zero, addToSight, takeFromSight).
		To(visibility)
})

func zero[T any]() (none T) { return none }

func carrier(_ string, f Flight) string { return f.Carrier }

func addToDay(_ string, f Flight, d CarrierDay) CarrierDay { return d.Plus(f) }

func builtBy(f Flight, p Plane, known bool) Flown {
	if !known || p.Manufacturer == "" {
		p.Manufacturer = unknown
	}
	return Flown{Maker: p.Manufacturer, Miles: f.Distance}
}

func maker(_ string, f Flown) string { return f.Maker }

func addToMaker(_ string, f Flown, m Maker) Maker {
	return Maker{Flights: m.Flights + 1, Miles: m.Miles + f.Miles}
}

func dest(_ string, f Flight) string { return f.Dest }

func zoneOf(_ Flight, a Airport, known bool) string {
	if !known || a.Zone == "" {
		return unknown
	}
	return a.Zone
}

func zone(_, zone string) string { return zone }

func addLeg(_ string, f Flight, l Legs) Legs {
	return Legs{Legs: l.Legs + 1, Miles: l.Miles + f.Distance}
}

func addLegs(_ string, a, b Legs) Legs {
	return Legs{Legs: a.Legs + b.Legs, Miles: a.Miles + b.Miles}
}

func asRotation(k window.Key[string], l Legs) Rotation {
	return Rotation{End: k.EndMS, Legs: l.Legs, Miles: l.Miles}
}

func hour(_ string, f Flight) string { return f.Origin + "@" + f.TimeHour }

func observedHour(_ string, o Observation) string { return o.Origin + "@" + o.TimeHour }

func addToHour(_ string, f Flight, d Departures) Departures { return d.Plus(f.Count()) }

func seen(d Departures, o Observation, known bool) Sight {
	if !known || o.Visibility == nil {
		return Sight{unknown, d}
	}
	return Sight{strconv.FormatFloat(math.Floor(*o.Visibility), 'f', 0, 64), d}
}

func miles(_ string, s Sight) (string, Departures) { return s.Miles, s.Departures }

func addToSight(_ string, d Departures, sum *Departures) *Departures {
	if sum == nil {
		sum = &Departures{}
	}
	d = sum.Plus(d)
	return &d
}

// takeFromSight deletes a group that nothing is left of.
func takeFromSight(_ string, d Departures, sum *Departures) *Departures {
	if sum == nil {
		sum = &Departures{}
	}
	if d = sum.Minus(d); d == (Departures{}) {
		return nil
	}
	return &d
}
