package broker

import (
	"encoding/binary"
	"errors"
	"math"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/api"
	"github.com/leatstream/leat/broker/internal/batch"
)

// TestConnections_AnyRequests has clients that send requests which mean
// anything, and which are damaged at times, over connections as all clients have
// them. Each is answered in a form that its version has, or the connection is
// closed; and somebody who only wants to work can, during and after all that.
func TestConnections_AnyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := Start(Config{MaintenanceInterval: -1, Limits: Limits{Partitions: 200, IdleTimeout: 24 * time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		for _, topic := range []string{"t", "quiet"} {
			if err := b.CreateTopic(t.Context(), topic, 2); err != nil {
				t.Fatal(err)
			}
		}
		answers, closed, kinds := 0, 0, map[int16]bool{}
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) { // a bubble has no deadline to tell
			h := &hostile{T: rt, c: enter(t, b)}
			defer h.c.Close()
			for range rapid.IntRange(1, 4).Draw(rt, "requests") {
				key, answered := h.request()
				kinds[key] = true
				if !answered {
					closed++
					return
				}
				answers++
			}
		})
		if answers < 20 || closed == 0 || len(kinds) < 30 {
			t.Errorf("%d answers, %d closed connections, %d kinds of requests: that is no test", answers, closed, len(kinds))
		}
		w := bubbled{t, b}
		c := w.client(kgo.ConsumerGroup("calm"), kgo.ConsumeTopics("quiet"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		defer c.Close()
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "quiet", Value: []byte("calm")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if got := c.PollFetches(t.Context()); got.Err() != nil || got.NumRecords() != 1 {
			t.Errorf("read %d records, %v", got.NumRecords(), got.Err())
		}
		if err := c.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// hostile is a client on a connection of its own.
type hostile struct {
	*rapid.T
	c net.Conn
}

// request sends one request, perhaps damaged, and one that is sound, and reads
// what comes. It returns false if the connection was closed.
func (h *hostile) request() (key int16, answered bool) {
	s := rapid.SampledFrom(api.List()).Draw(h.T, "api")
	version := rapid.Int16Range(s.Min, s.Max).Draw(h.T, "version")
	r := kmsg.RequestForKey(s.Key)
	r.SetVersion(version)
	h.fill(reflect.ValueOf(r).Elem(), "")
	frame := rawRequest(r, s.Key, version)
	const id = 7 // as rawRequest has it
	sound := rapid.IntRange(0, 2).Draw(h.T, "damage") == 0
	if !sound {
		frame = h.damage(frame)
	}
	marker := rawRequest(kmsg.NewPtrMetadataRequest(), 3, 9)
	binary.BigEndian.PutUint32(marker[8:], id+1)
	if err := h.c.SetDeadline(time.Now().Add(time.Hour)); err != nil {
		h.Fatal(err)
	}
	if _, err := h.c.Write(append(frame, marker...)); err != nil {
		return s.Key, false
	}
	for {
		got, err := answer(h.c)
		if errors.Is(err, os.ErrDeadlineExceeded) && !sound && slices.Contains([]int16{1, 11, 14, 78}, s.Key) {
			return s.Key, false // by now the client wants to wait for longer
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			h.Fatalf("%s v%d: neither an answer nor an end: %x", kmsg.NameForKey(s.Key), version, frame)
		}
		if err != nil {
			if sound && s.Key != 0 && s.Key != 17 && s.Key != 36 { // acks=0 is answered so
				h.Fatalf("%s v%d: %v: %+v", kmsg.NameForKey(s.Key), version, err, r)
			}
			return s.Key, false
		}
		if len(got) < 4 {
			h.Fatalf("an answer of %d bytes", len(got))
		}
		switch binary.BigEndian.Uint32(got) {
		case id + 1:
			return s.Key, true
		case id:
			if sound {
				h.read(s.Key, version, r.IsFlexible(), got[4:])
			}
		}
	}
}

// read reads an answer as a client does.
func (h *hostile) read(key, version int16, flexible bool, b []byte) {
	if flexible && key != 18 {
		if b[0] != 0 {
			h.Fatalf("%s v%d: there are tags in the header: %x", kmsg.NameForKey(key), version, b)
		}
		b = b[1:]
	}
	resp := kmsg.ResponseForKey(key)
	resp.SetVersion(version)
	if err := resp.ReadFrom(b); err != nil {
		h.Fatalf("%s v%d: the answer can't be read: %v: %x", kmsg.NameForKey(key), version, err, b)
	}
}

// damage changes some bytes of a frame; its length is right afterwards, mostly.
func (h *hostile) damage(frame []byte) []byte {
	for range rapid.IntRange(1, 3).Draw(h.T, "changes") {
		at := rapid.IntRange(8, len(frame)).Draw(h.T, "at")
		switch rapid.IntRange(0, 3).Draw(h.T, "kind") {
		case 0:
			frame = frame[:at]
		case 1:
			frame = append(frame[:at:at], append(rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(h.T, "more"), frame[at:]...)...)
		case 2:
			if at < len(frame) {
				frame[at] ^= rapid.Byte().Draw(h.T, "byte")
			}
		case 3:
			for i := at; i < min(at+rapid.IntRange(1, 8).Draw(h.T, "bytes"), len(frame)); i++ {
				frame[i] = rapid.SampledFrom([]byte{0, 0xff, 0x7f, 0x80}).Draw(h.T, "value")
			}
		}
	}
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

// fill sets a field to something that the broker may know, or not.
func (h *hostile) fill(v reflect.Value, name string) {
	if _, ok := v.Addr().Interface().(*kmsg.Tags); ok {
		return
	}
	if b, ok := v.Addr().Interface().(*[]byte); ok {
		*b = h.bytes(name)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i).Name; f != "Version" {
				h.fill(v.Field(i), f)
			}
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(h.T, "null") {
			v.SetZero()
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		h.fill(v.Elem(), name)
	case reflect.Slice:
		n := rapid.IntRange(0, 2).Draw(h.T, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			h.fill(v.Index(i), name)
		}
	case reflect.Array:
		for i := range v.Len() {
			h.fill(v.Index(i), name)
		}
	case reflect.String:
		v.SetString(rapid.SampledFrom([]string{"t", "t", "g", "m", "", "new", "range", "consumer", "retention.ms", "1000", "cleanup.policy", "compact", "User:a", "user", "__consumer_offsets", "no such thing"}).Draw(h.T, name))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(h.T, name))
	case reflect.Float64:
		v.SetFloat(rapid.SampledFrom([]float64{0, -1, 1e6, math.NaN(), math.Inf(1)}).Draw(h.T, name))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		most := int64(1)<<(v.Type().Bits()-1) - 1
		if strings.Contains(name, "Millis") || strings.Contains(name, "Timeout") {
			most = 60_000 // a month that a client wants to wait is nothing to the bubble, but to rapid
		}
		n := rapid.SampledFrom([]int64{0, 0, 1, 1, -1, 2, 3, 5, 100, 3000, most, -most - 1}).Draw(h.T, name)
		v.SetInt(min(n, most))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64Range(0, 1<<v.Type().Bits()-1).Draw(h.T, name))
	}
}

// bytes is what opaque fields hold: batches where they belong.
func (h *hostile) bytes(name string) []byte {
	if name != "Records" {
		return rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(h.T, name)
	}
	head := batch.New()
	if rapid.Bool().Draw(h.T, "idempotent") {
		head.ProducerID, head.ProducerEpoch, head.BaseSequence = rapid.Int64Range(0, 3000).Draw(h.T, "producer"), 0, rapid.Int32Range(0, 2).Draw(h.T, "sequence")
	}
	b, err := batch.Append(nil, head, []batch.Record{{Timestamp: time.Now().UnixMilli(), Value: []byte("v")}})
	if err != nil {
		h.Fatal(err)
	}
	return b
}

// TestConnections_Strangers has clients that don't know a password try to get in
// by any messages, in any order. None is told more than the versions that are
// served, whatever it says.
func TestConnections_Strangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := besieged(t, nil)
		defer b.Close()
		steps := 0
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			c := enter(t, b)
			defer c.Close()
			for range rapid.IntRange(1, 5).Draw(rt, "messages") {
				if _, err := c.Write(stranger(rt)); err != nil {
					return
				}
				steps++
			}
			ask := rawRequest(kmsg.NewPtrMetadataRequest(), 3, 9)
			binary.BigEndian.PutUint32(ask[8:], 8)
			if _, err := c.Write(ask); err != nil {
				return
			}
			if err := c.SetDeadline(time.Now().Add(time.Hour)); err != nil {
				rt.Fatal(err)
			}
			for {
				got, err := answer(c)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					rt.Fatal("the connection stays open")
				}
				if err != nil {
					return
				}
				if len(got) >= 4 && binary.BigEndian.Uint32(got) == 8 {
					rt.Fatalf("a stranger is told %x", got)
				}
			}
		})
		if steps < 100 {
			t.Errorf("%d messages are no test", steps)
		}
	})
}

