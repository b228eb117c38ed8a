package catalog

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/broker/internal/journal"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/settings"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// ID is a topic's id. The zero ID is no topic's.
type ID = [16]byte

// Topic is a topic as it was when its Image was made. Nothing in it may be
// modified; the logs are live.
type Topic struct {
	Name    string
	ID      ID
	Configs map[string]string // overrides
	Logs    []*partition.Log  // by partition
	Traffic *partition.Traffic
}

// Internal says whether the broker keeps the topic for itself.
func (t *Topic) Internal() bool { return Internal(t.Name) }

// Log returns the log of a partition, or nil.
func (t *Topic) Log(p int32) *partition.Log {
	if t == nil || p < 0 || int(p) >= len(t.Logs) {
		return nil
	}
	return t.Logs[p]
}

// Image is all topics at one moment. It never changes.
type Image struct {
	byName     map[string]*Topic
	byID       map[ID]*Topic
	byMetric   map[string]string // the name as metrics see it -> the topic's name
	partitions int
}

// Topic finds a topic by name; nil if there is none.
func (m *Image) Topic(name string) *Topic { return m.byName[name] }

// TopicByID finds a topic by id; nil if there is none.
func (m *Image) TopicByID(id ID) *Topic { return m.byID[id] }

// Topics lists all topics by name.
func (m *Image) Topics() []*Topic {
	ts := slices.Collect(maps.Values(m.byName))
	slices.SortFunc(ts, func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) })
	return ts
}

// Partitions is the number of partitions of all topics.
func (m *Image) Partitions() int { return m.partitions }

// Options configures a catalog. FS, Dir, Clock, Log and Syncer are required.
type Options struct {
	FS            vfs.FS
	Dir           string
	Clock         clock.Clock
	Log           *slog.Logger
	Durability    partition.Durability
	Syncer        *partition.Syncer
	Journal       *journal.Recovered // what the Syncer's journal held; nil is nothing
	ClusterID     string             // "" makes one up for a new directory
	MaxPartitions int
	// Static are the broker's settings that were given at the start, checked.
	Static map[string]string
	// Synced is told how long each sync of a partition took, and of its error;
	// nil tells nobody.
	Synced func(time.Duration, error)
}

// Catalog holds the current Image and changes it. It is safe for concurrent
// use; changes happen one at a time.
type Catalog struct {
	opt       Options
	clusterID string
	image     atomic.Pointer[Image]
	security  atomic.Pointer[Security]
	settings  atomic.Pointer[settings.View]
	groups    atomic.Pointer[map[string]map[string]string] // configs of groups

	mu    sync.Mutex // held while the file and the image change
	saved file
	// The block of producer ids in use: the next to give out, and its end.
	nextProducer, endProducer int64
	closed                    bool
	dropped                   partition.Moved // by topics that were deleted
}

// ErrClosed is returned by changes after Close.
var ErrClosed = errors.New("the catalog is closed")

// Open reads the catalog of a data directory, or starts an empty one, and opens
// all logs.
func Open(o Options) (*Catalog, error) {
	c := &Catalog{opt: o}
	if err := c.load(); err != nil {
		return nil, err
	}
	c.clusterID = c.saved.ClusterID
	c.security.Store(compileSecurity(c.saved.Security))
	c.settings.Store(c.view(c.saved.Settings))
	groups := c.saved.Groups
	c.groups.Store(&groups)
	unclean := c.saved.Running
	c.saved.Running = true
	if err := c.save(); err != nil {
		return nil, err
	}
	if err := c.removeStrays(); err != nil {
		return nil, err
	}
	img := &Image{byName: map[string]*Topic{}, byID: map[ID]*Topic{}, byMetric: map[string]string{}}
	topics, err := c.openAll(unclean)
	for _, t := range topics {
		img.put(t)
	}
	c.image.Store(img)
	if err != nil {
		return nil, errors.Join(err, closeLogs(img))
	}
	return c, nil
}

// openAll opens the logs of all saved topics.
func (c *Catalog) openAll(unclean bool) ([]*Topic, error) {
	type place struct {
		topic     *Topic
		partition int32
	}
	var topics []*Topic
	var places []place // of small topics several are opened at a time, too
	for _, s := range c.saved.Topics {
		t := &Topic{Name: s.Name, ID: s.ID, Configs: s.Configs, Logs: make([]*partition.Log, s.Partitions), Traffic: new(partition.Traffic)}
		topics = append(topics, t)
		for p := range s.Partitions {
			places = append(places, place{t, p})
		}
	}
	how := opening{unclean: unclean, tail: tailBytes(len(places))}
	return topics, each(0, int32(len(places)), func(i int32) (err error) {
		at := places[i]
		at.topic.Logs[at.partition], err = c.openLog(at.topic, at.partition, how)
		return err
	})
}

