package batch

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Depth is how far a check goes.
type Depth uint8

const (
	// EveryRecord decompresses if need be, and looks at each record: the
	// header of a stranger cannot be trusted.
	EveryRecord Depth = iota
	// HeaderOnly believes the header; for batches that the broker made.
	HeaderOnly
)

// Rules are what a topic asks of a batch.
type Rules struct {
	Depth Depth
	// Keyed refuses records without a key, as a compacted topic must.
	Keyed bool
	// LogAppendTime stamps the batch with Now in place of its own times.
	LogAppendTime bool
	Now           int64 // milliseconds since the epoch
	// AfterMax and BeforeMax are how far a record's time may lie ahead of
	// and behind Now; negative is any distance.
	AfterMax, BeforeMax time.Duration
	// MaxInflated is the most bytes the records may decompress to,
	// DefaultMaxInflated if 0.
	MaxInflated int
	// AllowControl lets control batches pass, and those of a producer without
	// sequence numbers: the broker's own.
	AllowControl bool
}

// Frame checks that b is exactly one undamaged batch of at most maxBytes
// (any size if 0). Its errors are *Error: INVALID_RECORD where b is not one
// batch of version 2, MESSAGE_TOO_LARGE, or CORRUPT_MESSAGE for a bad CRC.
func Frame(b []byte, maxBytes int) (Header, error) {
	h, err := Parse(b)
	if err != nil {
		return h, &Error{Kafka: kerr.InvalidRecord, Message: "the data is not a batch of records", Cause: err}
	}
	if h.Size() != len(b) {
		return h, Errorf(kerr.InvalidRecord, "the data must be exactly one batch: it has %d bytes, its first batch %d", len(b), h.Size())
	}
	if maxBytes > 0 && len(b) > maxBytes {
		return h, Errorf(kerr.MessageTooLarge, "batch of %d bytes, max.message.bytes is %d", len(b), maxBytes)
	}
	if err := CheckCRC(b, &h); err != nil {
		return h, &Error{Kafka: kerr.CorruptMessage, Message: "checksum mismatch: the batch was damaged on its way", Cause: err}
	}
	return h, nil
}

// Validate checks the batch b, whose header h comes from Frame, against the
// rules of its topic, and where the header must change (times of the broker,
// a maximum timestamp that isn't the records') it rewrites b and h with a new
// CRC. Its errors are *Error with the code that Kafka would answer.
func Validate(b []byte, h *Header, r Rules) error {
	if err := checkHeader(h, r.AllowControl); err != nil {
		return err
	}
	maxTimestamp := h.MaxTimestamp
	if r.Depth == EveryRecord {
		var err error
		if maxTimestamp, err = checkRecords(b, *h, r); err != nil {
			return err
		}
	}
	// What a client may not set is cleared rather than refused.
	attributes := h.Attributes &^ (LogAppendTime | HasDeleteHorizon)
	if r.Depth == HeaderOnly {
		attributes = h.Attributes &^ LogAppendTime
	}
	if r.LogAppendTime {
		attributes |= LogAppendTime
		maxTimestamp = r.Now
	}
	if attributes != h.Attributes || maxTimestamp != h.MaxTimestamp {
		h.Attributes, h.MaxTimestamp = attributes, maxTimestamp
		rewrite(b, h)
	}
	return nil
}

func checkHeader(h *Header, allowControl bool) error {
	switch {
	case h.Attributes.Has(Control) && !allowControl:
		return Errorf(kerr.InvalidRecord, "control batches are the broker's to write")
	case h.LastOffsetDelta < 0 || h.Count <= 0:
		return Errorf(kerr.InvalidRecord, "batch of %d records with a last offset delta of %d", h.Count, h.LastOffsetDelta)
	case int64(h.Count) != int64(h.LastOffsetDelta)+1:
		return Errorf(kerr.InvalidRecord, "batch says it has %d records, but its offsets are for %d", h.Count, int64(h.LastOffsetDelta)+1)
	case !h.Attributes.Codec().Known():
		return Errorf(kerr.UnknownServerError, "records are compressed with %s, which is not assigned", h.Attributes.Codec())
	case h.Idempotent() && h.ProducerEpoch < 0,
		// What the broker writes for a producer has no sequence numbers.
		h.Idempotent() && !allowControl && h.BaseSequence < 0:
		return Errorf(kerr.InvalidRecord, "batch of producer %d has epoch %d and sequence %d", h.ProducerID, h.ProducerEpoch, h.BaseSequence)
	}
	return nil
}

// checkRecords walks all records and returns their largest timestamp.
func checkRecords(b []byte, h Header, r Rules) (maxTimestamp int64, err error) {
	// The client's claim that times are the broker's must not hide its own.
	h.Attributes &^= LogAppendTime
	var rd Reader
	defer rd.Close()
	if err := rd.start(b, h, r.MaxInflated); err != nil {
		code := kerr.InvalidRecord
		if errors.Is(err, ErrInflated) {
			code = kerr.MessageTooLarge
		}
		return 0, &Error{Kafka: code, Message: "the records cannot be decompressed", Cause: err}
	}
	lo, hi := r.window()
	var bad refusals
	maxTimestamp = NoTimestamp
	for i := int32(0); rd.Next(); i++ {
		rec := rd.Record()
		if rec.OffsetDelta != i {
			return 0, Errorf(kerr.InvalidRecord, "record %d has offset delta %d", i, rec.OffsetDelta)
		}
		if rec.Key == nil && r.Keyed {
			bad.add(kerr.InvalidRecord, i, "a compacted topic takes no record without a key")
		}
		ts := rec.Timestamp
		if ts != NoTimestamp && !r.LogAppendTime && (ts < lo || ts > hi) {
			bad.add(kerr.InvalidTimestamp, i, fmt.Sprintf("timestamp %d is outside of [%d, %d]", ts, lo, hi))
		}
		maxTimestamp = max(maxTimestamp, ts)
	}
	if err := rd.Err(); err != nil {
		return 0, &Error{Kafka: kerr.InvalidRecord, Message: "the records are not what the batch's header says", Cause: err}
	}
	return maxTimestamp, bad.err()
}

// window is the first and last timestamp that a record may have.
func (r *Rules) window() (lo, hi int64) {
	lo, hi = math.MinInt64, math.MaxInt64
	if ms := r.BeforeMax.Milliseconds(); r.BeforeMax >= 0 && r.Now >= math.MinInt64+ms {
		lo = r.Now - ms
	}
	if ms := r.AfterMax.Milliseconds(); r.AfterMax >= 0 && r.Now <= math.MaxInt64-ms {
		hi = r.Now + ms
	}
	return lo, hi
}

// refusals collects the records of a batch that break a rule.
type refusals struct {
	first   *Error
	refused int
}

func (f *refusals) add(code *kerr.Error, index int32, message string) {
	f.refused++
	if f.first == nil {
		f.first = &Error{Kafka: code}
	}
	if len(f.first.Records) < maxRecordErrors {
		f.first.Records = append(f.first.Records, RecordError{Index: index, Message: message})
	}
}

func (f *refusals) err() error {
	if f.first == nil {
		return nil
	}
	f.first.Message = fmt.Sprintf("%d records refused; record %d: %s", f.refused, f.first.Records[0].Index, f.first.Records[0].Message)
	return f.first
}
