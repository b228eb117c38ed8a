package main

import (
	"fmt"
	"strings"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/window"
)

type (
	windowStore  = state.WindowStore[*datum, *datum]
	sessionStore = state.SessionStore[*datum, *datum]
)

// addStore declares a store of processors.
func (b *builder) addStore(op *operator) error {
	if op.RetentionMs == nil {
		op.RetentionMs = new(int64)
	}
	var tag serde.Serde[*datum] = tagged{}
	switch op.Type {
	case "kv", "timestampedKv":
		b.plain[op.Store] = op.Type
		b.declared[op.Store] = b.store(op.Store, "")
	case "window":
		st := state.NewWindow(op.Store, tag, tag, ms(*op.RetentionMs), ms(op.SizeMs))
		if op.RetainDuplicates {
			st = st.KeepAll()
		}
		b.declared[op.Store] = st
		b.dumps[op.Store] = dumpWindows(st, true, sameDatum)
	case "session":
		st := state.NewSession(op.Store, tag, tag, ms(*op.RetentionMs))
		b.declared[op.Store] = st
		b.dumps[op.Store] = dumpSessions(st, sameDatum)
	case "versioned":
		b.declared[op.Store] = b.versioned(op.Store, op.HistoryMs)
	default:
		return unsupported("addStore %s", op.Type)
	}
	return nil
}

// windowLog keeps a log of the key's records and forwards a part of it.
func windowLog(c *custom) handler {
	w := c.p.Window(c.declared[0].(windowStore))
	return keyed(func(r record) error {
		if err := w.Put(r.Key, r.Value, r.Time); err != nil {
			return err
		}
		var log []string
		for start, v := range w.Fetch(r.Key, r.Time.Add(-ms(c.op.BeforeMs)), r.Time.Add(ms(c.op.AfterMs))) {
			log = append(log, fmt.Sprintf("%s@%d", v, start.UnixMilli()))
		}
		if err := w.Err(); err != nil {
			return err
		}
		return c.p.Forward(r.Key, str(strings.Join(log, ",")))
	})
}

// sessionLog makes a session of each record and forwards those around it.
func sessionLog(c *custom) handler {
	s := c.p.Session(c.declared[0].(sessionStore))
	half := ms(c.op.HalfMs)
	return keyed(func(r record) error {
		if err := s.Put(r.Key, window.Between(r.Time, r.Time.Add(half)), r.Value); err != nil {
			return err
		}
		var log []string
		for span, v := range s.Find(r.Key, r.Time.Add(-half), r.Time.Add(half)) {
			log = append(log, fmt.Sprintf("%s@%d/%d", v, span.StartMS, span.EndMS))
		}
		if err := s.Err(); err != nil {
			return err
		}
		return c.p.Forward(r.Key, str(strings.Join(log, ",")))
	})
}

// versionedLog keeps versions of the key's values and forwards what it sees of
// them.
func versionedLog(c *custom) handler {
	vs := c.p.Versioned(c.declared[0].(state.Store[*datum, *datum]))
	return keyed(func(r record) error {
		to, kept, err := vs.Put(r.Key, r.Value, r.Time)
		if err != nil {
			return err
		}
		put := "notPut"
		switch {
		case kept && to.IsZero():
			put = "open"
		case kept:
			put = fmt.Sprintf("validTo=%d", to.UnixMilli())
		}
		latest, hasLatest, err := vs.Get(r.Key)
		if err != nil {
			return err
		}
		then := r.Time.Add(-ms(c.op.LookbackMs))
		before, hadBefore, err := vs.AsOf(r.Key, then)
		if err != nil {
			return err
		}
		return c.p.Forward(r.Key, str(fmt.Sprintf("%s latest=%s asOf%d=%s", put, writtenVersion(latest, hasLatest), then.UnixMilli(), writtenVersion(before, hadBefore))))
	})
}

// writtenVersion is a version as versionedLog writes it. Kafka Streams doesn't tell until
// when one holds.
func writtenVersion(v state.Version[*datum], ok bool) string {
	if !ok {
		return "none"
	}
	return fmt.Sprintf("%s@%d..", v.Value, v.From.UnixMilli())
}
