package main

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// oneRecord is a batch with one record, as it is sent.
func oneRecord(value []byte) []byte {
	r := kmsg.NewRecord()
	r.Value = value
	r.Length = int32(len(r.AppendTo(nil))) - 1 // but for the length itself, of 0
	const head = 61                            // bytes of a batch before its records
	b := kmsg.NewRecordBatch()
	b.Magic, b.NumRecords, b.Records = 2, 1, r.AppendTo(nil)
	b.ProducerID, b.ProducerEpoch, b.FirstSequence, b.PartitionLeaderEpoch = -1, -1, -1, -1
	b.Length = int32(head - 12 + len(b.Records))
	out := b.AppendTo(nil)
	const crc, checked = 17, 21
	binary.BigEndian.PutUint32(out[crc:], crc32.Checksum(out[checked:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}
