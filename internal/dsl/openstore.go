package dsl

import (
	"iter"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/task"
)

// OpenStore is what state.KeyValue is made of. It has no methods, so that the
// public type has its own and no others.
type OpenStore[K, V any] struct {
	task *task.Task
	kv   *cache.KeyValue[K, V]
	now  *int64 // time of the record or punctuation in process
	err  error
}

// NewOpenStore opens the store for a processor. now points to the time that
// rows are written with.
func NewOpenStore[K, V any](t *task.Task, kv *cache.KeyValue[K, V], now *int64) *OpenStore[K, V] {
	return &OpenStore[K, V]{task: t, kv: kv, now: now}
}

// ReadRow implements state.KeyValue.Get.
func ReadRow[K, V any](s *OpenStore[K, V], k K) (v V, ok bool, err error) {
	e, err := s.kv.Entry(k)
	if err != nil {
		return v, false, err
	}
	return e.Value, e.OK, nil
}

// WriteRow implements state.KeyValue.Put.
func WriteRow[K, V any](s *OpenStore[K, V], k K, v V) error {
	e, err := s.kv.Slot(k)
	if err != nil {
		return err
	}
	s.kv.Set(e, v, *s.now)
	return nil
}

// DeleteRow implements state.KeyValue.Delete.
func DeleteRow[K, V any](s *OpenStore[K, V], k K) error {
	e, err := s.kv.Slot(k)
	if err != nil {
		return err
	}
	s.kv.Delete(e, *s.now)
	return nil
}

// RowTime implements state.KeyValue.Time.
func RowTime[K, V any](s *OpenStore[K, V], k K) (at time.Time, ok bool, err error) {
	e, err := s.kv.Entry(k)
	if err != nil || !e.OK {
		return at, false, err
	}
	return time.UnixMilli(e.Time).UTC(), true, nil
}

// AllRows implements state.KeyValue.All.
func AllRows[K, V any](s *OpenStore[K, V]) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		rows, err := s.kv.Rows(nil, nil)
		s.walk(rows, err, yield)
	}
}

// RangeRows implements state.KeyValue.Range.
func RangeRows[K, V any](s *OpenStore[K, V], from, to K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		rows, err := s.kv.Rows(&from, &to)
		s.walk(rows, err, yield)
	}
}

// walk is over rows that were collected before, so that the loop may change
// the store.
func (s *OpenStore[K, V]) walk(rows []cache.Pair[K, V], err error, yield func(K, V) bool) {
	if err != nil {
		if s.err == nil {
			s.err = err
		}
		s.task.Poison(err)
		return
	}
	for _, r := range rows {
		if !yield(r.Key, r.Value) {
			return
		}
	}
}

// RowsErr implements state.KeyValue.Err.
func RowsErr[K, V any](s *OpenStore[K, V]) error { return s.err }
