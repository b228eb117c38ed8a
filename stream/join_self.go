package stream

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/window"
)

// SelfJoins makes a join of a stream with itself, under [LikeKafka], what
// topology.optimization=all makes of it in Kafka Streams: an operator of its own
// with one store, whose results come in another order, and which gives no result
// for a record alone, not even one of LeftJoin or OuterJoin. Without LikeKafka it
// changes nothing.
func SelfJoins() Option {
	return func(b *dsl.Builder) { b.SelfJoins = true }
}

// selfJoin is Kafka's join of a stream with itself in a task. Both value types are
// the same.
type selfJoin[K, L, R, VR any] struct {
	*streamJoin[K, VR]
	rows   *cache.Rows[K, sided[L]]
	window window.Join
	f      joinFunc[K, L, R, VR]
	isNull func(L) bool
}

// on joins a record with those before it, then those with it, and with itself
// where its time has come among them.
func (s *selfJoin[K, L, R, VR]) on(r dsl.Record[K, L]) error {
	if dropped(s.task, s.label, r.KeyNull, s.isNull != nil && s.isNull(r.Value)) {
		return nil
	}
	*s.time = max(*s.time, r.Time)
	row, err := s.rows.Row(r.Key)
	if err != nil {
		return err
	}
	self := r.Time > *s.time-s.window.RetentionMS()+1
	if err := s.each(row, s.window, r.Time, func(v L, at int64) error {
		return s.emit(r.Key, s.pair(r.Key, r.Value, v), at)
	}); err != nil {
		return err
	}
	alone := func() error {
		if !self {
			return nil
		}
		self = false
		return s.emit(r.Key, s.pair(r.Key, r.Value, r.Value), r.Time)
	}
	if err := s.each(row, s.window.Mirror(), r.Time, func(v L, at int64) error {
		if r.Time < at {
			if err := alone(); err != nil {
				return err
			}
		}
		return s.emit(r.Key, s.pair(r.Key, v, r.Value), at)
	}); err != nil {
		return err
	}
	if err := alone(); err != nil {
		return err
	}
	return s.keep(r)
}

// each calls f with what is kept in the reach of a record of time ts.
func (s *selfJoin[K, L, R, VR]) each(row *cache.Row[K, sided[L]], w window.Join, ts int64, f func(v L, at int64) error) error {
	if s.blind {
		return nil
	}
	lo, hi := w.Range(ts)
	for i := from(row, max(lo, s.rows.Oldest()+s.hidden)); i < len(row.Cells) && row.Cells[i].Time <= max(0, hi); i++ {
		if err := f(row.Cells[i].Value.value, max(ts, row.Cells[i].Time)); err != nil {
			return err
		}
	}
	return nil
}

func (s *selfJoin[K, L, R, VR]) pair(k K, l, r L) VR {
	return s.f(k, l, true, *any(&r).(*R), true)
}

func (s *selfJoin[K, L, R, VR]) keep(r dsl.Record[K, L]) error {
	if r.Time < s.rows.Oldest()+s.hidden {
		return nil
	}
	row, err := s.rows.Slot(r.Key)
	if err != nil {
		return err
	}
	*s.records++
	s.rows.Put(row, r.Time, *s.records, sided[L]{value: r.Value})
	return nil
}
