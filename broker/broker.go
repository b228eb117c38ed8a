package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/leatstream/leat/broker/internal/api"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/journal"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/settings"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/broker/internal/wire"
)

// Broker is a running broker. Its methods are safe for concurrent use.
type Broker struct {
	cfg     Config
	given   settings.Given // Config.Set, and the fields that mean the same
	fs      vfs.FS
	lock    io.Closer // of the data directory
	syncer  *partition.Syncer
	catalog *catalog.Catalog
	groups  *coord.Groups
	txns    *coord.Txns
	shares  *coord.Shares
	server  *api.Server
	memory  *wire.Memory
	meters  *meters

	entrances []*entrance // the listeners, in the order of the configuration
	local     *entrance   // with a name that only Dial understands

	ctx    context.Context // done when the broker closes
	cancel context.CancelFunc
	tasks  sync.WaitGroup // connections, listener, maintenance

	mu     sync.Mutex // guards what follows
	conns  int
	hosts  map[string]int // connections by the other end's host
	closed bool

	once   sync.Once // of Close
	result error     // of it
}

// Start starts a broker. The caller must Close it.
func Start(cfg Config) (*Broker, error) {
	if err := cfg.validateNumbers(); err != nil {
		return nil, err
	}
	given, err := cfg.settle()
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	b := &Broker{cfg: cfg, given: given, fs: cfg.fs, hosts: map[string]int{}}
	b.local = &entrance{node: localNode(), trusted: true}
	b.memory = wire.NewMemory(int64(cfg.Limits.QueuedBytes), cfg.Clock, frameTimeout)
	b.ctx, b.cancel = context.WithCancel(context.Background())
	if err := b.open(); err != nil {
		b.cancel()
		return nil, fmt.Errorf("broker: %w", errors.Join(err, b.release()))
	}
	b.warnIdle()
	b.serve()
	return b, nil
}

// localNode makes up a name that no resolver knows, so that it leads nowhere
// outside of Dial.
func localNode() api.Node {
	return api.Node{Host: "inproc-" + rand.Text()[:10], Port: 9092}
}

// open takes the data directory and opens everything in it, and then the
// listener: clients can't connect before their topics are there.
func (b *Broker) open() error {
	dir := b.cfg.Dir
	if b.fs == nil {
		b.fs = vfs.OS
		if dir == "" {
			b.fs = vfs.NewMem()
		}
	}
	if dir == "" {
		dir = "/"
	}
	if err := b.fs.MkdirAll(dir); err != nil {
		return fmt.Errorf("make the data directory %s: %w", dir, err)
	}
	var err error
	if b.lock, err = b.fs.Lock(vfs.Join(dir, "LOCK")); err != nil {
		return fmt.Errorf("data directory %s: %w", dir, err)
	}
	if b.meters, err = newMeters(b.cfg.MeterProvider, b.cfg.Clock); err != nil {
		return err
	}
	if err := b.openLogs(dir); err != nil {
		return err
	}
	b.groups, err = coord.Start(coord.Options{
		Catalog: b.catalog, Clock: b.cfg.Clock, Log: b.cfg.Logger, Group: b.groupConfig(), Rebalanced: b.meters.rebalanced(),
	})
	if err != nil {
		return err
	}
	if err := b.startTxns(); err != nil {
		return err
	}
	if err := b.startShares(); err != nil {
		return err
	}
	if err := b.addUsers(); err != nil {
		return err
	}
	login, err := b.authenticator()
	if err != nil {
		return err
	}
	if err := b.listen(); err != nil {
		return err
	}
	b.server = api.NewServer(b.serverOptions(dir, login))
	return b.observe()
}

// syncWorkers is how many files are synced at the same time.
const syncWorkers = 4

// openLogs opens the logs of all topics, with what the journal has for them.
func (b *Broker) openLogs(dir string) error {
	left, err := journal.Recover(b.fs, vfs.Join(dir, journalDir))
	if err != nil {
		return err
	}
	defer left.Close()
	for _, d := range left.Damaged {
		b.cfg.Logger.Error("the journal is damaged: records that were acknowledged may be lost", "file", d.Path, "position", d.Position)
	}
	b.startSyncer(dir, left.Next())
	if b.catalog, err = catalog.Open(b.catalogOptions(dir, left)); err != nil {
		return err
	}
	return left.Remove()
}

// journalDir is the directory, in the data directory, of the journal by which
// records are durable before they are acknowledged.
const journalDir = "journal"

func (b *Broker) startSyncer(dir string, next uint64) {
	if b.cfg.Durability.kind != durabilityFsync || b.cfg.Dir == "" && b.cfg.fs == nil {
		b.syncer = partition.NewSyncer(syncWorkers)
		return
	}
	b.syncer = partition.NewJournaledSyncer(partition.Journaled{
		Journal: journal.New(journal.Options{FS: b.fs, Dir: vfs.Join(dir, journalDir), First: next}),
		Workers: syncWorkers, Clock: b.cfg.Clock, Log: b.cfg.Logger, Synced: b.meters.syncs(),
	})
}

