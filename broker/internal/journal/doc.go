// Package journal makes what many logs have appended durable with one sync: their
// bytes go, one after the other, into one file. A sync of each log's own file would
// cost as much for every one of them as this does for all.
//
// A [Journal] knows nothing of batches and offsets. An entry says which bytes stand
// at which position of which file; to redo it is to write them there again, which
// may be done any number of times, as long as nothing else was meant to be there
// since. Who writes the journal sees to that, and to the syncs of the logs' own
// files, after which a file of the journal is given back ([Journal.Drop]).
//
// # Files
//
// A file <number>.journal is a row of blocks, each of which begins at a multiple of
// 4096 bytes, so that what was synced is never written to again:
//
//	magic     4 bytes
//	crc       4 bytes, CRC-32C of what follows
//	file      8 bytes, the number in the file's name
//	at        8 bytes, the block's position
//	synced    8 bytes, the position up to which the file was durable before
//	length    4 bytes, of the block
//	entries   4 bytes, their number
//
// followed by entries:
//
//	log       16 bytes, the topic's id
//	partition 4 bytes
//	base      8 bytes, the base offset of the segment
//	position  8 bytes, in the segment's file
//	end       8 bytes, the offset after the last record
//	length    4 bytes
//	the bytes
//
// Numbers are big-endian. Files are used again under a higher number: then their
// blocks are not extended but overwritten, which makes a sync cheaper, and blocks of
// earlier uses are known by the number in them.
//
// # Recovery
//
// Blocks are written while the sync before is over, so only those behind the last
// sync can be torn, and each says where that was: a bad block with a good one behind
// it that knows it to be synced is damage, and is reported.
package journal
