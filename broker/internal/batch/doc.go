// Package batch is Kafka's RecordBatch, version 2: the unit in which records
// are produced, stored and fetched.
//
// It reads headers, checks what producers send ([Validate]), walks the records
// inside ([Reader]) and makes batches ([Append]). It knows the bytes of one
// batch and nothing of logs, offsets to come, or producers' histories; message
// formats 0 and 1 are refused everywhere.
package batch
