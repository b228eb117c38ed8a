package table

import (
	"fmt"
	"hash/fnv"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// dropNullForeignKey is why an inner foreign-key join counts a row as dropped.
const dropNullForeignKey = "null-foreign-key"

// asker is the left side of a foreign-key join in a task: it tells the right
// side what its rows refer to.
type asker[K, V, KO any] struct {
	task       *task.Task
	label      string
	topic      string
	kind       joinKind
	fk         func(K, V) KO
	fkNull     func(KO) bool
	encodeKey  func(dst []byte, k K) ([]byte, error)
	encodeFK   func(dst []byte, k KO) ([]byte, error)
	references *cache.KeyValue[K, reference]
	// versions is the last version that a row of this task got. It is no time,
	// but lives like one: it never goes back, and belongs to the committed
	// offsets.
	versions  *int64
	likeKafka bool
	// hash takes the place of versions under LikeKafka. It is nil otherwise.
	hash func(arena *task.Arena, row V, ok bool) (uint64, error)
	out  task.Outgoing
}

func (j foreign[K, V, KO, VO, KR, VR]) makeLeft(store *topology.Store, ask *topology.Topic) func(*task.Task, *topology.Node) {
	return func(tk *task.Task, n *topology.Node) {
		a := &asker[K, V, KO]{
			task: tk, label: n.Label(), topic: ask.Physical(tk.App()), kind: j.kind, likeKafka: j.left.B.LikeKafka,
			fk: j.fk, fkNull: null.Test[KO](), encodeKey: j.via.Key().Append, encodeFK: j.via.Foreign().Append,
			references: cache.OpenKeyValue(tk, cache.Spec[K, reference]{Store: store, Label: n.Label(), Key: j.via.Key(), Value: referenceSerde{}}),
			versions:   tk.Time(store.Name + "/version"),
		}
		if j.left.B.LikeKafka {
			a.hash = j.hash
		}
		tk.Keep(store.Name, a.references)
		j.left.Out(tk).Subscribe(n, a.onChange)
	}
}

// onChange subscribes a row to what it refers to now, and takes back what it
// referred to before, which the store knows best: it is what the right side was
// told.
func (a *asker[K, V, KO]) onChange(c dsl.Change[K, V]) error {
	if c.Stale {
		return nil
	}
	e, err := a.references.Entry(c.Key)
	if err != nil {
		return err
	}
	old, known, err := a.before(e, &c)
	if err != nil {
		return err
	}
	if !known && !c.HasNew {
		return nil // a row that never was is deleted
	}
	now := reference{gone: !c.HasNew}
	if now.version, err = a.version(&c); err != nil {
		return err
	}
	if c.HasNew {
		if now.foreign, now.refers, err = a.refersTo(c.Key, c.New); err != nil {
			return err
		}
		if !now.refers && a.kind == innerJoin {
			a.task.Drop(a.label, dropNullForeignKey)
		}
	}
	answered, err := a.tell(&c, known && old.refers, old.foreign, now)
	if err != nil {
		return err
	}
	if err := a.references.Touch(e); err != nil {
		return err
	}
	if now.gone && !answered {
		a.references.Delete(e, c.Time)
	} else {
		a.references.Set(e, now, c.Time)
	}
	return nil
}

// before is what a row referred to, and whether there was one. Kafka Streams goes
// by the old value that it is told.
func (a *asker[K, V, KO]) before(e *cache.Entry[K, reference], c *dsl.Change[K, V]) (old reference, known bool, err error) {
	if !a.likeKafka {
		return e.Value, e.OK && !e.Value.gone, nil
	}
	if c.HasOld {
		old.foreign, old.refers, err = a.refersTo(c.Key, c.Old)
	}
	return old, c.HasOld, err
}

// refersTo is the encoded foreign key of a row, if it has one.
func (a *asker[K, V, KO]) refersTo(k K, v V) (foreign string, refers bool, err error) {
	fk := a.fk(k, v)
	if a.fkNull != nil && a.fkNull(fk) {
		return "", false, nil
	}
	b, err := a.encodeFK(a.task.Arena().Free(), fk)
	if err != nil {
		return "", false, a.fail("foreign key", err)
	}
	return string(b), true, nil
}

// hash is what Kafka Streams tells answers apart by, a hash of the left row's
// bytes, 0 for none: an answer counts if the row is again, or still, what it was,
// and none does after its bytes have changed alone. Rows that are computed have no
// serde here; what they look like takes its place.
func (j foreign[K, V, KO, VO, KR, VR]) hash(arena *task.Arena, row V, ok bool) (uint64, error) {
	if !ok {
		return 0, nil
	}
	h := fnv.New64a()
	if j.left.Value == nil {
		fmt.Fprintf(h, "%+v", row)
		return h.Sum64(), nil
	}
	b, err := j.left.Value.Append(arena.Free(), row)
	if err != nil {
		return 0, fmt.Errorf("encode row: %w", err)
	}
	h.Write(b)
	return h.Sum64(), nil
}

// version is what the right side sends back with its answers to a change.
func (a *asker[K, V, KO]) version(c *dsl.Change[K, V]) (uint64, error) {
	if a.hash == nil {
		*a.versions++
		return uint64(*a.versions), nil
	}
	v, err := a.hash(a.task.Arena(), c.New, c.HasNew)
	if err != nil {
		return 0, &task.OpError{Operator: a.label, Kind: task.FailedEncode, Err: err}
	}
	return v, nil
}

// tell sends what the right side must know of a change. It reports whether an
// answer will come in any case.
func (a *asker[K, V, KO]) tell(c *dsl.Change[K, V], referred bool, old string, now reference) (answered bool, err error) {
	moved := referred && (!now.refers || now.foreign != old)
	if a.kind != innerJoin {
		if moved {
			err = a.send(c, &old, forget, now.version)
		}
		var to *string
		if now.refers {
			to = &now.foreign
		}
		if err == nil {
			err = a.send(c, to, answer, now.version)
		}
		return true, err
	}
	switch {
	case !now.refers && referred:
		return true, a.send(c, &old, forgetAnswer, now.version)
	case !now.refers:
		return false, nil
	case !moved:
		// Without a row on the right side there is no result, now as before.
		return false, a.send(c, &now.foreign, answerIfKnown, now.version)
	}
	if err = a.send(c, &old, forget, now.version); err == nil {
		err = a.send(c, &now.foreign, answer, now.version)
	}
	return true, err
}

// send writes a subscription to the partition of the foreign key, or to any if
// it is nil.
func (a *asker[K, V, KO]) send(c *dsl.Change[K, V], foreign *string, what instruction, version uint64) error {
	arena := a.task.Arena()
	s := subscription{what: what, partition: a.task.Partition(), version: version}
	key, err := a.encodeKey(arena.Free(), c.Key)
	if err != nil {
		return a.fail("key", err)
	}
	s.key = arena.Take(key)
	a.out = task.Outgoing{Topic: a.topic, Partition: -1, Changelog: -1, Time: c.Time, Headers: c.Meta.Headers}
	if foreign != nil {
		a.out.Key = arena.Take(append(arena.Free(), *foreign...))
	}
	a.out.Value = arena.Take(s.append(arena.Free()))
	return a.task.Send(&a.out)
}

func (a *asker[K, V, KO]) fail(what string, err error) error {
	return &task.OpError{Operator: a.label, Kind: task.FailedEncode, Err: fmt.Errorf("encode %s: %w", what, err)}
}

// readSubscriptions is the source of what an asker wrote.
func readSubscriptions(tk *task.Task, n *topology.Node) {
	port, label := dsl.NewPort[subscription](tk, n), n.Label()
	tk.OnSource(n.Topic.Physical(tk.App()), func(r *record.Record) error {
		s, err := decodeSubscription(r.Value)
		if err != nil {
			return &task.OpError{Operator: label, Kind: task.FailedDecode, Err: err}
		}
		s.foreign, s.null, s.time = r.Key, r.Key == nil, r.Time
		return port.Emit(s)
	})
}
