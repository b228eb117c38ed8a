package cache

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/leatstream/leat/internal/task"
)

// # What leaves a versioned store
//
// A version is dead when the next one began before the horizon: nobody can ask
// for it any more. The newest version of a key never dies, unless it says that
// there is none.
//
// Which versions are dead depends on their neighbours, so there is no order of
// time by which they could be found. Instead a hand goes round through the
// database, some cells with each commit and more when more is written, and deletes
// the dead that it meets. It needs no index and no memory, and what lies dead is
// never more than a fraction of what was written.

// sweep is the hand.
type sweep struct {
	at     []byte // key of the cell to look at next; nil: the first
	wrote  int    // cells written since the last commit
	newer  bool   // there are cells that the round under way may not meet
	passed int64  // the horizon of the last whole round
	begun  int64  // that of the round under way
}

const (
	sweepAtLeast  = 128 // cells looked at by a commit
	sweepPerWrite = 4   // and for each one written
)

// Expire implements task.Store. A cell is deleted one commit after it died, in the
// changelog too, as in other stores: so a record that is processed again after a
// crash finds what it found before.
func (s *Versioned[K, V]) Expire() error {
	s.next = *s.latest
	h := &s.sweep
	budget, wrote := sweepAtLeast+sweepPerWrite*h.wrote, h.wrote > 0
	h.wrote = 0
	// What this commit writes is in the database after it.
	defer func() { h.newer = h.newer || wrote }()
	horizon := s.settled - s.history
	if s.settled < 0 || h.at == nil && horizon <= h.passed && !h.newer {
		return nil
	}
	if h.at == nil {
		h.begun, h.newer = horizon, false
	}
	lo, hi := s.id.Bounds()
	if h.at != nil {
		lo = h.at
	}
	v := visit{horizon: horizon, blind: h.at != nil, delete: func(key []byte) error {
		arena := s.task.Arena()
		return s.log(write{key: arena.Take(append(arena.Free(), key...))}, s.settled)
	}}
	var failed error
	err := s.db.Scan(lo, hi, func(key, value []byte) bool {
		if failed = v.cell(key, value); failed != nil {
			return false
		}
		budget--
		return budget > 0
	})
	if err == nil && failed == nil && budget > 0 {
		failed = v.settle(false)
		h.at, h.passed = nil, h.begun
	} else {
		h.at = v.key
	}
	if err != nil {
		return s.fail(task.FailedStore, fmt.Errorf("expire: %w", err))
	}
	return failed
}

// visit is one walk of the hand over cells in order.
type visit struct {
	horizon int64
	delete  func(key []byte) error

	key   []byte // the cell whose successor comes next
	blind bool   // the walk began in the middle of its row
	only  bool   // no other cell of its row has been left
	void  bool   // it says that there is no value
}

// cell meets the next cell.
func (v *visit) cell(key, value []byte) error {
	if len(key) < 8 || len(value) < 9 {
		return nil
	}
	row := len(key) - 8
	same := v.key != nil && len(v.key) == len(key) && bytes.Equal(v.key[:row], key[:row])
	if err := v.settle(same && timeOf(key) <= v.horizon); err != nil {
		return err
	}
	if !same {
		v.only = v.key != nil || !v.blind
	}
	v.key = append(v.key[:0], key...)
	v.void = versionKind(value[8]) == deletion
	return nil
}

// settle decides about a cell when its successor is known, which may have killed
// it. One that says there is no value goes when all before it have gone; sooner,
// and they would hold again.
func (v *visit) settle(dead bool) error {
	if v.key == nil {
		return nil
	}
	if dead || v.void && v.only && timeOf(v.key) < v.horizon {
		return v.delete(v.key)
	}
	v.only = false
	return nil
}

func timeOf(cell []byte) int64 {
	return int64(binary.BigEndian.Uint64(cell[len(cell)-8:]) ^ 1<<63)
}
