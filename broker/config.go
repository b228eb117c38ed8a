package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/leatstream/leat/broker/internal/api"
	"github.com/leatstream/leat/broker/internal/authn"
	"github.com/leatstream/leat/broker/internal/quota"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/invariant"
)

// Durability says what an acknowledged produce request (or offset commit) has
// survived when its acknowledgement arrives. The zero value is [OS].
type Durability struct {
	kind  durabilityKind
	every time.Duration
}

type durabilityKind uint8

const (
	durabilityOS durabilityKind = iota
	durabilityFsync
	durabilityInterval
)

var (
	// OS acknowledges when the operating system has the bytes in its page
	// cache: a killed process loses nothing, a power cut may lose the last
	// seconds. This is what Kafka does.
	OS = Durability{}
	// Fsync acknowledges after the bytes are synced to disk. One sync, of a
	// journal that all partitions write to, serves all requests that wait.
	Fsync = Durability{kind: durabilityFsync}
)

// Interval acknowledges as [OS] does and syncs all dirty files every d, so that
// a power cut costs at most about d of acknowledged records. It panics if d is
// not positive.
func Interval(d time.Duration) Durability {
	if d <= 0 {
		invariant.Violated("broker: Interval(%v): the interval must be positive", d)
	}
	return Durability{kind: durabilityInterval, every: d}
}

// String is the form that ParseDurability reads.
func (d Durability) String() string {
	switch d.kind {
	case durabilityFsync:
		return "fsync"
	case durabilityInterval:
		return d.every.String()
	default:
		return "os"
	}
}

// ParseDurability reads "os", "fsync" or a duration such as "50ms".
func ParseDurability(s string) (Durability, error) {
	switch s {
	case "os":
		return OS, nil
	case "fsync":
		return Fsync, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return Durability{}, fmt.Errorf("durability %q is neither os, fsync nor a positive duration such as 50ms", s)
	}
	return Interval(d), nil
}

// Config configures a broker. The zero value is a broker in memory that only
// Dial reaches.
type Config struct {
	// Set are settings by Kafka's names, such as "log.retention.hours": those of a
	// server.properties, and some that begin with "leat.". The fields below hold
	// over the settings that mean the same. A setting that is unknown, or that
	// isn't served but would change what somebody relies on, is an error; those
	// without effect here are told to Logger. docs/broker.md lists all.
	Set map[string]string

	// Dir is the data directory. It is created if missing and locked while the
	// broker runs. Empty keeps all data in memory, gone after Close.
	Dir string

	// Listen is the TCP address to serve, such as "127.0.0.1:9092"; port 0
	// takes any free port. Empty opens no socket: only Dial reaches the broker.
	Listen string

	// Advertise is the HOST:PORT that TCP clients are told to connect to. Empty
	// is the address listened on; it is needed when that is not the one clients
	// reach, for instance "0.0.0.0:9092".
	Advertise string

	// Listeners are further addresses to serve, with TLS and SASL.
	Listeners []Listener

	// AllowInsecureListeners permits listeners that other machines reach without
	// both encryption and authentication. They are refused otherwise.
	AllowInsecureListeners bool

	// Users are created, for the mechanisms PLAIN and SCRAM, unless they are
	// there: their passwords can be changed by clients. Further users are made
	// by clients too.
	Users []User

	// Tokens says by which tokens clients log in with OAUTHBEARER.
	Tokens *Tokens

	// MaxSession is after how long clients have to log in again by SASL, as
	// Kafka's connections.max.reauth.ms. 0 is never, but for the end of a token.
	MaxSession time.Duration

	// Authorizer says who may do what. nil allows everybody everything.
	Authorizer *Authorizer

	// Durability is what an acknowledgement promises. The zero value is OS.
	Durability Durability

	// ClusterID names the cluster in metadata answers. Empty makes one up when
	// the data directory is created; an existing directory keeps its own, and a
	// different one here is an error.
	ClusterID string

	// DefaultPartitions is the number of partitions of topics that are created
	// without saying how many. 0 is 1.
	DefaultPartitions int

	// DisableAutoCreate stops metadata requests from creating missing topics.
	DisableAutoCreate bool

	// InitialRebalanceDelay is how long the first rebalance of an empty group
	// waits for further members. 0 is no wait; Kafka's default is 3 s.
	InitialRebalanceDelay time.Duration

	// OffsetsRetention is how long the offsets of a group without members are
	// kept. 0 is 7 days; negative keeps them forever.
	OffsetsRetention time.Duration

	// MaintenanceInterval is the time between two rounds of retention, of
	// compaction, and of the expiry of offsets and transactional ids, which have
	// settings of their own. 0 is what those say, 30 s by default; negative
	// disables them.
	MaintenanceInterval time.Duration

	// Limits bounds what clients can make the broker hold. Zero fields take
	// their documented defaults.
	Limits Limits

	// Logger receives what an operator should know. nil discards it.
	Logger *slog.Logger

	// Clock is the source of time. nil is the system's.
	Clock Clock

	// Faults make the broker fail on purpose, in tests. nil is none, and costs
	// nothing.
	Faults *Faults

	// MeterProvider receives the broker's metrics. nil records none.
	MeterProvider metric.MeterProvider

	// MetricDetail is how finely metrics of topics are told apart.
	MetricDetail MetricDetail

	// ListenFunc opens the socket for Listen. nil is net.Listen.
	ListenFunc func(network, address string) (net.Listener, error)

	fs vfs.FS // of the data; nil is the machine's, or memory without Dir
}

