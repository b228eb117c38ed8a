package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	align       = 4096
	headerSize  = 40
	entrySize   = 48
	magic       = 0x6c6a4231 // "ljB1"
	maxBlock    = 4 << 20    // bytes after which a block is written
	largestSize = 64 << 20   // of a block that is believed
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errBlock = errors.New("not a whole block of a journal")
	zeros    [1 << 20]byte
)

// Key names a log.
type Key struct {
	Topic     [16]byte
	Partition int32
}

// Place is where bytes stand in a log's files.
type Place struct {
	Base     int64 // of the segment
	Position int64 // in its file
	End      int64 // the offset after the last record
}

func appendEntry(b []byte, k Key, p Place, size int) []byte {
	b = append(b, k.Topic[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(k.Partition))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Base))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Position))
	b = binary.BigEndian.AppendUint64(b, uint64(p.End))
	return binary.BigEndian.AppendUint32(b, uint32(size))
}

// blockHeader is what a block says of itself.
type blockHeader struct {
	crc     uint32
	file    uint64
	at      int64
	synced  int64
	length  int
	entries int
}

// seal fills in the header of a block whose entries are there.
func seal(b []byte, file uint64, at, synced int64, entries int) {
	binary.BigEndian.PutUint32(b[0:], magic)
	binary.BigEndian.PutUint64(b[8:], file)
	binary.BigEndian.PutUint64(b[16:], uint64(at))
	binary.BigEndian.PutUint64(b[24:], uint64(synced))
	binary.BigEndian.PutUint32(b[32:], uint32(len(b)))
	binary.BigEndian.PutUint32(b[36:], uint32(entries))
	binary.BigEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
}

// parseHeader reads the header of a block that should be in a file and at a
// position.
func parseHeader(b []byte, file uint64, at int64) (h blockHeader, err error) {
	if len(b) < headerSize || binary.BigEndian.Uint32(b) != magic {
		return h, errBlock
	}
	h = blockHeader{
		crc:     binary.BigEndian.Uint32(b[4:]),
		file:    binary.BigEndian.Uint64(b[8:]),
		at:      int64(binary.BigEndian.Uint64(b[16:])),
		synced:  int64(binary.BigEndian.Uint64(b[24:])),
		length:  int(binary.BigEndian.Uint32(b[32:])),
		entries: int(binary.BigEndian.Uint32(b[36:])),
	}
	if h.file != file || h.at != at || h.length < headerSize || h.length > largestSize || h.entries > h.length/entrySize {
		return h, errBlock
	}
	return h, nil
}

// parseEntries calls yield with the entries of a whole block; at is where the bytes
// of each begin in it.
func parseEntries(b []byte, h blockHeader, yield func(k Key, p Place, at, size int)) error {
	if crc32.Checksum(b[8:], castagnoli) != h.crc {
		return errBlock
	}
	at := headerSize
	for range h.entries {
		if len(b)-at < entrySize {
			return fmt.Errorf("%w: its entries don't fit", errBlock)
		}
		e := b[at:]
		var k Key
		copy(k.Topic[:], e)
		k.Partition = int32(binary.BigEndian.Uint32(e[16:]))
		p := Place{
			Base:     int64(binary.BigEndian.Uint64(e[20:])),
			Position: int64(binary.BigEndian.Uint64(e[28:])),
			End:      int64(binary.BigEndian.Uint64(e[36:])),
		}
		size := int(binary.BigEndian.Uint32(e[44:]))
		at += entrySize
		if size > len(b)-at || p.Base < 0 || p.Position < 0 || p.Position > 1<<31 {
			return fmt.Errorf("%w: an entry of %d bytes doesn't fit", errBlock, size)
		}
		yield(k, p, at, size)
		at += size
	}
	return nil
}

// aligned is where the block after one that ends at a position begins.
func aligned(at int64) int64 { return (at + align - 1) / align * align }
