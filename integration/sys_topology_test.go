package integration

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

// The topics of the shop, a topology with one operator of each kind in it. An
// order's and a payment's value is its number, from which all else follows.
var (
	orders = topic.New("orders", serde.String, serde.Int64)
	pays   = topic.New("pays", serde.String, serde.Int64)
	users  = topic.New("users", serde.String, serde.String)
	plans  = topic.New("plans", serde.String, serde.String)

	outDoubled = topic.New("out-doubled", serde.String, serde.Int64)
	outKinds   = topic.New("out-kinds", serde.String, serde.Int64)
	outMinutes = topic.New("out-minutes", window.KeySerde(serde.String), serde.Int64)
	outVisits  = topic.New("out-visits", window.KeySerde(serde.String), serde.Int64)
	outCities  = topic.New("out-cities", serde.String, serde.Int64)
	outPaid    = topic.New("out-paid", serde.String, serde.Int64)
	outOffers  = topic.New("out-offers", serde.String, serde.Int64)

	shopInputs  = []string{"orders", "pays", "users", "plans"}
	shopOutputs = []string{"out-doubled", "out-kinds", "out-minutes", "out-visits", "out-cities", "out-paid", "out-offers"}
)

// The windows of the shop.
const (
	visitGap = 30 * time.Second
	payReach = 20 * time.Second
	// usualGrace is longer than a batch of the shop's records, since all orders
	// of a batch may be read before its payments.
	usualGrace = 10 * time.Minute
)

func kindOf(n int64) string            { return fmt.Sprintf("kind%d", n%13) }
func amountOf(n int64) int64           { return n%97 + 1 }
func offerOf(city, plan string) string { return city + "/" + plan }

// shop builds the topology. Its windows take late records for as long as grace
// says.
func shop(grace time.Duration) *stream.Topology {
	return stream.MustBuild(func(b *stream.Builder) {
		in := b.Stream(orders)
		in.Filter(func(_ string, n int64) bool { return n%7 != 0 }).
			MapValues(func(n int64) int64 { return 2 * n }).
			To(outDoubled)
		in.GroupBy(func(_ string, n int64) string { return kindOf(n) }, topic.New("by-kind", serde.String, serde.Int64)).
			Count(state.New("kinds", serde.String, serde.Int64)).
			To(outKinds)
		in.GroupByKey().WindowedBy(window.Tumbling(time.Minute).Grace(grace)).
			Aggregate(state.New("minutes", serde.String, serde.Int64), func() int64 { return 0 },
				func(_ string, n, sum int64) int64 { return sum + amountOf(n) }).
			To(outMinutes)
		in.GroupByKey().SessionsBy(window.Session(visitGap).Grace(grace)).
			Count(state.New("visits", serde.String, serde.Int64)).
			To(outVisits)
		people := b.Table(users, state.New("people", serde.String, serde.String))
		in.JoinTable(people, func(_ int64, city string) string { return city }).
			GroupBy(func(_, city string) string { return city }, topic.New("by-city", serde.String, serde.String)).
			Count(state.New("cities", serde.String, serde.Int64)).
			To(outCities)
		in.Join(b.Stream(pays), window.Within(payReach).Grace(grace), state.NewJoin("paid", serde.String, serde.Int64, serde.Int64),
			func(order, _ int64) int64 { return order }).
			GroupByKey().
			Count(state.New("paid-count", serde.String, serde.Int64)).
			To(outPaid)
		people.LeftJoin(b.Table(plans, state.New("contracts", serde.String, serde.String)),
			func(city, plan string, known bool) string {
				if !known {
					plan = "none"
				}
				return offerOf(city, plan)
			}).
			GroupBy(func(user, offer string) (string, string) { return offer, user }, topic.New("by-offer", serde.String, serde.String)).
			Count(state.New("offers", serde.String, serde.Int64)).
			To(outOffers)
	})
}

// input is a record for the shop. A nil value is a deletion.
type input struct {
	topic, key string
	value      []byte
	at         time.Time
}

// traffic makes up records for the shop, in order of time, and computes what
// must come out of it.
type traffic struct {
	rng  *rand.Rand
	now  time.Time
	next int64

	orders, pays []sale
	users, plans map[string]string

	doubled map[string]int
	kinds   map[string]int64
	cities  map[string]int64
}

// sale is an order or a payment.
type sale struct {
	user string
	n    int64
	at   time.Time
}

func newTraffic(seed uint64, begin time.Time) *traffic {
	return &traffic{
		rng: rand.New(rand.NewPCG(seed, 1)), now: begin.Truncate(time.Hour), next: 1,
		users: map[string]string{}, plans: map[string]string{},
		doubled: map[string]int{}, kinds: map[string]int64{}, cities: map[string]int64{},
	}
}

func (f *traffic) tick(upTo time.Duration) time.Time {
	f.now = f.now.Add(time.Duration(1+f.rng.Int64N(upTo.Milliseconds())) * time.Millisecond)
	return f.now
}

func (f *traffic) user() string { return fmt.Sprintf("user%d", f.rng.IntN(16)) }

// master is changes of the tables. To be written before the sales after it: a
// table must be on the broker before the stream that is joined with it.
func (f *traffic) master(n int) []input {
	var out []input
	for range n {
		in := input{key: f.user(), at: f.tick(time.Second), topic: "users"}
		rows, value := f.users, fmt.Sprintf("city%d", f.rng.IntN(4))
		if f.rng.IntN(2) == 0 {
			in.topic, rows, value = "plans", f.plans, fmt.Sprintf("plan%d", f.rng.IntN(3))
		}
		if f.rng.IntN(6) == 0 {
			delete(rows, in.key)
		} else {
			rows[in.key], in.value = value, []byte(value)
		}
		out = append(out, in)
	}
	return out
}

// sales is orders and payments.
func (f *traffic) sales(n int) []input {
	var out []input
	for range n {
		s := sale{f.user(), f.next, f.tick(3 * time.Second)}
		f.next++
		in := input{topic: "orders", key: s.user, value: binary.BigEndian.AppendUint64(nil, uint64(s.n)), at: s.at}
		if f.rng.IntN(3) == 0 {
			in.topic = "pays"
			f.pays = append(f.pays, s)
		} else {
			f.orders = append(f.orders, s)
			f.count(s)
		}
		out = append(out, in)
	}
	return out
}

// count does what the operators do that look at one order at a time.
func (f *traffic) count(s sale) {
	if s.n%7 != 0 {
		f.doubled[fmt.Sprint(s.user, " ", 2*s.n)]++
	}
	f.kinds[kindOf(s.n)]++
	if city, ok := f.users[s.user]; ok {
		f.cities[city]++
	}
}
