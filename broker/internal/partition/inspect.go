package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/journal"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// Severity says what a finding costs.
type Severity uint8

const (
	// Note is nothing to worry about.
	Note Severity = iota
	// Repairable is put right at the next start, and no record is lost.
	Repairable
	// Damage has cost records or state, or keeps the broker from its work.
	Damage
)

// Finding is something that isn't as it should be.
type Finding struct {
	Severity Severity
	File     string // below the data directory
	Position int64  // in the file, in bytes; -1 if it is about all of it
	Offset   int64  // of the record concerned; -1 if it is about none
	Problem  string
	Repair   string // what the next start does, or what to do now
}

// Inspected is what was found in a partition.
type Inspected struct {
	Segments         int
	Batches, Records int64
	Bytes            int64
	LogStart, LogEnd int64
	Findings         []Finding
}

// Inspection is how to look at the files of a partition. Clean says that the
// broker has stopped in order. Each is called with every batch whose checksum
// is right, in the order of offsets; nil is nobody.
type Inspection struct {
	FS    vfs.FS
	Dir   string
	Clean bool
	// Redo is what the broker's journal has for the log.
	Redo []journal.Entry
	Each func([]byte, *batch.Header) error
}

// Inspect looks at all files of a partition without changing any, and foretells
// what opening the log would do. The error is the disk's, or Each's.
func Inspect(o Inspection) (Inspected, error) {
	in := &inspector{Inspection: o}
	in.checkpoint()
	in.FS = asRedone(o.FS, o.Dir, in.saved, o.Redo)
	entries, err := in.FS.ReadDir(o.Dir)
	if err != nil {
		return in.out, err
	}
	if err := in.segments(entries); err != nil {
		return in.out, err
	}
	in.bounds()
	for _, e := range entries {
		in.other(e)
	}
	return in.out, nil
}

type inspector struct {
	Inspection
	out     Inspected
	saved   checkpoint
	bases   []int64
	markers []int64
}

func (in *inspector) find(s Severity, name string, position, offset int64, problem, repair string) {
	in.out.Findings = append(in.out.Findings, Finding{
		Severity: s, File: vfs.Join(in.Dir, name), Position: position, Offset: offset, Problem: problem, Repair: repair,
	})
}

// checkpoint reads what the segments can't tell.
func (in *inspector) checkpoint() {
	b, err := vfs.ReadFileOnly(in.FS, vfs.Join(in.Dir, checkpointName))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		in.saved, err = parseCheckpoint(string(b))
	}
	if err != nil {
		in.saved = checkpoint{}
		in.find(Damage, checkpointName, -1, -1, err.Error(), "the next start checks the whole log; records that were deleted by DeleteRecords may come back")
	}
}

// segments looks at the segments in order, as far as the next start would
// believe them.
func (in *inspector) segments(entries []vfs.Entry) error {
	cut := false
	previous := int64(-1) // where the segment before begins
	for _, e := range entries {
		base, suffix, ok := segment.ParseName(e.Name)
		if !ok || suffix != segment.LogSuffix {
			continue
		}
		if previous >= 0 && !cut {
			if base < in.out.LogEnd {
				in.find(Damage, e.Name, -1, base, fmt.Sprintf("it begins before the segment before it ends, at %d", in.out.LogEnd), "the broker doesn't start with it: move the file away, or restore it from a backup")
			} else if base > in.out.LogEnd && previous >= in.saved.synced.base && base > in.saved.start {
				cut = true
				in.find(Damage, e.Name, -1, in.out.LogEnd, fmt.Sprintf("offsets %d to %d are missing before it", in.out.LogEnd, base-1), "the next start removes this segment and all after it")
				continue
			}
		}
		if cut {
			in.find(Damage, e.Name, -1, base, "it comes after the end of the log", "the next start removes it")
			continue
		}
		s, err := segment.Inspect(segment.Options{FS: in.FS, Dir: in.Dir, Base: base}, in.Each)
		if err != nil {
			return fmt.Errorf("%s: %w", vfs.Join(in.Dir, e.Name), err)
		}
		cut = in.segment(base, e.Name, s)
		if len(in.bases) == 0 {
			in.out.LogStart = max(base, in.saved.start)
		}
		in.bases = append(in.bases, base)
		previous, in.out.LogEnd = base, s.Next
	}
	in.indexes()
	return nil
}

// segment takes one segment into account, and says whether the log ends in it.
func (in *inspector) segment(base int64, name string, s segment.Inspection) (cut bool) {
	in.out.Segments++
	in.out.Batches += s.Batches
	in.out.Records += s.Records
	in.out.Bytes += s.Size
	in.markers = append(in.markers, s.Markers...)
	trusted := int64(0) // bytes that were synced, and that no start checks
	switch {
	case base < in.saved.synced.base:
		trusted = s.Size
	case base == in.saved.synced.base:
		trusted = min(in.saved.synced.size, s.Size)
	}
	for _, f := range s.Flaws {
		switch {
		case f.Ends || f.Position >= trusted:
			// Recovery stops at the first batch that isn't whole.
			severity, problem := Damage, f.Err.Error()
			if f.Position >= trusted && !in.Clean && errors.Is(f.Err, segment.ErrTorn) {
				severity = Repairable // what a crash leaves of a write that nobody was told of
			}
			in.find(severity, name, f.Position, f.Offset, problem,
				fmt.Sprintf("the next start cuts the log off there, or refuses to open it: %d bytes of this segment, and all segments after it, go", s.Size-f.Position))
			return true
		default:
			in.find(Damage, name, f.Position, f.Offset, f.Err.Error(),
				"the records were sound once, so no start repairs them: restore the file from a backup, or delete the records up to there (DeleteRecords); who reads them gets CORRUPT_MESSAGE")
		}
	}
	in.index(name, base, segment.IndexSuffix, s.Index, s.Batches)
	in.index(name, base, segment.TimeIndexSuffix, s.TimeIndex, s.Batches)
	return false
}

