package segment

import (
	"fmt"
	"io"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// Flaw is something wrong in a segment's file of batches.
type Flaw struct {
	Position int64 // where the batch begins
	Offset   int64 // its first offset, or that which should come
	Err      error
	// Ends says that batches can't be told apart from there on.
	Ends bool
}

// Inspection is what was found in a segment, without changing it.
type Inspection struct {
	Size    int64 // of the file
	Sound   int64 // bytes of it up to where batches can be told apart
	Next    int64 // offset after the last batch
	Batches int64
	Records int64
	Markers []int64 // offsets of control batches
	Flaws   []Flaw
	// Index and TimeIndex are what is wrong with the index files; nil is
	// nothing. A missing file matches fs.ErrNotExist.
	Index, TimeIndex error
}

// Inspect looks at every byte of a segment without changing anything. each is
// called with every batch whose checksum is right. The error is the disk's, or
// each's.
func Inspect(o Options, each func([]byte, *batch.Header) error) (Inspection, error) {
	in := Inspection{Next: o.Base}
	f, err := o.FS.OpenFile(o.path(LogSuffix), vfs.ReadOnly)
	if err != nil {
		return in, err
	}
	defer f.Close()
	if in.Size, err = f.Size(); err != nil {
		return in, err
	}
	x := openCheckedIndexes(o, in.Size)
	sc := NewScanner(f, 0, in.Size, scanChunk)
	for {
		h, pos, err := sc.Next()
		if err == io.EOF {
			break
		}
		if isDamage(err) {
			in.flaw(pos, in.Next, err, true)
			break
		}
		if err != nil {
			return in, err
		}
		b, err := sc.Batch(&h)
		if err != nil {
			return in, err
		}
		if h.BaseOffset < in.Next || h.LastOffsetDelta < 0 || h.LastOffset()-o.Base > MaxSize {
			in.flaw(pos, h.BaseOffset, fmt.Errorf("%w: offsets %d to %d cannot come after %d", batch.ErrCorrupt, h.BaseOffset, h.LastOffset(), in.Next-1), true)
			break
		}
		if err := in.batch(b, &h, pos, each); err != nil {
			return in, err
		}
		x.meet(h.LastOffset()-o.Base, h.MaxTimestamp, pos)
	}
	in.Index, in.TimeIndex = x.end()
	return in, nil
}

func (in *Inspection) flaw(pos, offset int64, err error, ends bool) {
	in.Flaws = append(in.Flaws, Flaw{Position: pos, Offset: offset, Err: err, Ends: ends})
}

// batch takes one batch into account.
func (in *Inspection) batch(b []byte, h *batch.Header, pos int64, each func([]byte, *batch.Header) error) error {
	in.Sound, in.Next = pos+int64(h.Size()), h.NextOffset()
	in.Batches++
	in.Records += int64(max(h.Count, 0))
	if h.Attributes.Has(batch.Control) {
		in.Markers = append(in.Markers, h.BaseOffset)
	}
	if err := batch.CheckCRC(b, h); err != nil {
		in.flaw(pos, h.BaseOffset, err, false)
		return nil
	}
	if h.Attributes.Has(batch.Control) {
		// Its checksum is right, but a log with it can't tell who may write.
		if _, _, err := batch.ParseMarker(b); err != nil {
			in.flaw(pos, h.BaseOffset, err, false)
		}
	}
	if each == nil {
		return nil
	}
	return each(b, h)
}

// checkedIndexes are index files that are compared with the batches.
type checkedIndexes struct {
	x                 *indexes
	offsetErr, timErr error
	nextOffset, nextT int   // entries that are still to be met
	largest           int64 // timestamp so far
}

func openCheckedIndexes(o Options, size int64) *checkedIndexes {
	c := &checkedIndexes{x: &indexes{}, largest: -1}
	offsets, err := vfs.ReadFileOnly(o.FS, o.path(IndexSuffix))
	if err == nil {
		var x *indexes
		if x, err = decodeIndexes(offsets, nil, size); err == nil {
			c.x.offsets = x.offsets
		}
	}
	c.offsetErr = err
	times, err := vfs.ReadFileOnly(o.FS, o.path(TimeIndexSuffix))
	if err == nil {
		var x *indexes
		if x, err = decodeIndexes(nil, times, size); err == nil {
			c.x.times = x.times
		}
	}
	c.timErr = err
	return c
}

// meet compares the entries that are due with a batch at a position.
func (c *checkedIndexes) meet(relative, timestamp, pos int64) {
	c.largest = max(c.largest, timestamp)
	for ; c.nextOffset < len(c.x.offsets) && c.x.offsets[c.nextOffset].pos() <= pos; c.nextOffset++ {
		e := c.x.offsets[c.nextOffset]
		if (e.pos() != pos || e.relative() != relative) && c.offsetErr == nil {
			c.offsetErr = fmt.Errorf("%w: entry %d says that the batch at position %d ends with relative offset %d", ErrIndex, c.nextOffset, e.pos(), e.relative())
		}
	}
	for ; c.nextT < len(c.x.times) && int64(c.x.times[c.nextT].relative) <= relative; c.nextT++ {
		e := c.x.times[c.nextT]
		if (int64(e.relative) != relative || e.timestamp != c.largest) && c.timErr == nil {
			c.timErr = fmt.Errorf("%w: entry %d says that %d is the largest time up to relative offset %d", ErrIndex, c.nextT, e.timestamp, e.relative)
		}
	}
}

// end is what is wrong once all batches were met.
func (c *checkedIndexes) end() (offsets, times error) {
	beyond := fmt.Errorf("%w: it has entries beyond the last batch", ErrIndex)
	if c.offsetErr == nil && c.nextOffset < len(c.x.offsets) {
		c.offsetErr = beyond
	}
	if c.timErr == nil && c.nextT < len(c.x.times) {
		c.timErr = beyond
	}
	return c.offsetErr, c.timErr
}
