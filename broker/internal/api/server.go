package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/acl"
	"github.com/leatstream/leat/broker/internal/authn"
	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/quota"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/wire"
	"github.com/leatstream/leat/internal/clock"
)

// NodeID is the id of the one node there is.
const NodeID int32 = 1

// Node is where a client reaches the broker.
type Node struct {
	Host string
	Port int32
}

// Options configures a server. All fields but Policy are required.
type Options struct {
	Catalog           *catalog.Catalog
	Groups            *coord.Groups
	Txns              *coord.Txns
	Shares            *coord.Shares
	Clock             clock.Clock
	Log               *slog.Logger
	Authn             *authn.Authenticator
	Limiter           *quota.Limiter
	Nodes             map[string]Node // by the listener that a client came in by
	DefaultPartitions int32
	AutoCreate        bool
	// SyncAcks says that an acknowledgement has to wait for the disk.
	SyncAcks bool
	// RequestBytes is the largest request.
	RequestBytes int
	// LogDir is shown as the directory of the logs.
	LogDir string
	// Policy is who may do what; nil is everybody everything.
	Policy *acl.Policy
	// MaxSession is after how long clients have to log in again; 0 is never.
	MaxSession time.Duration
	// Throttled is told for how long quotas have a client wait; nil tells nobody.
	Throttled func(time.Duration)
	// Shown are settings that are told to clients otherwise than they were set.
	Shown map[string]string
}

// Server answers requests. It is a wire.Handler.
type Server struct {
	Options
	trouble trouble
	denials denials

	shareSessions share.Sessions
	fetches       fetchSessions

	writers, readers gate // of files
}

// NewServer returns a server.
func NewServer(o Options) *Server {
	return &Server{Options: o, writers: make(gate, diskWriters), readers: make(gate, diskReaders)}
}

// errUnsupported closes the connection of a client that sends what ApiVersions
// didn't offer.
var errUnsupported = errors.New("API key or version is not served")

// plainRequestBytes is the largest request of all APIs but Produce. Decoded, a
// request takes several times its bytes.
const plainRequestBytes = 8 << 20

// RequestBytes is the largest request of an API.
func (s *Server) RequestBytes(key int16) int {
	if key == keyProduce {
		return s.Options.RequestBytes
	}
	return min(s.Options.RequestBytes, plainRequestBytes)
}

// Handle runs the first stage of a request.
func (s *Server) Handle(ctx context.Context, r *wire.Request) (wire.Reply, bool, error) {
	if r.Key == keyApiVersions {
		reply, err := s.apiVersions(r)
		return reply, false, err // its response header never has tags
	}
	a, ok := served(r.Key)
	if !ok || r.Version < a.lowest || r.Version > a.max {
		return nil, false, errUnsupported
	}
	if r.Key == keyProduce {
		return s.produce(ctx, r)
	}
	body := kmsg.RequestForKey(r.Key)
	body.SetVersion(r.Version)
	flexible := body.IsFlexible()
	if flexible {
		if err := r.Flexible(); err != nil {
			return nil, false, err
		}
	}
	if err := decode(r, body); err != nil {
		return nil, false, err
	}
	reply, err := a.handle(s, r, body)
	return reply, flexible, err
}

// decode decodes a body whose shape has been checked.
func decode(r *wire.Request, into kmsg.Request) error {
	if err := schemas[r.Key].Check(r.Body, r.Version); err != nil {
		return err
	}
	if err := into.ReadFrom(r.Body); err != nil {
		return fmt.Errorf("%w: %w", wire.ErrFrame, err)
	}
	return nil
}

// handler runs the first stage of one API.
type handler func(*Server, *wire.Request, kmsg.Request) (wire.Reply, error)

// now is a handler that answers at once.
func now[R kmsg.Request](f func(*Server, R) kmsg.Response) handler {
	return func(s *Server, _ *wire.Request, body kmsg.Request) (wire.Reply, error) {
		return wire.Ready{Response: f(s, body.(R))}, nil
	}
}

// local is a handler that answers at once and needs to know how the request
// came in.
func local[R kmsg.Request](f func(*Server, *wire.Request, R) kmsg.Response) handler {
	return func(s *Server, r *wire.Request, body kmsg.Request) (wire.Reply, error) {
		return wire.Ready{Response: f(s, r, body.(R))}, nil
	}
}

// later is a handler whose answer may take time.
func later[R kmsg.Request](f func(*Server, *wire.Request, R) wire.Reply) handler {
	return func(s *Server, r *wire.Request, body kmsg.Request) (wire.Reply, error) {
		return f(s, r, body.(R)), nil
	}
}

// await is a Reply made of a function.
type await func(context.Context) (wire.Response, error)

// Await calls f.
func (f await) Await(ctx context.Context) (wire.Response, error) { return f(ctx) }

// ready is a Reply that is there.
func ready(r wire.Response) wire.Reply { return wire.Ready{Response: r} }

// node is where the client of a request reaches the broker.
func (s *Server) node(r *wire.Request) Node { return s.Nodes[r.Listener] }

func (s *Server) nowMillis() int64 { return s.Clock.Now().UnixMilli() }

func millis(n int32) time.Duration { return time.Duration(n) * time.Millisecond }

// explain gives the error code for err, and a message that the client may see.
func (s *Server) explain(err error) (int16, *string) {
	if err == nil {
		return 0, nil
	}
	code := batch.CodeOf(err)
	if e, ok := errors.AsType[*batch.Error](err); ok {
		if e.Cause != nil {
			s.Log.Error("a request failed", "err", err)
		}
		return code, &e.Message
	}
	if code == -1 {
		s.Log.Error("a request failed", "err", err)
	}
	return code, nil
}
