package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// session is the mirror while both clusters can be reached. It is used by one
// goroutine.
type session struct {
	m              *Mirror
	cfg            *Config
	source, target *kgo.Client
	from, to       *kadm.Client

	places map[partition]*place
	known  map[string]int      // partitions by topic of the source
	ends   map[partition]int64 // with Once: the offsets to come to
}

const (
	// transactionTimeout is when the target gives up a transaction whose
	// mirror is gone. Readers with read_committed wait so long.
	transactionTimeout = time.Minute
	// deliveryTimeout is how long a transaction may wait for the target before it
	// is given up; it has to be over before the target's own. (The library's
	// limit is no use here: it counts from the record's timestamp.)
	deliveryTimeout = 40 * time.Second
)

// open connects to both clusters and reads the places. What a predecessor has
// left of a transaction is aborted by it.
func (s *session) open(ctx context.Context) error {
	opts, err := s.cfg.Source.Connect()
	if err != nil {
		return err
	}
	s.source, err = kgo.NewClient(append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// A record that is gone is a case for refresh, not for a guess.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.KeepRetryableFetchErrors(),
		kgo.KeepControlRecords())...) // they move the place, too
	if err != nil {
		return fmt.Errorf("mirror: source: %w", err)
	}
	if opts, err = s.cfg.Target.Connect(); err != nil {
		return err
	}
	s.target, err = kgo.NewClient(append(opts, kgo.TransactionalID(s.cfg.id()), kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(2*s.cfg.Records), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return fmt.Errorf("mirror: target: %w", err)
	}
	s.from, s.to = kadm.NewClient(s.source), kadm.NewClient(s.target)
	if err := s.createPlaces(ctx); err != nil {
		return err
	}
	if _, _, err := s.target.ProducerID(ctx); err != nil {
		return fmt.Errorf("mirror: target: begin with transactions: %w", err)
	}
	return s.readPlaces(ctx)
}

func (s *session) close() {
	for _, c := range []*kgo.Client{s.source, s.target} {
		if c != nil {
			c.Close()
		}
	}
}

// transact copies the records that come in one interval, and tells how many.
func (s *session) transact(ctx context.Context) (int, error) {
	first, err := s.poll(ctx, s.cfg.Interval, s.cfg.Records)
	if err != nil || len(first) == 0 {
		return 0, err
	}
	if err := s.target.BeginTransaction(); err != nil {
		return 0, fmt.Errorf("mirror: target: begin a transaction: %w", err)
	}
	limited, cancel := within(ctx, s.cfg.Clock, deliveryTimeout)
	defer cancel()
	sent, err := s.fill(limited, first)
	var changed map[partition]*place
	if err == nil {
		changed, err = s.write(limited, sent)
	}
	if err != nil {
		return 0, s.abort(err)
	}
	// A mirror that is told to end still ends its transaction.
	if err := s.target.EndTransaction(context.WithoutCancel(ctx), kgo.TryCommit); err != nil {
		return 0, fmt.Errorf("mirror: target: commit a transaction: %w", err)
	}
	maps.Copy(s.places, changed)
	s.m.count(sent.records)
	return len(sent.records), nil
}

// abort gives up a transaction because of err. A next session begins where the
// last committed transaction has ended.
func (s *session) abort(err error) error {
	ctx, cancel := within(context.Background(), s.cfg.Clock, deliveryTimeout)
	defer cancel()
	s.target.AbortBufferedRecords(ctx)
	if e := s.target.EndTransaction(ctx, kgo.TryAbort); e != nil {
		s.cfg.Logger.Warn("a transaction wasn't aborted; the target will do it", "err", e)
	}
	return fmt.Errorf("mirror: target: write a transaction: %w", err)
}

