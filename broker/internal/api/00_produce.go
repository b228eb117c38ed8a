package api

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/quota"
	"github.com/leatstream/leat/broker/internal/wire"
)

// Produce, v3-13: append one batch to each of some partitions.
//
// The appends happen in the first stage, so requests of a connection are
// stored in the order they came in; with acks=all the answer then waits until
// the batches are durable. acks=1 doesn't wait, and acks=0 gets no answer: if
// something fails the connection is closed instead.
//
// It is decoded and encoded by hand. The batches stay where the frame was
// read to, and a log copies them from there.
//
// v5: log start offset in the answer
// v8: errors of records and an error message
// v9: flexible
// v10: leader and node in tagged fields, which a single node doesn't need
// v11: TRANSACTION_ABORTABLE
// v12: writing adds a partition to the client's transaction
// v13: topic ids instead of names
func (s *Server) produce(ctx context.Context, r *wire.Request) (wire.Reply, bool, error) {
	flexible := r.Version >= 9
	if flexible {
		if err := r.Flexible(); err != nil {
			return nil, false, err
		}
	}
	p := &produced{version: r.Version}
	acks, err := p.decode(r.Body, flexible)
	if err != nil {
		return nil, false, err
	}
	img := s.Catalog.Image()
	for i := range p.topics {
		s.findTopic(r, img, &p.topics[i], p.version >= 13, acks)
	}
	if err := s.admit(ctx, p, r); err != nil {
		return nil, false, err
	}
	if err := s.writers.within(ctx, func() { p.append(s) }); err != nil {
		return nil, false, err
	}
	r.Reusable = true // the logs have copied what they want
	p.throttle = s.charge(r, quota.ProduceRate, float64(len(r.Body)))
	r.Mute = p.throttle
	switch {
	case acks == 0 && p.failed():
		return nil, false, errors.New("a batch that is not acknowledged was refused")
	case acks == 0:
		return wire.Ready{}, flexible, nil
	case acks == -1 && s.SyncAcks:
		return await(func(ctx context.Context) (wire.Response, error) { return p.awaitDurable(ctx, s) }), flexible, nil
	}
	return ready(p), flexible, nil
}

// produced is a Produce request, and then its response.
type produced struct {
	version  int16
	txnID    *string // nil without a transactional id
	throttle time.Duration
	topics   []producedTopic
}

// SetThrottle has the client wait for at least so long.
func (p *produced) SetThrottle(ms int32) { p.throttle = max(p.throttle, millis(ms)) }

type producedTopic struct {
	name       string
	id         catalog.ID
	found      string // the name of the topic that was found
	partitions []producedPartition
}

type producedPartition struct {
	index   int32
	records []byte

	target *partition.Log // where they are to go
	guard  partition.Guard
	log    *partition.Log // where they have gone
	at     partition.Appended
	code   int16
	err    *batch.Error // more about code, if there is more
}

// Smallest sizes of the elements of a request's arrays, in bytes.
const (
	minTopicBytes     = 2
	minPartitionBytes = 5
)

// decode reads the request.
func (p *produced) decode(body []byte, flexible bool) (acks int16, err error) {
	c := wire.NewCursor(body, flexible)
	if id := c.String(); id != nil {
		p.txnID = new(string(id))
	}
	acks = c.Int16()
	c.Int32() // timeout: nothing here waits for other brokers
	// The arrays grow as their elements come, so that a length that isn't true
	// costs nothing.
	for range c.Array(minTopicBytes) {
		var t producedTopic
		if p.version >= 13 {
			t.id = c.ID()
		} else {
			name := c.String()
			if name == nil && c.Err() == nil {
				return 0, fmt.Errorf("%w: the name of a topic is null", wire.ErrFrame)
			}
			t.name = string(name)
		}
		for range c.Array(minPartitionBytes) {
			t.partitions = append(t.partitions, producedPartition{index: c.Int32(), records: c.Bytes()})
			c.Tags()
			if c.Err() != nil {
				return 0, c.Err()
			}
		}
		c.Tags()
		if c.Err() != nil {
			return 0, c.Err()
		}
		p.topics = append(p.topics, t)
	}
	c.Tags()
	return acks, c.Err()
}

