package client

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
)

// Session writes the records of one task. It tells whether all of them are
// acknowledged, and up to where its changelogs are.
//
// It fails as a whole: after the first record that couldn't be written, every
// Send and Flush returns that record's error, so that nothing is committed
// that depends on it. Records sent before and after it may have been written.
//
// Send and Flush are called by one goroutine, everything else by any.
type Session struct {
	k       *kgo.Client
	ctx     context.Context
	promise func(*kgo.Record, error) // the method acknowledged, bound once

	// Records are cut from larger pieces. A piece lives until the last record
	// in it is acknowledged, which the linger keeps short.
	records []kgo.Record

	outside    mark   // of records of no changelog
	changelogs []mark // by index

	inflight atomic.Int64
	idle     chan struct{} // holds a token when inflight has become 0
	failed   atomic.Pointer[SendError]
}

// mark travels with a record as its context and so tells the one function that
// all acknowledgements of a session come to whose they are, without a closure
// per record.
type mark struct {
	context.Context
	acked atomic.Int64 // the offset after the last one acknowledged, 0 if none
}

// piece is how many records are allocated together.
const piece = 128

// Session starts a session with this many changelogs. When ctx is done, a Send
// that waits for room returns, and records not yet handed to a broker fail.
func (c *Client) Session(ctx context.Context, changelogs int) *Session {
	s := &Session{k: c.k, ctx: ctx, idle: make(chan struct{}, 1)}
	s.promise = s.acknowledged
	s.outside.Context = ctx
	s.changelogs = make([]mark, changelogs)
	for i := range s.changelogs {
		s.changelogs[i].Context = ctx
	}
	return s
}

// Send buffers a record; it is part of task.Output. Key, Value and the values
// of headers are shared and must stay as they are, o itself is the caller's
// again. It waits while too much is buffered. Its error is that of the session:
// nil says nothing about this record yet.
func (s *Session) Send(o *task.Outgoing) error {
	if err := s.Err(); err != nil {
		return err
	}
	if len(s.records) == 0 {
		s.records = make([]kgo.Record, piece)
	}
	r := &s.records[0]
	s.records = s.records[1:]
	r.Topic, r.Partition = o.Topic, o.Partition
	r.Key, r.Value = o.Key, o.Value
	r.Timestamp = time.UnixMilli(o.Time)
	if len(o.Headers) > 0 {
		r.Headers = make([]kgo.RecordHeader, len(o.Headers))
		for i, h := range o.Headers {
			r.Headers[i] = kgo.RecordHeader{Key: h.Key, Value: h.Value}
		}
	}
	m := &s.outside
	if o.Changelog >= 0 {
		m = &s.changelogs[o.Changelog]
	}
	r.Context = m
	s.inflight.Add(1)
	s.k.Produce(s.ctx, r, s.promise)
	return nil
}

// acknowledged is called by the library for every record, in order for each
// partition, by one goroutine at a time.
func (s *Session) acknowledged(r *kgo.Record, err error) {
	if err != nil {
		if (errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrAborting)) && s.ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", ErrDropped, err)
		}
		s.failed.CompareAndSwap(nil, &SendError{
			TopicPartition: record.TopicPartition{Topic: r.Topic, Partition: r.Partition},
			Size:           len(r.Key) + len(r.Value),
			Err:            closedError(err),
		})
	} else {
		r.Context.(*mark).acked.Store(r.Offset + 1)
	}
	// The piece may outlive the record by far.
	r.Key, r.Value, r.Headers = nil, nil, nil
	if s.inflight.Add(-1) == 0 {
		select {
		case s.idle <- struct{}{}:
		default:
		}
	}
}

// Flush waits until every record sent is acknowledged, without lingering. It
// doesn't wait for those of other sessions. The error is that of the session,
// or of ctx, in which case the session goes on and may be flushed again.
func (s *Session) Flush(ctx context.Context) error {
	if s.inflight.Load() > 0 {
		// The library's own flush ends the linger of everything that is
		// buffered, but also waits for all of it; so it is left alone and
		// cancelled as soon as nothing of this session is in flight.
		flushing, cancel := context.WithCancel(ctx)
		defer cancel()
		go s.k.Flush(flushing)
		for s.inflight.Load() > 0 {
			select {
			case <-s.idle:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return s.Err()
}

// Err is the failure of the first record that couldn't be written, a
// *SendError, or nil.
func (s *Session) Err() error {
	if err := s.failed.Load(); err != nil {
		return err
	}
	return nil
}

// InFlight is the number of records that aren't acknowledged yet.
func (s *Session) InFlight() int { return int(s.inflight.Load()) }

// Acked is the offset after the last record of a changelog that was
// acknowledged; 0 if there was none in this session.
func (s *Session) Acked(changelog int) int64 {
	return s.changelogs[changelog].acked.Load()
}
