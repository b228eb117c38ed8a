package mirror

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/clock"
)

// Mirror copies topics. Its methods are safe for concurrent use.
type Mirror struct {
	cfg      Config
	patterns patterns
	name     string // of this one among those that ever had the same Config.Name
	claimed  bool   // used by Run only, as what is above

	mu     sync.Mutex
	copied map[string]int64 // records by topic of the source, in committed transactions
}

// New returns a mirror, which does nothing before Run.
func New(cfg Config) (*Mirror, error) {
	p, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	return &Mirror{cfg: cfg.withDefaults(), patterns: p, name: rand.Text(), copied: map[string]int64{}}, nil
}

// Copied is how many records of each topic of the source were copied by this
// mirror since it was made.
func (m *Mirror) Copied() map[string]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string]int64{}
	for t, n := range m.copied {
		all[t] = n
	}
	return all
}

// ErrFenced is the end of a mirror in whose place another one has come.
var ErrFenced = errors.New("mirror: another mirror of the same name has taken over; give each its own name")

// PartitionError says that a partition can't be copied on.
type PartitionError struct {
	Topic     string
	Partition int32
	Reason    string // what is wrong, and what to do
}

func (e *PartitionError) Error() string {
	return fmt.Sprintf("mirror: %s/%d: %s", e.Topic, e.Partition, e.Reason)
}

// Backoff between two tries to reach the clusters.
const (
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = 30 * time.Second
)

// Run copies until ctx is done, or with Config.Once until all is copied; the
// error is nil then. It goes on through failures of the network and of the
// clusters, for days if need be, and ends only on errors that don't pass.
func (m *Mirror) Run(ctx context.Context) error {
	wait := firstBackoff
	for {
		began := m.cfg.Clock.Now()
		err := m.session(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			return nil
		case fatal(err):
			return err
		}
		if m.cfg.Clock.Now().Sub(began) > time.Minute {
			wait = firstBackoff // it had worked for a while
		}
		m.cfg.Logger.Warn("the mirror is interrupted; it goes on where it was", "err", err, "after", wait)
		if sleep(ctx, m.cfg.Clock, wait) != nil {
			return nil
		}
		wait = min(2*wait, lastBackoff)
	}
}

// fatal reports whether trying again is of no use.
func fatal(err error) bool {
	if _, ok := errors.AsType[*PartitionError](err); ok || errors.Is(err, ErrFenced) {
		return true
	}
	for _, e := range []error{
		kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.TransactionalIDAuthorizationFailed, kerr.SaslAuthenticationFailed, kerr.UnsupportedVersion,
		kerr.MessageTooLarge, kerr.InvalidTimestamp, kerr.InvalidConfig, kerr.PolicyViolation,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// session copies until something fails.
func (m *Mirror) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &session{m: m, cfg: &m.cfg, places: map[partition]*place{}, known: map[string]int{}}
	defer s.close()
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := s.refresh(ctx); err != nil {
		return err
	}
	next := m.cfg.Clock.Now().Add(m.cfg.Refresh)
	quiet := 0 // looks for new topics since the last record
	for ctx.Err() == nil {
		n, err := s.transact(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			quiet = 0
		}
		// What compaction has left of a topic may end before its end.
		done := m.cfg.Once && (s.atEnd() || quiet > 2)
		if now := m.cfg.Clock.Now(); done || !now.Before(next) {
			if err := s.syncGroups(ctx); err != nil {
				return err
			}
			if done {
				return nil
			}
			if err := s.refresh(ctx); err != nil {
				return err
			}
			next = now.Add(m.cfg.Refresh)
			quiet++
		}
	}
	return ctx.Err()
}

// count notes what a transaction has copied.
func (m *Mirror) count(records []*kgo.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		if !r.Attrs.IsControl() {
			m.copied[r.Topic]++
		}
	}
}

func sleep(ctx context.Context, clk clock.Clock, d time.Duration) error {
	t := clk.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// within is ctx with an end after d.
func within(ctx context.Context, clk clock.Clock, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	t := clk.AfterFunc(d, cancel)
	return ctx, func() {
		t.Stop()
		cancel()
	}
}
