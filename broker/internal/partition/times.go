package partition

import "github.com/leatstream/leat/broker/internal/segment"

// readable is the segments and bounds for a look at times.
func (l *Log) readable() (segs []*segment.Segment, start, hw int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.segs, l.start, l.hw
}

// OffsetForTime returns the first record whose timestamp is at least ts
// (milliseconds), among those that may be read.
func (l *Log) OffsetForTime(ts int64) (offset, timestamp int64, found bool, err error) {
	segs, start, hw := l.readable()
	for _, s := range segs {
		if s.Next() <= start {
			continue
		}
		offset, timestamp, found, err = s.FindTime(ts, start)
		if err != nil {
			return -1, -1, false, l.storage("the record of a time could not be found", err)
		}
		if found {
			break
		}
	}
	if !found || offset >= hw {
		return -1, -1, false, nil
	}
	return offset, timestamp, true, nil
}

// MaxTimestamp returns the record with the largest timestamp, and the first
// of them if there are several, among those that may be read. It finds none
// in a log where no record has a timestamp.
func (l *Log) MaxTimestamp() (offset, timestamp int64, found bool, err error) {
	segs, start, hw := l.readable()
	best, at := int64(-1), -1
	for i, s := range segs {
		ts, last := s.MaxTimestamp()
		if last < start && ts > best {
			// The segment's largest was deleted: see what is left in it.
			if ts, err = s.MaxTimestampFrom(start); err != nil {
				return -1, -1, false, l.storage("the largest timestamp could not be found", err)
			}
		}
		if ts > best {
			best, at = ts, i
		}
	}
	if at < 0 {
		return -1, -1, false, nil
	}
	offset, timestamp, found, err = segs[at].FindTime(best, start)
	if err != nil {
		return -1, -1, false, l.storage("the record of the largest timestamp could not be found", err)
	}
	if !found || offset >= hw {
		return -1, -1, false, nil
	}
	return offset, timestamp, true, nil
}
