package batch

import (
	"encoding/binary"
	"fmt"
)

// Outcome is how a transaction ended. The values are Kafka's types of control
// records.
type Outcome uint8

// The outcomes of a transaction.
const (
	Abort  Outcome = 0
	Commit Outcome = 1
)

// String is the outcome as Kafka's tools write it.
func (o Outcome) String() string {
	switch o {
	case Abort:
		return "ABORT"
	case Commit:
		return "COMMIT"
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Marker is the record of a control batch, by which a coordinator ends what a
// producer has written in a transaction.
type Marker struct {
	Outcome          Outcome
	CoordinatorEpoch int32
}

// Sizes of the key (version, type) and the value (version, coordinator epoch)
// of a marker's record, in bytes.
const (
	markerKeyBytes   = 2 + 2
	markerValueBytes = 2 + 4
)

// AppendMarker adds a control batch with m to dst, for the producer and at the
// time (milliseconds) given.
func AppendMarker(dst []byte, m Marker, producer int64, epoch int16, timestamp int64) ([]byte, error) {
	h := New()
	h.Attributes = Transactional | Control
	h.ProducerID, h.ProducerEpoch = producer, epoch
	var key [markerKeyBytes]byte
	binary.BigEndian.PutUint16(key[2:], uint16(m.Outcome))
	var value [markerValueBytes]byte
	binary.BigEndian.PutUint32(value[2:], uint32(m.CoordinatorEpoch))
	return Append(dst, h, []Record{{Timestamp: timestamp, Key: key[:], Value: value[:]}})
}

// ParseMarker reads the marker of a whole control batch. ok is false if
// compaction has emptied the batch, and for control records that end no
// transaction.
func ParseMarker(b []byte) (m Marker, ok bool, err error) {
	for rec, err := range All(b) {
		if err != nil {
			return m, false, fmt.Errorf("marker: %w", err)
		}
		if len(rec.Key) < markerKeyBytes {
			return m, false, fmt.Errorf("%w: key of a marker has %d bytes", ErrCorrupt, len(rec.Key))
		}
		kind := binary.BigEndian.Uint16(rec.Key[2:])
		if kind > uint16(Commit) {
			return m, false, nil
		}
		if len(rec.Value) < markerValueBytes {
			return m, false, fmt.Errorf("%w: value of a marker has %d bytes", ErrCorrupt, len(rec.Value))
		}
		return Marker{Outcome(kind), int32(binary.BigEndian.Uint32(rec.Value[2:]))}, true, nil
	}
	return m, false, nil
}

// PeekTransactional reports whether b begins with the header of a batch that is
// part of a transaction. It checks nothing else.
func PeekTransactional(b []byte) bool {
	return len(b) >= HeaderSize && Attributes(binary.BigEndian.Uint16(b[atAttributes:])).Has(Transactional)
}
