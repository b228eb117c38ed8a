package main

// unknown is the group of what the data doesn't tell.
const unknown = "unknown"

// Flight is what the topology reads of a row of flights.csv.
type Flight struct {
	//lint:ignore U1000 msgpack looks for it, and writes an array, which is short
	_msgpack struct{} `msgpack:",as_array"`

	Carrier  string `json:"carrier"`
	Origin   string `json:"origin"`
	Dest     string `json:"dest"`
	DepDelay *int64 `json:"dep_delay"` // minutes; nil if it never departed
	Distance int64  `json:"distance"`  // miles
	TimeHour string `json:"time_hour"` // scheduled hour of departure, RFC 3339, UTC
}

// Cancelled reports whether the flight never departed.
func (f Flight) Cancelled() bool { return f.DepDelay == nil }

// Delayed reports whether it departed a quarter of an hour late, or later.
func (f Flight) Delayed() bool { return f.DepDelay != nil && *f.DepDelay >= 15 }

// Plane is what the topology reads of a row of planes.csv.
type Plane struct {
	Manufacturer string `json:"manufacturer"`
}

// Airport is what the topology reads of a row of airports.csv.
type Airport struct {
	Zone string `json:"tzone"` // "America/New_York"; empty if it isn't known
}

// Observation is what the topology reads of a row of weather.csv.
type Observation struct {
	Origin     string   `json:"origin"`
	TimeHour   string   `json:"time_hour"`
	Visibility *float64 `json:"visib"` // miles
}

// CarrierDay is a carrier's departures on one day of UTC.
type CarrierDay struct {
	Flights     int64 `json:"flights"`
	Cancelled   int64 `json:"cancelled"`
	Delayed     int64 `json:"delayed"`
	DepDelaySum int64 `json:"dep_delay_sum"` // minutes, of those that departed
}

// Plus is the day with one more flight.
func (d CarrierDay) Plus(f Flight) CarrierDay {
	d.Flights++
	if f.Cancelled() {
		d.Cancelled++
		return d
	}
	if f.Delayed() {
		d.Delayed++
	}
	d.DepDelaySum += *f.DepDelay
	return d
}

// Maker is what the planes of one manufacturer have flown.
type Maker struct {
	Flights int64 `json:"flights"`
	Miles   int64 `json:"miles"`
}

// Zone is the flights to one time zone.
type Zone struct {
	Flights int64 `json:"flights"`
}

// Rotation is a run of flights of one plane without a longer rest.
type Rotation struct {
	End   int64 `json:"end"` // departure of the last flight, ms since the epoch
	Legs  int64 `json:"legs"`
	Miles int64 `json:"miles"`
}

// Departures is how many flights left, and how many of them late.
type Departures struct {
	//lint:ignore U1000 msgpack looks for it, and writes an array, which is short
	_msgpack struct{} `msgpack:",as_array"`

	Flights int64 `json:"flights"`
	Delayed int64 `json:"delayed"`
}

// Plus is both together.
func (d Departures) Plus(o Departures) Departures {
	d.Flights += o.Flights
	d.Delayed += o.Delayed
	return d
}

// Count is one flight as Departures.
func (f Flight) Count() Departures {
	d := Departures{Flights: 1}
	if f.Delayed() {
		d.Delayed = 1
	}
	return d
}

// Flown is a flight by the manufacturer of its plane.
type Flown struct {
	//lint:ignore U1000 msgpack looks for it, and writes an array, which is short
	_msgpack struct{} `msgpack:",as_array"`

	Maker string
	Miles int64
}

// Legs is what is added up along a rotation.
type Legs struct {
	//lint:ignore U1000 msgpack looks for it, and writes an array, which is short
	_msgpack struct{} `msgpack:",as_array"`

	Legs  int64
	Miles int64
}