// index tells of an index file. Those of the last segment are written when the
// broker stops, and while the log grows they are behind.
func (in *inspector) index(_ string, base int64, suffix string, err error, batches int64) {
	if err == nil || errors.Is(err, fs.ErrNotExist) && (batches == 0 || !in.Clean) {
		return
	}
	problem := err.Error()
	if errors.Is(err, fs.ErrNotExist) {
		problem = "the index is missing"
	}
	in.find(Repairable, segment.FileName(base, suffix), -1, base, problem, "it is made anew when it is needed")
}

// indexes looks at the indexes of aborted transactions.
func (in *inspector) indexes() {
	for i, base := range in.bases {
		name := segment.FileName(base, segment.TxnIndexSuffix)
		b, err := vfs.ReadFileOnly(in.FS, vfs.Join(in.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var list []abortedTxn
		if err == nil {
			list, err = decodeAborted(b)
		}
		if err != nil {
			in.find(Repairable, name, -1, base, err.Error(), "it is made anew from the records at the next start")
			continue
		}
		end := in.out.LogEnd
		if i+1 < len(in.bases) {
			end = in.bases[i+1]
		}
		for _, a := range list {
			if _, ok := slices.BinarySearch(in.markers, a.last); a.last < base || a.last >= end || !ok {
				in.find(Damage, name, -1, base, fmt.Sprintf("%v: there is no marker at offset %d", errTxnIndex, a.last),
					"no start sees that, and readers of committed records may get aborted ones: remove the file, and the file "+checkpointName+" beside it; the next start then checks the whole log and makes both anew")
				break
			}
		}
	}
}

// bounds compares the end of the log with what is known to have been synced.
func (in *inspector) bounds() {
	if end := in.out.LogEnd; in.saved.synced.offset > end {
		in.find(Damage, checkpointName, -1, end, fmt.Sprintf("records up to offset %d were on the disk; the log ends at %d", in.saved.synced.offset, end),
			"they are lost: restore the partition from a backup, or let consumers go on from the new end")
	}
	if in.out.Segments == 0 && in.saved.synced.offset == 0 {
		in.out.LogStart, in.out.LogEnd = in.saved.start, in.saved.start
	}
}

// other looks at a file that isn't part of a segment.
func (in *inspector) other(e vfs.Entry) {
	at, suffix, isSegment := segment.ParseName(e.Name)
	switch {
	case e.Name == checkpointName:
	case e.Name == epochsName:
		b, err := vfs.ReadFileOnly(in.FS, vfs.Join(in.Dir, e.Name))
		if err == nil {
			_, err = parseEpochs(string(b))
		}
		if err != nil {
			in.find(Damage, e.Name, -1, -1, err.Error(), "the next start ignores it and goes on with leader epoch 0; consumers that remember a later one may have to look for their position anew")
		}
	case isSegment && suffix == segment.SnapshotSuffix:
		in.snapshot(e.Name, at)
	case isSegment && slices.Contains([]string{segment.LogSuffix, segment.IndexSuffix, segment.TimeIndexSuffix, segment.TxnIndexSuffix}, suffix):
		if !slices.Contains(in.bases, at) && suffix != segment.LogSuffix {
			in.find(Note, e.Name, -1, at, "it is the index of a segment that isn't there", "remove it, or leave it")
		}
	case strings.HasSuffix(e.Name, segment.DeletedSuffix), strings.HasSuffix(e.Name, segment.CleanedSuffix), strings.HasSuffix(e.Name, ".tmp"):
		in.find(Note, e.Name, -1, -1, "it was to be removed", "the next start removes it")
	case strings.HasSuffix(e.Name, segment.SwapSuffix):
		in.find(Repairable, e.Name, -1, -1, "compaction had begun to replace segments by it", "the next start ends that")
	default:
		in.find(Note, e.Name, -1, -1, "it is no file of the broker's", "it is left alone")
	}
}

// snapshot looks at a snapshot of the producers' state.
func (in *inspector) snapshot(name string, at int64) {
	b, err := vfs.ReadFileOnly(in.FS, vfs.Join(in.Dir, name))
	if err == nil {
		_, err = decodeProducers(b)
	}
	switch {
	case err != nil:
		in.find(Repairable, name, -1, at, err.Error(), "the next start takes an older snapshot, or makes the producers' state anew from the records")
	case at > in.out.LogEnd:
		in.find(Repairable, name, -1, at, fmt.Sprintf("it is of offset %d, after the end of the log at %d", at, in.out.LogEnd), "the next start removes it")
	}
}
