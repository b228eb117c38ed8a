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
	visibility  = topic.New("visibility", serde.String, serde.JSON[Departures]())
)

// What moves between partitions on its way. (These are the repartition topics.)
var (
	byCarrier    = topic.New("by-carrier", serde.String, serde.Msgpack[Flight]())
	byMaker      = topic.New("by-maker", serde.String, serde.Msgpack[Flown]())
	byZone       = topic.New("by-zone", serde.String, serde.String)
	byOrigin     = topic.New("by-origin", serde.String, serde.Msgpack[Flight]())
	byVisibility = topic.New("by-visibility", serde.String, serde.Msgpack[Departures]())
)

// consumed are the topics that the app's group commits offsets of.
var consumed = []string{
	flights.Name(), planes.Name(), weather.Name(),
	internal(byCarrier.Name()), internal(byMaker.Name()), internal(byZone.Name()),
	internal(byOrigin.Name()), internal(byVisibility.Name()),
}

// internal is the name on the broker of a repartition topic.
func internal(name string) string { return appID + "-" + name + "-repartition" }

// What is kept.
var (
	planeStore = state.New("planes", serde.String, serde.Msgpack[Plane]())
	dayStore   = state.New("carrier-days", serde.String, serde.Msgpack[CarrierDay]())
	makerStore = state.New("makers", serde.String, serde.Msgpack[Maker]())
	zoneStore  = state.New("zones", serde.String, serde.Int64)
	legStore   = state.New("rotations", serde.String, serde.Msgpack[Legs]())
	hourStore  = state.New("visibility-by-hour", serde.String, serde.String)
	seenStore  = state.New("visibility", serde.String, serde.Msgpack[Departures]())
)

// A year goes by in seconds here, and one partition may be months ahead of another
// when their flights meet again behind a repartition topic. That makes none of them
// late: a task there doesn't run ahead of the slowest before it, so that an hour of
// grace is enough, as it would be if the year took a year.
var (
	day  = window.Tumbling(24 * time.Hour).Grace(time.Hour)
	rest = window.Session(6 * time.Hour).Grace(time.Hour)
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

	// What does bad visibility do to punctuality? Weather is keyed by airport of
	// origin. Where the flights are too, one task has both, and again it takes
	// the earlier of the two first: the weather of an hour, then its flights.
	b.Stream(weather).
		Process(remember, hourStore)
	departures.
		SelectKey(origin).
		Repartition(byOrigin).
		Process(lookUp, hourStore).
		Repartition(byVisibility).
		GroupByKey().
		Aggregate(seenStore, zero, addToSight).
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

func origin(_ string, f Flight) string { return f.Origin }

// remember keeps how far one could see in each hour.
func remember(p *stream.Processor[string, string]) func(stream.Record[string, Observation]) error {
	hours := p.Store(hourStore)
	return func(r stream.Record[string, Observation]) error {
		return hours.Put(r.Value.Origin+"@"+r.Value.TimeHour, wholeMiles(r.Value))
	}
}

func wholeMiles(o Observation) string {
	if o.Visibility == nil {
		return unknown
	}
	return strconv.FormatFloat(math.Floor(*o.Visibility), 'f', 0, 64)
}

// lookUp gives each flight the visibility of its hour as its key.
func lookUp(p *stream.Processor[string, Departures]) func(stream.Record[string, Flight]) error {
	hours := p.Store(hourStore)
	return func(r stream.Record[string, Flight]) error {
		miles, ok, err := hours.Get(r.Value.Origin + "@" + r.Value.TimeHour)
		if err != nil {
			return err
		}
		if !ok {
			miles = unknown
		}
		return p.Forward(miles, r.Value.Count())
	}
}

func addToSight(_ string, d, sum Departures) Departures { return sum.Plus(d) }