// poll gets records of the source, and none if there are none for d.
func (s *session) poll(ctx context.Context, d time.Duration, most int) ([]*kgo.Record, error) {
	ctx, cancel := within(ctx, s.cfg.Clock, d)
	defer cancel()
	fetches := s.source.PollRecords(ctx, most)
	for _, e := range fetches.Errors() {
		switch {
		case errors.Is(e.Err, context.Canceled) || kerr.IsRetriable(e.Err):
		case errors.Is(e.Err, kerr.OffsetOutOfRange):
			return nil, fmt.Errorf("mirror: source: %s/%d: %w", e.Topic, e.Partition, e.Err) // the next session knows more
		default:
			return nil, fmt.Errorf("mirror: source: read %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	return fetches.Records(), nil
}

// batch is the records of one transaction: those of the source, and what became
// of each.
type batch struct {
	records []*kgo.Record
	copies  []*kgo.Record // nil for control records
	err     error         // the first that a copy had
}

// fill sends records until the interval is over or the transaction is full.
func (s *session) fill(ctx context.Context, first []*kgo.Record) (*batch, error) {
	b := &batch{}
	end := s.cfg.Clock.Now().Add(s.cfg.Interval)
	for records := first; ; {
		for _, r := range records {
			b.records = append(b.records, r)
			if r.Attrs.IsControl() {
				b.copies = append(b.copies, nil)
				continue
			}
			c := &kgo.Record{
				Topic: s.cfg.Prefix + r.Topic, Partition: r.Partition,
				Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp,
			}
			b.copies = append(b.copies, c)
			s.target.Produce(ctx, c, func(_ *kgo.Record, err error) {
				if err != nil && b.err == nil {
					b.err = err // promises are called one after the other
				}
			})
		}
		left := end.Sub(s.cfg.Clock.Now())
		if left <= 0 || len(b.records) >= s.cfg.Records || s.cfg.Once && s.reached(b) {
			break
		}
		var err error
		if records, err = s.poll(ctx, left, s.cfg.Records-len(b.records)); err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
	}
	if err := s.target.Flush(ctx); err != nil {
		return nil, err
	}
	return b, b.err
}

// write adds to a transaction where its records went.
func (s *session) write(ctx context.Context, b *batch) (map[partition]*place, error) {
	changed := map[partition]*place{}
	for i, r := range b.records {
		of := partition{r.Topic, r.Partition}
		p := changed[of]
		if p == nil {
			p = &place{}
			if old := s.places[of]; old != nil {
				p = old.clone()
			}
			changed[of] = p
		}
		if c := b.copies[i]; c != nil {
			p.copied(r.Offset, c.Offset)
		} else {
			p.passed(r.Offset)
		}
	}
	var keep []*kgo.Record
	for of, p := range changed {
		key, value, err := encodePlace(of, p)
		if err != nil {
			return nil, err
		}
		keep = append(keep, &kgo.Record{Topic: s.cfg.id(), Key: key, Value: value})
	}
	return changed, s.produce(ctx, keep)
}

// produce writes records and waits for them. Unlike the library's ProduceSync it
// ends with ctx, even where a record may have arrived.
func (s *session) produce(ctx context.Context, records []*kgo.Record) error {
	var first error
	for _, r := range records {
		s.target.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil && first == nil {
				first = err // promises are called one after the other
			}
		})
	}
	if err := s.target.Flush(ctx); err != nil {
		return err
	}
	if first != nil {
		return first
	}
	// The first records of a topic may have arrived while the library is still
	// noting the topic. To end the transaction then would be to abort it, without an
	// error, since nothing seems to be in it. This aborts nothing, as nothing is
	// buffered, but waits for the lock under which topics are noted.
	return s.target.AbortBufferedRecords(ctx)
}

// atEnd reports whether all partitions have come to their ends.
func (s *session) atEnd() bool { return s.reached(&batch{}) }

// reached reports whether they have with a batch.
func (s *session) reached(b *batch) bool {
	last := map[partition]int64{}
	for _, r := range b.records {
		last[partition{r.Topic, r.Partition}] = r.Offset + 1
	}
	for of, end := range s.ends {
		at := last[of]
		if p := s.places[of]; p != nil {
			at = max(at, p.Next)
		}
		if at < end {
			return false
		}
	}
	return true
}