// findTopic finds the logs that the batches of one topic go to.
func (s *Server) findTopic(r *wire.Request, img *catalog.Image, pt *producedTopic, byID bool, acks int16) {
	t, code := img.Topic(pt.name), kerr.UnknownTopicOrPartition.Code
	if byID {
		t, code = img.TopicByID(pt.id), kerr.UnknownTopicID.Code
	}
	if t != nil {
		pt.found = t.Name
	}
	denied := !s.mayTopicOr(r, toWrite, t, pt.name)
	for i := range pt.partitions {
		p := &pt.partitions[i]
		p.at = partition.Appended{BaseOffset: -1, LogAppendTime: -1, LogStart: -1}
		log := t.Log(p.index)
		switch {
		case acks < -1 || acks > 1:
			p.code = kerr.InvalidRequiredAcks.Code
		case denied:
			p.code = topicDenied
		case t == nil:
			p.code = code
		case log == nil:
			p.code = kerr.UnknownTopicOrPartition.Code
		case t.Internal():
			p.code = kerr.InvalidTopicException.Code
		default:
			p.target = log
		}
	}
}

// append appends the batches that nothing speaks against.
func (p *produced) append(s *Server) {
	for i := range p.topics {
		t := &p.topics[i]
		for j := range t.partitions {
			if tp := &t.partitions[j]; tp.code == 0 {
				tp.append(s, t.found)
			}
			t.partitions[j].records = nil
		}
	}
}

func (p *producedPartition) append(s *Server, topic string) {
	at, err := p.target.Append(p.records, partition.AppendArgs{Origin: partition.Client, Guard: p.guard})
	p.at = at
	if err == nil {
		p.log = p.target
		return
	}
	p.at.BaseOffset, p.at.LogAppendTime = -1, -1
	p.fail(s, topic, err)
}

func (p *producedPartition) fail(s *Server, topic string, err error) {
	p.code = s.logCode(err, topic, p.index)
	p.err, _ = errors.AsType[*batch.Error](err)
}

func (p *produced) failed() bool {
	for _, t := range p.topics {
		for _, tp := range t.partitions {
			if tp.code != 0 {
				return true
			}
		}
	}
	return false
}

// awaitDurable waits until all appended batches are durable.
func (p *produced) awaitDurable(ctx context.Context, s *Server) (wire.Response, error) {
	for i := range p.topics {
		for j := range p.topics[i].partitions {
			tp := &p.topics[i].partitions[j]
			if tp.log == nil {
				continue
			}
			if err := tp.log.WaitDurable(ctx, tp.at.LastOffset+1); err != nil {
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				tp.fail(s, p.topics[i].name, err)
				tp.at = partition.Appended{BaseOffset: -1, LogAppendTime: -1, LogStart: -1}
			}
		}
	}
	return p, nil
}

// AppendTo encodes the response.
func (p *produced) AppendTo(dst []byte) []byte {
	flexible := p.version >= 9
	dst = wire.AppendArray(dst, len(p.topics), flexible)
	for i := range p.topics {
		t := &p.topics[i]
		if p.version >= 13 {
			dst = append(dst, t.id[:]...)
		} else {
			dst = wire.AppendString(dst, t.name, flexible)
		}
		dst = wire.AppendArray(dst, len(t.partitions), flexible)
		for j := range t.partitions {
			dst = t.partitions[j].appendTo(dst, p.version, flexible)
		}
		dst = appendNoTags(dst, flexible)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(throttleMillis(p.throttle)))
	return appendNoTags(dst, flexible)
}

func (p *producedPartition) appendTo(dst []byte, version int16, flexible bool) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.index))
	dst = binary.BigEndian.AppendUint16(dst, uint16(p.code))
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.at.BaseOffset))
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.at.LogAppendTime))
	if version >= 5 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(p.at.LogStart))
	}
	if version >= 8 {
		dst = p.appendErrors(dst, flexible)
	}
	return appendNoTags(dst, flexible)
}

func (p *producedPartition) appendErrors(dst []byte, flexible bool) []byte {
	if p.err == nil {
		dst = wire.AppendArray(dst, 0, flexible)
		return wire.AppendNullableString(dst, "", flexible)
	}
	dst = wire.AppendArray(dst, len(p.err.Records), flexible)
	for _, r := range p.err.Records {
		dst = binary.BigEndian.AppendUint32(dst, uint32(r.Index))
		dst = wire.AppendNullableString(dst, r.Message, flexible)
		dst = appendNoTags(dst, flexible)
	}
	return wire.AppendNullableString(dst, p.err.Message, flexible)
}

func appendNoTags(dst []byte, flexible bool) []byte {
	if flexible {
		return append(dst, 0)
	}
	return dst
}