func (b *Broker) catalogOptions(dir string, left *journal.Recovered) catalog.Options {
	o := catalog.Options{
		FS: b.fs, Dir: dir, Clock: b.cfg.Clock, Log: b.cfg.Logger, Syncer: b.syncer, Journal: left,
		ClusterID: b.cfg.ClusterID, MaxPartitions: b.cfg.Limits.Partitions, Static: b.given.Values,
	}
	o.Synced = b.meters.syncs()
	if b.cfg.Durability.kind == durabilityFsync {
		o.Durability = partition.Fsync
	}
	return o
}

func (b *Broker) groupConfig() group.Config {
	v := b.settings()
	return group.Config{
		InitialRebalanceDelay: b.cfg.InitialRebalanceDelay,
		MinSessionTimeout:     v.Millis("group.min.session.timeout.ms"),
		MaxSessionTimeout:     v.Millis("group.max.session.timeout.ms"),
		MaxMembers:            b.cfg.Limits.GroupMembers,
		MaxMetadataBytes:      int(v.Int("offset.metadata.max.bytes")),
		OffsetsRetention:      b.cfg.OffsetsRetention,
		NewID:                 rand.Text,
	}
}

// release gives back what open has taken, as far as it came.
func (b *Broker) release() error {
	var errs []error
	if b.meters != nil && b.meters.observed != nil {
		errs = append(errs, b.meters.observed.Unregister())
	}
	for _, e := range b.entrances {
		if err := e.listener.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if b.shares != nil {
		errs = append(errs, b.shares.Close())
	}
	if b.txns != nil {
		errs = append(errs, b.txns.Close())
	}
	if b.groups != nil {
		errs = append(errs, b.groups.Close())
	}
	if b.catalog != nil {
		errs = append(errs, b.catalog.Close())
	}
	if b.syncer != nil {
		errs = append(errs, b.syncer.Close())
	}
	if b.lock != nil {
		errs = append(errs, b.lock.Close())
	}
	return errors.Join(errs...)
}

// Addr is the address that clients start with: what the first listener
// advertises, and without listeners a name that only Dial understands.
func (b *Broker) Addr() string {
	if len(b.entrances) > 0 {
		return address(b.entrances[0].node)
	}
	return address(b.local.node)
}

// ListenerAddr is the address that clients of a listener start with; "" if no
// listener has the name.
func (b *Broker) ListenerAddr(name string) string {
	for _, e := range b.entrances {
		if e.cfg.Name == name {
			return address(e.node)
		}
	}
	return ""
}

// Dir is the data directory; "" if everything is in memory.
func (b *Broker) Dir() string { return b.cfg.Dir }

// Durability is what an acknowledgement promises.
func (b *Broker) Durability() Durability { return b.cfg.Durability }

// ClusterID is the name of the cluster: Config.ClusterID, or the one that was
// made up for the data directory.
func (b *Broker) ClusterID() string { return b.catalog.ClusterID() }

// TopicConfig is one topic configuration, by Kafka's name ("cleanup.policy").
type TopicConfig struct {
	Name, Value string
}

// CreateTopic creates a topic. Partitions 0 takes Config.DefaultPartitions. It
// is no error if the topic exists with that number of partitions already.
func (b *Broker) CreateTopic(ctx context.Context, name string, partitions int, configs ...TopicConfig) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.ctx.Err() != nil {
		return ErrClosed
	}
	if partitions == 0 {
		partitions = b.cfg.DefaultPartitions
	}
	if catalog.Internal(name) {
		return fmt.Errorf("broker: create topic %s: the broker creates its internal topics itself", name)
	}
	n := catalog.NewTopic{Name: name, Partitions: int32(min(max(partitions, -1), 1<<30))}
	for _, c := range configs {
		if n.Configs == nil {
			n.Configs = map[string]string{}
		}
		n.Configs[c.Name] = c.Value
	}
	if t := b.catalog.Image().Topic(name); t != nil {
		return sameTopic(t, partitions)
	}
	_, errs := b.catalog.Create([]catalog.NewTopic{n})
	if errs[0] == nil {
		return nil
	}
	if t := b.catalog.Image().Topic(name); t != nil {
		return sameTopic(t, partitions) // somebody else was faster
	}
	if errors.Is(errs[0], catalog.ErrClosed) {
		return ErrClosed
	}
	return fmt.Errorf("broker: create topic %q: %w", name, errs[0])
}

func sameTopic(t *catalog.Topic, partitions int) error {
	if len(t.Logs) != partitions {
		return fmt.Errorf("broker: topic %s exists with %d partitions, not %d", t.Name, len(t.Logs), partitions)
	}
	return nil
}

// Close stops serving, syncs and closes the logs and releases the data
// directory. Requests in progress are cut off.
func (b *Broker) Close() error {
	b.once.Do(func() {
		b.mu.Lock()
		b.closed = true
		b.mu.Unlock()
		b.cancel()
		for _, e := range b.entrances {
			e.listener.Close() // release tells of an error
		}
		b.tasks.Wait()
		if err := b.release(); err != nil {
			b.result = fmt.Errorf("broker: close: %w", err)
		}
	})
	return b.result
}
