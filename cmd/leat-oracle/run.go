package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

// result is what a topology answered, as cases show it.
type result struct {
	Error   *failure            `json:"error,omitempty"`
	Topics  map[string][]output `json:"topics"`
	Peeks   []peeked            `json:"peeks,omitempty"`
	Queries []answer            `json:"queries,omitempty"`
	Stores  map[string][]row    `json:"stores,omitempty"`
}

// failure is where the application stopped.
type failure struct {
	Phase string `json:"phase"`
	Input *int   `json:"input,omitempty"`
	Cause string `json:"class"`
}

type output struct {
	Key     *datum   `json:"key"`
	Value   *datum   `json:"value"`
	TS      int64    `json:"ts"`
	Headers [][2]any `json:"headers,omitempty"`
	Step    int      `json:"i"`
}

type peeked struct {
	ID    string `json:"id"`
	Key   *datum `json:"key"`
	Value *datum `json:"value"`
	Step  int    `json:"i"`
}

type answer struct {
	Store  string `json:"store"`
	Op     string `json:"op"`
	Result any    `json:"result"`
}

// run is a case in process.
type run struct {
	c     *testCase
	b     *builder
	d     *streamtest.Driver
	out   result
	step  int
	first time.Time // the driver's clock at the case's wall clock 0
	how   way
}

// way is how a case is run.
type way struct {
	// restart says before each record whether the tasks end, and start again
	// without a database: all must be in the changelogs. nil is never.
	restart func() bool
	// own answers as leat does by default, with a task for each sub-topology as
	// in production, instead of as Kafka Streams in its TopologyTestDriver.
	own bool
}

// runCase builds the case's topology, feeds it, and returns what it answered.
// The error is an *unsupportedError, or a mistake in the case.
func runCase(c *testCase) (*result, error) { return runWith(c, way{}) }

func runWith(c *testCase, how way) (res *result, err error) {
	r := &run{c: c, how: how, b: newBuilder(c), out: result{Topics: map[string][]output{}}}
	r.first = streamtest.Start.Add(-ms(c.Config.WallClockStartMs))
	r.b.peek = func(id string, k, v *datum) {
		r.out.Peeks = append(r.out.Peeks, peeked{id, k, v, r.step})
	}
	r.b.now = func(at time.Time) int64 { return at.Sub(r.first).Milliseconds() }
	topology, err := r.b.topology(how.own)
	if r.b.err != nil {
		return nil, r.b.err
	}
	if err != nil {
		return &result{Error: &failure{Phase: "build", Cause: err.Error()}}, nil
	}
	defer func() {
		// The driver of no test panics where one would fail.
		if p := recover(); p != nil {
			res, err = nil, fmt.Errorf("input %d: %v", r.step, p)
		}
	}()
	opts := []streamtest.Option{streamtest.OnError(r.onError)}
	if !how.own {
		opts = append(opts, streamtest.LikeKafka())
	}
	r.d = streamtest.MustNew(topology, opts...)
	return &r.out, r.feed()
}

func (r *run) onError(e *stream.RecordError) stream.Action {
	how := map[stream.Stage]string{
		stream.Decode:  r.c.Config.DeserializationHandler,
		stream.Process: r.c.Config.ProcessingHandler,
		stream.Encode:  r.c.Config.ProductionHandler,
	}[e.Stage]
	switch {
	case how != "continue":
		return stream.Fail
	case r.c.Config.DLQTopic != "":
		return stream.DeadLetter
	}
	return stream.Skip
}

func (r *run) feed() error {
	for i, e := range r.c.Inputs {
		r.step = i
		if err := r.send(e); err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
		if err := r.d.Err(); err != nil {
			r.out.Error = &failure{Phase: "run", Input: &i, Cause: err.Error()}
			r.out.Peeks = slices.DeleteFunc(r.out.Peeks, func(p peeked) bool { return p.Step == i })
			return nil
		}
		r.collect()
	}
	r.out.Stores = map[string][]row{}
	for name, read := range r.b.dumps {
		rows, err := read(r.d, nil)
		if err != nil {
			return fmt.Errorf("store %s: %w", name, err)
		}
		r.out.Stores[name] = rows
	}
	return nil
}

func (r *run) send(e event) error {
	switch {
	case e.AdvanceWallClockMs != nil:
		r.d.Advance(ms(*e.AdvanceWallClockMs))
		return nil
	case e.Query != nil:
		return r.query(e.Query)
	}
	if r.how.restart != nil && r.how.restart() {
		r.d.Restart()
	}
	key, value, headers, err := r.b.record(e)
	if err != nil {
		return err
	}
	r.d.SendRaw(e.Topic, key, value, time.UnixMilli(e.TS), headers...)
	return nil
}

// record is the record of a step, in bytes.
func (b *builder) record(e event) (key, value []byte, headers []stream.Header, err error) {
	in, ok := b.input(e.Topic)
	if !ok {
		return nil, nil, nil, fmt.Errorf("no node reads topic %s", e.Topic)
	}
	if key, err = encode(in.key, e.Key, e.RawKey); err != nil {
		return nil, nil, nil, err
	}
	if value, err = encode(in.value, e.Value, e.RawValue); err != nil {
		return nil, nil, nil, err
	}
	for _, h := range e.Headers {
		if len(h) != 2 || h[0] == nil {
			return nil, nil, nil, errors.New("a header is a name and a value")
		}
		header := stream.Header{Key: *h[0]}
		if h[1] != nil {
			header.Value = []byte(*h[1])
		}
		headers = append(headers, header)
	}
	return key, value, headers, nil
}

// encode is the bytes of a key or value; those given as such go first.
func encode(typ string, src json.RawMessage, bytes *[]byte) ([]byte, error) {
	if bytes != nil {
		return *bytes, nil
	}
	d, err := parse(typ, src)
	if d == nil || err != nil {
		return nil, err
	}
	return typed(typ).Append([]byte{}, d)
}

// collect reads what the step has written.
func (r *run) collect() {
	names := slices.Clone(r.b.sinks)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		key, value := r.b.written(name)
		r.read(name, name, key, value)
	}
	if dlq := r.c.Config.DLQTopic; dlq != "" {
		r.read(dlq, streamtest.DeadLetters, typed("bytes"), typed("bytes"))
	}
}

// written is how the records of a topic that the case writes to are read.
func (b *builder) written(name string) (key, value serde.Serde[*datum]) {
	if in, ok := b.input(name); ok {
		return typed(in.key), typed(in.value)
	}
	return tagged{}, tagged{}
}

func (r *run) read(as, name string, key, value serde.Serde[*datum]) {
	for _, rec := range r.d.Records(topic.New(name, key, value)) {
		o := output{Key: rec.Key, Value: rec.Value, TS: rec.Time.UnixMilli(), Step: r.step}
		for _, h := range rec.Headers {
			if h.Value == nil {
				o.Headers = append(o.Headers, [2]any{h.Key, nil})
			} else {
				o.Headers = append(o.Headers, [2]any{h.Key, string(h.Value)})
			}
		}
		r.out.Topics[as] = append(r.out.Topics[as], o)
	}
}
