package wire

import (
	"context"
	"net"
	"time"
)

// Request is one request as it came in.
type Request struct {
	Header
	// Body is what follows the header. A request with a flexible header still
	// has the header's tagged fields at the front; Flexible removes them.
	Body []byte
	// Reusable is set by the first stage if nothing refers to Body any more, so
	// that its memory can take the next request.
	Reusable bool
	// Client is the address of the peer.
	Client net.Addr
	// Raw says that the frame has no header: it is all in Body, and the answer
	// goes without a header too.
	Raw bool

	// Mute is set by the first stage to leave the connection unread for so
	// long. Requests that are in work are answered meanwhile.
	Mute time.Duration
	// Last is set by the first stage to close the connection once this request
	// has been answered.
	Last bool

	// What a handler that knows the peer tells the one behind it.
	Peer
}

// Peer is who is at the other end of a connection.
type Peer struct {
	Principal string // "User:alice"
	Host      string // IP address
	Listener  string // the name of that which the peer came in by; "" is Dial
	Trusted   bool   // whether it may do anything
}

// Flexible removes the tagged fields of a version 2 request header from Body.
func (r *Request) Flexible() error {
	body, err := skipTags(r.Body)
	if err != nil {
		return err
	}
	r.Body = body
	return nil
}

// Response is the body of a response; a kmsg.Response is one.
type Response interface {
	// AppendTo appends the encoded body.
	AppendTo([]byte) []byte
}

// Segments is a [Response] that can hand over its encoded body in pieces, so
// that large pieces need no copy.
type Segments interface {
	Response
	// Segments returns the pieces; scratch may be used for small ones.
	Segments(scratch []byte) net.Buffers
	// Release is called once, after the pieces were sent or won't be.
	Release()
}

// Muting is a [Response] that leaves the connection unread for a while after it
// was sent.
type Muting interface {
	Response
	Mute() time.Duration
}

// Reply is the second half of a request.
type Reply interface {
	// Await returns the response, waiting for it if need be until ctx is
	// done. A nil response sends nothing. An error closes the connection.
	Await(ctx context.Context) (Response, error)
}

// Ready is a [Reply] that doesn't wait.
type Ready struct {
	Response Response // nil sends nothing
}

// Await returns the response.
func (r Ready) Await(context.Context) (Response, error) { return r.Response, nil }

// Handler does the work of requests.
type Handler interface {
	// Handle is called for the requests of a connection one after the other
	// in the order of their arrival, and must not block for long. flexible
	// asks for a version 1 response header. An error closes the connection
	// without an answer.
	Handle(ctx context.Context, r *Request) (reply Reply, flexible bool, err error)
}

// RawHandler is a [Handler] that takes frames without headers at times.
type RawHandler interface {
	Handler
	// Raw says whether the next frame has no header. It is asked between two
	// calls of Handle.
	Raw() bool
}