// stranger makes a message of who wants to log in.
func stranger(rt *rapid.T) []byte {
	token := []byte(rapid.SampledFrom([]string{
		"", "\x00alice\x00guess", "alice\x00alice\x00", "n,,n=alice,r=nonce", "y,,n=alice,r=", "c=biws,r=nonce,p=AAAA", "n,,\x01auth=Bearer x.y.z\x01\x01",
	}).Draw(rt, "token"))
	if rapid.Bool().Draw(rt, "damaged") {
		at := rapid.IntRange(0, len(token)).Draw(rt, "at")
		token = append(token[:at:at], rapid.SliceOfN(rapid.Byte(), 0, 6).Draw(rt, "damage")...)
	}
	switch rapid.IntRange(0, 3).Draw(rt, "message") {
	case 0:
		r := kmsg.NewPtrSASLHandshakeRequest()
		r.Mechanism = rapid.SampledFrom([]string{"PLAIN", "SCRAM-SHA-256", "OAUTHBEARER", "GSSAPI", ""}).Draw(rt, "mechanism")
		return rawRequest(r, 17, rapid.Int16Range(0, 1).Draw(rt, "version"))
	case 1:
		r := kmsg.NewPtrSASLAuthenticateRequest()
		r.SASLAuthBytes = token
		return rawRequest(r, 36, rapid.Int16Range(0, 2).Draw(rt, "version"))
	case 2: // as after the oldest version of SaslHandshake
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...)
	default:
		r := kmsg.NewPtrApiVersionsRequest()
		r.ClientSoftwareName, r.ClientSoftwareVersion = "stranger", "1"
		return rawRequest(r, 18, rapid.Int16Range(0, 4).Draw(rt, "version"))
	}
}
