package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// rawRequest encodes a request as a client would, but with any version.
func rawRequest(r kmsg.Request, key, version int16) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 4), uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, 7)
	b = binary.BigEndian.AppendUint16(b, 0xffff)
	if r != nil {
		r.SetVersion(version)
		if r.IsFlexible() {
			b = append(b, 0)
		}
		b = r.AppendTo(b)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func dial(t *testing.T, b *Broker) net.Conn {
	t.Helper()
	c, err := b.Dial(t.Context(), "", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// answer reads one response, without its length.
func answer(c net.Conn) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err := io.ReadFull(c, b)
	return b, err
}

func TestHostile_ConnectionIsClosed(t *testing.T) {
	b := start(t, Config{})
	metadata := rawRequest(kmsg.NewPtrMetadataRequest(), 3, 9)
	hugeArray := append([]byte(nil), metadata[:len(metadata)-5]...)
	hugeArray = append(hugeArray, 0xff, 0xff, 0xff, 0xff, 0x07, 1, 1)
	binary.BigEndian.PutUint32(hugeArray, uint32(len(hugeArray)-4))
	endlessTags := rawRequest(kmsg.NewPtrFindCoordinatorRequest(), 10, 3)
	endlessTags = append(endlessTags[:len(endlessTags)-1], 0xff, 0xff, 0xff, 0xff, 0x0f)
	binary.BigEndian.PutUint32(endlessTags, uint32(len(endlessTags)-4))
	for name, in := range map[string][]byte{
		"unknown key":        rawRequest(nil, 200, 0),
		"negative key":       rawRequest(nil, -1, 0),
		"old fetch":          rawRequest(kmsg.NewPtrFetchRequest(), 1, 3),
		"old produce":        rawRequest(kmsg.NewPtrProduceRequest(), 0, 2),
		"too new":            rawRequest(kmsg.NewPtrInitProducerIDRequest(), 22, 6),
		"negative version":   rawRequest(nil, 3, -1),
		"length of zero":     make([]byte, 16),
		"negative length":    {0x80, 0, 0, 1, 0, 0, 0, 0},
		"enormous length":    {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		"large non-produce":  {0, 0xa0, 0, 0, 0, 3, 0, 9},
		"body cut short":     rawRequest(nil, 3, 9),
		"array without data": hugeArray,
		"endless tags":       endlessTags,
		"bad client id":      {0, 0, 0, 12, 0, 3, 0, 9, 0, 0, 0, 7, 0, 99, 'a', 'b'},
		"garbage":            []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
	} {
		c := dial(t, b)
		if _, err := c.Write(in); err != nil {
			t.Fatal(err)
		}
		if got, err := answer(c); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: answer %x, %v", name, got, err)
		}
	}
	// And the broker goes on.
	c := dial(t, b)
	if _, err := c.Write(metadata); err != nil {
		t.Fatal(err)
	}
	if _, err := answer(c); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

func TestApiVersions_Negotiation(t *testing.T) {
	b := start(t, Config{})
	named := func() *kmsg.ApiVersionsRequest {
		r := kmsg.NewPtrApiVersionsRequest()
		r.ClientSoftwareName, r.ClientSoftwareVersion = "test", "1.0"
		return r
	}
	for name, c := range map[string]struct {
		request *kmsg.ApiVersionsRequest
		version int16
		decode  int16
		code    int16
		keys    int
	}{
		"v0":         {named(), 0, 0, 0, len(served(b))},
		"v4":         {named(), 4, 4, 0, len(served(b))},
		"too new":    {named(), 99, 0, 35, 1},
		"no name":    {kmsg.NewPtrApiVersionsRequest(), 3, 3, 42, 0},
		"last known": {named(), 5, 0, 35, 1},
	} {
		conn := dial(t, b)
		if _, err := conn.Write(rawRequest(c.request, 18, c.version)); err != nil {
			t.Fatal(err)
		}
		got, err := answer(conn)
		if err != nil {
			t.Fatal(err)
		}
		resp := kmsg.NewPtrApiVersionsResponse()
		resp.Version = c.decode
		if err := resp.ReadFrom(got[4:]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if resp.ErrorCode != c.code || len(resp.ApiKeys) != c.keys {
			t.Errorf("%s: code %d with %d keys, want %d with %d", name, resp.ErrorCode, len(resp.ApiKeys), c.code, c.keys)
		}
		for _, f := range resp.SupportedFeatures {
			if f.MinVersion == 0 && c.version < 4 {
				t.Errorf("%s: %s has a range that begins with 0, which older clients can't take", name, f.Name)
			}
		}
		if c.code == 0 && c.version >= 4 && len(resp.SupportedFeatures) < 4 {
			t.Errorf("%s: features %+v", name, resp.SupportedFeatures)
		}
	}
}

// served asks for the keys that are served.
func served(b *Broker) []int16 {
	var keys []int16
	for key := range int16(100) {
		r := kmsg.RequestForKey(key)
		if r == nil || key == 0 {
			continue
		}
		r.SetVersion(0)
		for v := range r.MaxVersion() + 1 {
			_, _, err := b.server.Handle(cancelled(), &wire.Request{Header: wire.Header{Key: key, Version: v}, Client: wire.Addr("test")})
			if err == nil || !isUnsupported(err) {
				keys = append(keys, key)
				break
			}
		}
	}
	return append(keys, 0)
}

func isUnsupported(err error) bool { return err.Error() == "API key or version is not served" }

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// FuzzHandle gives every API any bytes. Whatever they mean, there must be an
// error or an answer that can be encoded, and no panic.
func FuzzHandle(f *testing.F) {
	for key := range int16(100) {
		r := kmsg.RequestForKey(key)
		if r == nil {
			continue
		}
		for v := range r.MaxVersion() + 1 {
			r.SetVersion(v)
			body := r.AppendTo(nil)
			if r.IsFlexible() {
				body = append([]byte{0}, body...)
			}
			f.Add(key, v, body)
		}
	}
	b, err := Start(Config{MaintenanceInterval: -1, Limits: Limits{Partitions: 20}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { b.Close() })
	ctx, cancel := context.WithCancel(f.Context())
	cancel() // nothing waits
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		r := &wire.Request{Header: wire.Header{Key: key, Version: version}, Body: body, Client: wire.Addr("fuzz")}
		reply, _, err := b.server.Handle(ctx, r)
		if err != nil {
			return
		}
		resp, err := reply.Await(ctx)
		if err != nil || resp == nil {
			return
		}
		resp.AppendTo(nil)
		if s, ok := resp.(wire.Segments); ok {
			s.Release()
		}
	})
}
