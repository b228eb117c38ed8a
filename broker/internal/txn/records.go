package txn

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/partition"
)

// Record is a record for the topic of transactions. A nil Value is a
// tombstone.
type Record struct {
	Key, Value []byte
}

// ErrRecord is wrapped by the errors for records that can't be read.
var ErrRecord = errors.New("unreadable record of a transaction")

// The versions of the records, those of Kafka 4.x.
const (
	keyVersion   = 0
	valueVersion = 1
)

func key(id string) []byte {
	k := kmsg.NewTxnMetadataKey()
	k.Version, k.TransactionalID = keyVersion, id
	return k.AppendTo(nil)
}

// idOf is the transactional id that a record is about. ok is false for records
// of a kind this version doesn't know.
func idOf(b []byte) (id string, ok bool, err error) {
	if len(b) < 2 {
		return "", false, fmt.Errorf("%w: key of %d bytes", ErrRecord, len(b))
	}
	if v := int16(b[0])<<8 | int16(b[1]); v != keyVersion {
		return "", false, nil
	}
	var k kmsg.TxnMetadataKey
	if err := k.ReadFrom(b); err != nil {
		return "", false, fmt.Errorf("%w: key: %w", ErrRecord, err)
	}
	return k.TransactionalID, true, nil
}

func (t *Txn) record() Record {
	v := kmsg.NewTxnMetadataValue()
	v.Version = valueVersion
	v.ProducerID, v.ProducerEpoch = t.ProducerID, t.Epoch
	v.PreviousProducerID, v.NextProducerID = t.PrevProducerID, t.NextProducerID
	v.TimeoutMillis = t.TimeoutMS
	v.State = kmsg.TransactionState(t.State)
	v.LastUpdateTimestamp, v.StartTimestamp = t.UpdatedAt, t.StartedAt
	if t.Version == partition.TxnV2 {
		v.ClientTransactionVersion = int16(t.Version)
	}
	if t.State != Empty {
		v.Topics = []kmsg.TxnMetadataValueTopic{}
	}
	for _, p := range t.Partitions {
		if n := len(v.Topics); n == 0 || v.Topics[n-1].Topic != p.Topic {
			vt := kmsg.NewTxnMetadataValueTopic()
			vt.Topic = p.Topic
			v.Topics = append(v.Topics, vt)
		}
		vt := &v.Topics[len(v.Topics)-1]
		vt.Partitions = append(vt.Partitions, p.Partition)
	}
	return Record{Key: key(t.ID), Value: v.AppendTo(nil)}
}

func parse(id string, b []byte) (*Txn, error) {
	if len(b) < 2 {
		return nil, fmt.Errorf("%w: state of %q has %d bytes", ErrRecord, id, len(b))
	}
	if v := int16(b[0])<<8 | int16(b[1]); v < 0 || v > valueVersion {
		return nil, fmt.Errorf("%w: state of %q has version %d", ErrRecord, id, v)
	}
	v := kmsg.NewTxnMetadataValue()
	if err := v.ReadFrom(b); err != nil {
		return nil, fmt.Errorf("%w: state of %q: %w", ErrRecord, id, err)
	}
	t := &Txn{
		ID:         id,
		ProducerID: v.ProducerID, PrevProducerID: v.PreviousProducerID, NextProducerID: v.NextProducerID,
		Epoch: v.ProducerEpoch, LastEpoch: noEpoch,
		TimeoutMS: v.TimeoutMillis, State: State(v.State),
		StartedAt: v.StartTimestamp, UpdatedAt: v.LastUpdateTimestamp,
		Version: partition.TxnV1,
	}
	if v.ClientTransactionVersion >= int16(partition.TxnV2) {
		t.Version = partition.TxnV2
	}
	if t.State < Empty || t.State > CompleteAbort || t.ProducerID < 0 || t.Epoch < 0 {
		return nil, fmt.Errorf("%w: %q is in state %s with producer %d, epoch %d", ErrRecord, id, t.State, t.ProducerID, t.Epoch)
	}
	for _, vt := range v.Topics {
		for _, p := range vt.Partitions {
			t.Partitions = append(t.Partitions, Partition{vt.Topic, p})
		}
	}
	slices.SortFunc(t.Partitions, comparePartitions)
	t.Partitions = slices.Compact(t.Partitions)
	return t, nil
}
