// Package batch is Kafka's RecordBatch, version 2: the unit in which records
// are produced, stored and fetched.
//
// It reads headers, checks what producers send ([Validate]), walks the records
// inside ([Reader]) and makes batches ([Append]). It knows the bytes of one
// batch and nothing of logs, offsets to come, or producers' histories; message
// formats 0 and 1 are refused everywhere.
//
// # Layout
//
// A batch is a header of 61 bytes and its records, which may be compressed as
// a whole. All numbers of the header are big-endian; those of the records are
// of variable length, zigzag-encoded. The checksum (CRC32C) covers all from
// the attributes on: the base offset and the leader epoch, which the broker
// gives, lie before it and cost no new one.
//
//	0 base offset 8 | 8 length 4 | 12 leader epoch 4 | 16 magic 1 | 17 crc 4
//	21 attributes 2 | 23 last offset delta 4 | 27 base timestamp 8
//	35 max timestamp 8 | 43 producer id 8 | 51 producer epoch 2
//	53 base sequence 4 | 57 count 4 | 61 records
//
// A batch whose records were all removed by compaction is a header alone.
package batch
