package batch

import (
	"fmt"
	"math"
)

// New is a header for a batch made by the broker itself: no producer, no
// compression, offsets to be assigned by the log.
func New() Header {
	return Header{LeaderEpoch: -1, Magic: 2, ProducerID: NoProducer, ProducerEpoch: -1, BaseSequence: -1}
}

// Append adds a batch of recs to dst. Of h it takes the base offset, leader
// epoch, codec and flags, and the producer; lengths, counts, timestamps and
// the CRC are worked out. With HasDeleteHorizon the base timestamp is taken
// from h too. LastOffsetDelta is the larger of that in h and the last
// record's, so that a compacted batch (which may have no records left) keeps
// its offsets.
func Append(dst []byte, h Header, recs []Record) ([]byte, error) {
	if !h.Attributes.Codec().Known() {
		return dst, fmt.Errorf("batch cannot be compressed with %s", h.Attributes.Codec())
	}
	h.Magic = 2
	h.Count = int32(len(recs))
	if len(recs) > 0 {
		h.setTimes(recs)
		h.LastOffsetDelta = max(h.LastOffsetDelta, recs[len(recs)-1].OffsetDelta)
	}
	start := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	var err error
	if codec := h.Attributes.Codec(); codec == None || len(recs) == 0 {
		dst = appendRecords(dst, h.BaseTimestamp, recs)
	} else {
		raw := getBuffer()
		*raw = appendRecords((*raw)[:0], h.BaseTimestamp, recs)
		dst, err = deflate(dst, codec, *raw)
		putBuffer(raw)
		if err != nil {
			return dst[:start], err
		}
	}
	size := len(dst) - start - FrameSize
	if size > math.MaxInt32 {
		return dst[:start], fmt.Errorf("batch of %d bytes is larger than its length field can say", size)
	}
	h.Length = int32(size)
	rewrite(dst[start:], &h)
	return dst, nil
}

func (h *Header) setTimes(recs []Record) {
	if !h.Attributes.Has(HasDeleteHorizon) {
		h.BaseTimestamp = recs[0].Timestamp
	}
	if h.Attributes.Has(LogAppendTime) {
		// The records' own time is the batch's, which only the header has.
		h.MaxTimestamp = recs[0].Timestamp
		return
	}
	h.MaxTimestamp = NoTimestamp
	for i := range recs {
		h.MaxTimestamp = max(h.MaxTimestamp, recs[i].Timestamp)
	}
}

func appendRecords(dst []byte, base int64, recs []Record) []byte {
	for i := range recs {
		dst = recs[i].append(dst, base)
	}
	return dst
}