// Limits bounds what clients can make the broker hold. A zero field takes its
// default.
type Limits struct {
	// RequestBytes is the largest request. 0 is 100 MiB.
	RequestBytes int
	// Connections is the largest number of open connections. 0 is 10 000.
	Connections int
	// ConnectionsPerIP is the largest number of those from one IP address. 0 is
	// no limit of its own.
	ConnectionsPerIP int
	// LoginTimeout closes a connection that hasn't done the TLS handshake and
	// logged in after so long. 0 is 15 s.
	LoginTimeout time.Duration
	// QueuedBytes bounds the bytes of requests that are being received or
	// worked on, of all connections together. Further large requests wait. 0 is
	// 1 GiB.
	QueuedBytes int
	// InFlight is how many requests of one connection are worked on before no
	// further one is read. 0 is 32.
	InFlight int
	// IdleTimeout closes a connection that sends nothing for so long. 0 is 10
	// minutes.
	IdleTimeout time.Duration
	// Partitions is the largest number of partitions of all topics. 0 is
	// 100 000.
	Partitions int
	// GroupMembers is the largest number of members of a group. 0 is 10 000.
	GroupMembers int
}

// withDefaults fills the zero fields that aren't settings.
func (c Config) withDefaults() Config {
	c.Clock = clock.Or(c.Clock)
	c.Logger = orDiscard(c.Logger)
	if c.ListenFunc == nil {
		c.ListenFunc = net.Listen
	}
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

func (b *Broker) serverOptions(dir string, login *authn.Authenticator) api.Options {
	c := b.cfg
	return api.Options{
		Catalog: b.catalog, Groups: b.groups, Txns: b.txns, Shares: b.shares, Clock: c.Clock, Log: c.Logger,
		Nodes: b.nodes(), Authn: login, Policy: c.policy(), Limiter: quota.NewLimiter(), MaxSession: c.MaxSession,
		DefaultPartitions: int32(c.DefaultPartitions),
		AutoCreate:        !c.DisableAutoCreate,
		SyncAcks:          c.Durability.kind == durabilityFsync,
		RequestBytes:      c.Limits.RequestBytes,
		LogDir:            dir,
		Shown:             b.shown(dir),
		Throttled:         b.meters.waited,
	}
}

// validateNumbers reports numbers that can't be, before they are taken for
// settings.
func (c Config) validateNumbers() error {
	if c.DefaultPartitions < 0 {
		return fmt.Errorf("broker: DefaultPartitions is %d; it must be positive", c.DefaultPartitions)
	}
	l := c.Limits
	if min(l.RequestBytes, l.Connections, l.ConnectionsPerIP, l.QueuedBytes, l.InFlight, l.Partitions, l.GroupMembers) < 0 || min(l.IdleTimeout, l.LoginTimeout) < 0 {
		return errors.New("broker: a limit is negative")
	}
	return nil
}

// validate reports every mistake about who comes in at once.
func (c Config) validate() error {
	var errs []error
	errs = append(errs, c.validateListeners()...)
	errs = append(errs, c.validateSecurity()...)
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("broker: %w", errors.Join(errs...))
}
