package segment

import (
	"errors"
	"fmt"
	"io"

	"github.com/leatstream/leat/broker/internal/batch"
)

// Rewrite writes the batches from position pos on once more, as they are read
// back, and syncs the file. It is for after a failed sync: the operating system
// may take pages for written that never were, and only a new write makes it try
// again. If what is read back isn't what was written, the error matches
// batch.ErrCorrupt, and nothing can be done here.
func (s *Segment) Rewrite(pos int64) error {
	sc := NewScanner(s.file, pos, s.Size(), scanChunk)
	for {
		h, at, err := sc.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s back: %w", s.Path(), err)
		}
		b, err := sc.Batch(&h)
		if err == nil {
			err = batch.CheckCRC(b, &h)
		}
		if err != nil {
			return fmt.Errorf("read %s back: position %d: %w", s.Path(), at, errors.Join(batch.ErrCorrupt, err))
		}
		if _, err := s.file.WriteAt(b, at); err != nil {
			return fmt.Errorf("write %s again: %w", s.Path(), err)
		}
	}
	return s.Sync()
}
