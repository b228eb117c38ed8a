// Package wire moves Kafka requests and responses over connections.
//
// It knows frames, request and response headers, the order of responses and
// the limits of a connection; it doesn't know what any request means. A
// [Handler] does the requests' work in two stages: Handle runs in the order of
// arrival and must not block, and the [Reply] it returns may wait. Responses
// leave strictly in the order of requests, which is what Kafka clients rely on.
//
// [Pipe] is the connection without a socket.
package wire