// opening is how a log is opened.
type opening struct {
	unclean bool // after a stop that was not in order
	tail    int  // bytes of its end that are kept in memory
}

// Bytes of the ends of logs that are kept in memory, for the consumers that keep
// up: of all logs together about, and of each one. Others read what the operating
// system has of the files.
const (
	allTails  = 256 << 20
	leastTail = 32 << 10
	mostTail  = 1 << 20
)

// tailBytes is what each of so many logs keeps.
func tailBytes(logs int) int {
	return min(max(allTails/max(logs, 1), leastTail), mostTail)
}

func (c *Catalog) openLog(t *Topic, p int32, how opening) (*partition.Log, error) {
	log, err := partition.Open(partition.Options{
		FS: c.opt.FS, Dir: c.logDir(t.Name, p), Topic: t.Name, Partition: p,
		Clock: c.opt.Clock, Log: c.opt.Log, Durability: c.opt.Durability,
		Syncer: c.opt.Syncer, TopicID: t.ID, Redo: c.opt.Journal.Entries(journal.Key{Topic: t.ID, Partition: p}),
		Unclean: how.unclean, TailBytes: how.tail, Traffic: t.Traffic, Synced: c.opt.Synced,
	}, logConfig(c.Settings(), t.Configs))
	if err != nil {
		return nil, fmt.Errorf("open partition %d of topic %s: %w", p, t.Name, err)
	}
	return log, nil
}

func (c *Catalog) topicsDir() string { return vfs.Join(c.opt.Dir, "topics") }

func (c *Catalog) logDir(topic string, p int32) string {
	return vfs.Join(c.topicsDir(), fmt.Sprintf("%s-%d", topic, p))
}

// removeStrays deletes directories of partitions that the catalog doesn't
// know: what a crash in the middle of a creation or deletion left behind.
func (c *Catalog) removeStrays() error {
	known := map[string]bool{}
	for _, t := range c.saved.Topics {
		for p := range t.Partitions {
			known[fmt.Sprintf("%s-%d", t.Name, p)] = true
		}
	}
	if err := c.opt.FS.MkdirAll(c.topicsDir()); err != nil {
		return fmt.Errorf("make %s: %w", c.topicsDir(), err)
	}
	entries, err := c.opt.FS.ReadDir(c.topicsDir())
	if err != nil {
		return fmt.Errorf("list %s: %w", c.topicsDir(), err)
	}
	for _, e := range entries {
		if e.Dir && !known[e.Name] {
			c.opt.Log.Warn("removing a partition that no topic has", "dir", vfs.Join(c.topicsDir(), e.Name))
			if err := c.opt.FS.RemoveAll(vfs.Join(c.topicsDir(), e.Name)); err != nil {
				return fmt.Errorf("remove %s: %w", e.Name, err)
			}
		}
	}
	return nil
}

// Image returns the topics as they are now.
func (c *Catalog) Image() *Image { return c.image.Load() }

// Dropped is what went in and out of topics that are deleted.
func (c *Catalog) Dropped() partition.Moved {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// ClusterID is the name of the cluster.
func (c *Catalog) ClusterID() string { return c.clusterID }

// Close closes all logs and notes that the broker stopped in order.
func (c *Catalog) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if err := closeLogs(c.image.Load()); err != nil {
		return err // and not stopped in order
	}
	c.saved.Running = false
	if c.nextProducer > 0 {
		c.saved.NextProducerID = c.nextProducer // gives the rest of the block back
	}
	return c.save()
}

func closeLogs(m *Image) error {
	var closes []func() error
	for _, t := range m.Topics() {
		for p, log := range t.Logs {
			if log == nil {
				continue
			}
			closes = append(closes, func() error {
				if err := log.Close(); err != nil {
					return fmt.Errorf("close partition %d of topic %s: %w", p, t.Name, err)
				}
				return nil
			})
		}
	}
	return each(0, int32(len(closes)), func(i int32) error { return closes[i]() })
}

func (m *Image) put(t *Topic) {
	if old := m.byName[t.Name]; old != nil {
		m.partitions -= len(old.Logs)
	}
	m.byName[t.Name] = t
	m.byID[t.ID] = t
	m.byMetric[metricName(t.Name)] = t.Name
	m.partitions += len(t.Logs)
}

func (m *Image) drop(t *Topic) {
	delete(m.byName, t.Name)
	delete(m.byID, t.ID)
	delete(m.byMetric, metricName(t.Name))
	m.partitions -= len(t.Logs)
}

func (m *Image) clone() *Image {
	return &Image{byName: maps.Clone(m.byName), byID: maps.Clone(m.byID), byMetric: maps.Clone(m.byMetric), partitions: m.partitions}
}

// newID makes a random id (a version 4 UUID), never zero.
func newID() ID {
	var id ID
	rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

func newClusterID() string {
	id := newID()
	return base64.RawURLEncoding.EncodeToString(id[:])
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
