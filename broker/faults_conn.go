package broker

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
	"github.com/leatstream/leat/internal/clock"
)

// disturb returns what is before next on a connection: the faults, if the
// broker can have any.
func (b *Broker) disturb(next wire.Handler) wire.Handler {
	if b.cfg.Faults == nil {
		return next
	}
	return &disturbed{next: next, faults: b.cfg.Faults, clk: b.cfg.Clock, name: b.topicName}
}

// topicName is the name of the topic with an id; "" if there is none.
func (b *Broker) topicName(id [16]byte) string {
	if t := b.catalog.Image().TopicByID(id); t != nil {
		return t.Name
	}
	return ""
}

// disturbed is the handler of one connection with the faults before it.
type disturbed struct {
	next   wire.Handler
	faults *Faults
	clk    clock.Clock
	name   func([16]byte) string
	silent bool // for good; Handle is called for one request at a time
}

// errFault closes the connection of a client that has met a fault.
var errFault = errors.New("the connection is closed by a fault that was injected")

// Handle passes a request on, unless something happens to it.
func (d *disturbed) Handle(ctx context.Context, r *wire.Request) (wire.Reply, bool, error) {
	if d.silent {
		return never{}, false, nil
	}
	if !d.faults.wants(API(r.Key)) {
		return d.next.Handle(ctx, r)
	}
	body := decoded(r)
	fault, ok := d.faults.take(d.describe(r, body))
	if !ok {
		return d.next.Handle(ctx, r)
	}
	switch fault.Effect {
	case Silence:
		d.silent = true
		return never{}, false, nil
	case Disconnect:
		return fails{d.clk, fault.Delay, nil}, false, nil
	case LoseAnswer:
		reply, flexible, err := d.next.Handle(ctx, r)
		return fails{d.clk, fault.Delay, reply}, flexible, err
	case Refuse:
		return d.refuse(ctx, r, body, fault)
	default:
		reply, flexible, err := d.next.Handle(ctx, r)
		return held{d.clk, fault.Delay, reply, nil}, flexible, err
	}
}

// refuse answers an error code.
func (d *disturbed) refuse(ctx context.Context, r *wire.Request, body kmsg.Request, f Fault) (wire.Reply, bool, error) {
	code := f.Code
	if code == 0 {
		code = -1
	}
	if body == nil { // it will be refused for what it is
		return d.next.Handle(ctx, r)
	}
	if !onlyReads(API(r.Key)) {
		resp := refusal(body, code)
		if p, ok := body.(*kmsg.ProduceRequest); ok && p.Acks == 0 {
			resp = nil // nobody waits for it
		}
		return held{d.clk, f.Delay, wire.Ready{Response: resp}, nil}, body.IsFlexible(), nil
	}
	// What only reads is carried out, since its answer has more to say than the
	// error: the brokers in Metadata, for instance.
	reply, flexible, err := d.next.Handle(ctx, r)
	change := func(resp wire.Response) (wire.Response, error) {
		return spoilt(resp, body, code)
	}
	return held{d.clk, f.Delay, reply, change}, flexible, err
}

// decoded is the body of a request, which stays as it is; nil if it isn't one.
func decoded(r *wire.Request) kmsg.Request {
	body := kmsg.RequestForKey(r.Key)
	if body == nil || r.Version > body.MaxVersion() {
		return nil
	}
	body.SetVersion(r.Version)
	view := *r
	if body.IsFlexible() {
		if err := view.Flexible(); err != nil {
			return nil
		}
	}
	if err := body.ReadFrom(view.Body); err != nil {
		return nil
	}
	return body
}

// describe tells what a request is about.
func (d *disturbed) describe(r *wire.Request, body kmsg.Request) Request {
	about := Request{API: API(r.Key), Version: r.Version, ClientID: r.ClientID}
	if body != nil {
		found := subjects{topics: map[string]bool{}, groups: map[string]bool{}, name: d.name}
		found.walk(reflect.ValueOf(body).Elem())
		about.Topics = slices.Sorted(maps.Keys(found.topics))
		about.Groups = slices.Sorted(maps.Keys(found.groups))
	}
	return about
}

// never is a reply that doesn't come.
type never struct{}

// Await waits for the end of the connection.
func (never) Await(ctx context.Context) (wire.Response, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// held is a reply that comes later, and perhaps changed.
type held struct {
	clk    clock.Clock
	d      time.Duration
	reply  wire.Reply
	change func(wire.Response) (wire.Response, error)
}

// Await returns the response once the time has passed.
func (h held) Await(ctx context.Context) (wire.Response, error) {
	resp, err := h.reply.Await(ctx)
	if err != nil {
		return nil, err
	}
	if h.change != nil && resp != nil {
		if resp, err = h.change(resp); err != nil {
			return nil, err
		}
	}
	if err := wait(ctx, h.clk, h.d); err != nil {
		release(resp)
		return nil, err
	}
	return resp, nil
}

// fails is the end of a connection, after a request was carried out if reply
// isn't nil.
type fails struct {
	clk   clock.Clock
	d     time.Duration
	reply wire.Reply
}

// Await fails.
func (f fails) Await(ctx context.Context) (wire.Response, error) {
	if f.reply != nil {
		resp, err := f.reply.Await(ctx)
		if err != nil {
			return nil, err
		}
		release(resp)
	}
	if err := wait(ctx, f.clk, f.d); err != nil {
		return nil, err
	}
	return nil, errFault
}

// release gives back what a response holds that won't be sent.
func release(resp wire.Response) {
	if s, ok := resp.(wire.Segments); ok {
		s.Release()
	}
}

func wait(ctx context.Context, clk clock.Clock, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := clk.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
