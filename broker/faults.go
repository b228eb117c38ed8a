package broker

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// API is one of the protocol's requests, by its key.
type API int16

// The requests that programs make most, and so those to disturb. The others go
// by their keys: API(19) is CreateTopics.
const (
	Produce            API = 0
	Fetch              API = 1
	ListOffsets        API = 2
	Metadata           API = 3
	OffsetCommit       API = 8
	OffsetFetch        API = 9
	FindCoordinator    API = 10
	JoinGroup          API = 11
	Heartbeat          API = 12
	LeaveGroup         API = 13
	SyncGroup          API = 14
	ApiVersions        API = 18
	InitProducerID     API = 22
	AddPartitionsToTxn API = 24
	AddOffsetsToTxn    API = 25
	EndTxn             API = 26
	TxnOffsetCommit    API = 28
)

// String is Kafka's name for it.
func (a API) String() string { return kmsg.NameForKey(int16(a)) }

// Effect is what becomes of a request that a [Fault] applies to.
type Effect int

const (
	// Answer carries the request out and answers it, after Fault.Delay.
	Answer Effect = iota
	// Refuse answers Fault.Code. A request that changes something isn't carried
	// out. One about several topics or groups is refused for each of them.
	Refuse
	// Disconnect closes the connection instead of carrying the request out.
	Disconnect
	// LoseAnswer carries the request out, and closes the connection instead of
	// answering: the client can't know that it was done.
	LoseAnswer
	// Silence drops the request, and all that follow on the same connection,
	// which stays open: a network that swallows everything.
	Silence
)

// Request is what a [Fault] can be chosen by.
type Request struct {
	API      API
	Version  int16
	ClientID string // as the client calls itself
	// Topics are the names in the request. One that asks for all topics names none.
	Topics []string
	// Groups are the groups, and transactional ids, that the request is about.
	Groups []string
}

// Fault is something that goes wrong: an effect on some of the requests.
type Fault struct {
	// APIs are the requests that the fault applies to; none is all of them.
	APIs []API
	// Match chooses among them; nil takes each. It is called for one request
	// at a time, and mustn't call methods of the Faults it belongs to.
	Match func(Request) bool
	// Skip lets so many of those requests pass at first.
	Skip int
	// Times is how many of them are affected after that; 0 is all, until the
	// fault is lifted.
	Times int

	// Effect is what becomes of them.
	Effect Effect
	// Delay is how long the answer, or the end of the connection, is held back,
	// by the broker's clock. The request itself is carried out at once. Answers
	// to later requests of the same connection wait too: Kafka answers in order.
	Delay time.Duration
	// Code is the error code of Refuse, as Kafka numbers them; 0 is
	// UNKNOWN_SERVER_ERROR (-1).
	Code int16
}

// Faults makes a broker fail on purpose, so that one can test how a program
// takes it: see Config.Faults. The zero value is without faults. Its methods
// are safe for concurrent use, while the broker runs too.
//
// Faults are put on requests of clients that have logged in, if they have to;
// the login itself can't be disturbed.
type Faults struct {
	mu  sync.Mutex
	all []*Injection
}

// Injection is a [Fault] that was injected.
type Injection struct {
	from  *Faults
	fault Fault
	seen  int // requests that it applies to, with those skipped
	hit   int
}

// Inject makes a fault happen from now on. Where several apply to a request,
// the one that was injected first counts.
func (f *Faults) Inject(fault Fault) *Injection {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := &Injection{from: f, fault: fault}
	f.all = append(f.all, i)
	return i
}

// Lift ends the fault. Answers that are held back already still are. A fault
// can be lifted more than once.
func (i *Injection) Lift() {
	i.from.mu.Lock()
	defer i.from.mu.Unlock()
	for n, other := range i.from.all {
		if other == i {
			i.from.all = append(i.from.all[:n:n], i.from.all[n+1:]...)
			return
		}
	}
}

// Count is how many requests the fault has affected.
func (i *Injection) Count() int {
	i.from.mu.Lock()
	defer i.from.mu.Unlock()
	return i.hit
}

// wants reports whether any fault may apply to an API, so that the others need
// no second decoding.
func (f *Faults) wants(key API) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.all {
		if i.fault.appliesTo(key) {
			return true
		}
	}
	return false
}

// take finds the fault for a request and counts it.
func (f *Faults) take(r Request) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.all {
		fault := i.fault
		if !fault.appliesTo(r.API) || fault.Times > 0 && i.hit >= fault.Times {
			continue
		}
		if fault.Match != nil && !fault.Match(r) {
			continue
		}
		i.seen++
		if i.seen <= fault.Skip {
			continue
		}
		i.hit++
		return fault, true
	}
	return Fault{}, false
}

func (f Fault) appliesTo(key API) bool {
	for _, a := range f.APIs {
		if a == key {
			return true
		}
	}
	return len(f.APIs) == 0
}
