package broker

import (
	"crypto/x509/pkix"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// besieged starts a broker in a bubble, without sockets.
func besieged(t *testing.T, change func(*Config)) *Broker {
	t.Helper()
	cfg := secured(ScramSHA256, Plain)
	cfg.MaintenanceInterval, cfg.ListenFunc = -1, silent
	if change != nil {
		change(&cfg)
	}
	b, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// enter connects without a deadline.
func enter(t *testing.T, b *Broker) net.Conn {
	t.Helper()
	c, err := b.Dial(t.Context(), "", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSiege_WhoDoesntLogIn has clients that connect and then do nothing, or
// little by little.
func TestSiege_WhoDoesntLogIn(t *testing.T) {
	hands := kmsg.NewPtrSASLHandshakeRequest()
	hands.Mechanism = "PLAIN"
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.ClientSoftwareName, versions.ClientSoftwareVersion = "x", "1"
	for name, trickle := range map[string]func(c net.Conn) error{
		"silent":        func(net.Conn) error { return nil },
		"half a frame":  func(c net.Conn) error { _, err := c.Write([]byte{0, 0, 0, 50, 0}); return err },
		"a handshake":   func(c net.Conn) error { _, err := exchange(t, c, hands, 1); return err },
		"only versions": func(c net.Conn) error { _, err := exchange(t, c, versions, 3); return err },
	} {
		synctest.Test(t, func(t *testing.T) {
			b := besieged(t, nil)
			defer b.Close()
			began := time.Now()
			c := enter(t, b)
			defer c.Close()
			if err := trickle(c); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(c); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s: %v", name, err)
			}
			if d := time.Since(began); d > b.cfg.Limits.LoginTimeout+time.Second {
				t.Errorf("%s: closed after %v", name, d)
			}
		})
	}
}

// TestSiege_KeepsAsking has a client that asks for versions for ever.
func TestSiege_KeepsAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := besieged(t, nil)
		defer b.Close()
		c := enter(t, b)
		defer c.Close()
		began := time.Now()
		for {
			r := kmsg.NewPtrApiVersionsRequest()
			r.ClientSoftwareName, r.ClientSoftwareVersion = "x", "1"
			if _, err := exchange(t, c, r, 3); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if d := time.Since(began); d > b.cfg.Limits.LoginTimeout+time.Second {
			t.Errorf("closed after %v", d)
		}
	})
}

// TestSiege_LargeBeforeLogin has a stranger that sends much.
func TestSiege_LargeBeforeLogin(t *testing.T) {
	b := start(t, secured(Plain))
	c := dial(t, b)
	if _, err := c.Write([]byte{0, 16, 0, 0, 0, 18, 0, 3, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if _, err := answer(c); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestSiege_GuessesSlowly has a client that tries passwords.
func TestSiege_GuessesSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := besieged(t, nil)
		defer b.Close()
		began := time.Now()
		for range 20 {
			c := enter(t, b)
			shake(t, c, "PLAIN", 1)
			r := kmsg.NewPtrSASLAuthenticateRequest()
			r.SASLAuthBytes = []byte("\x00alice\x00guess")
			resp, err := exchange(t, c, r, 2)
			if err != nil || resp.(*kmsg.SASLAuthenticateResponse).ErrorCode == 0 {
				t.Fatal(resp, err)
			}
			c.Close()
		}
		if d := time.Since(began); d < 2*time.Second {
			t.Errorf("20 guesses in %v", d)
		}
	})
}

// TestSiege_TLSHandshake has clients that don't begin TLS, or not well.
func TestSiege_TLSHandshake(t *testing.T) {
	a := newAuthority(t)
	b := start(t, Config{
		Listeners: []Listener{{Address: "127.0.0.1:0", TLS: a.files(t, t.TempDir())}},
		Limits:    Limits{LoginTimeout: 200 * time.Millisecond},
	})
	for name, in := range map[string][]byte{
		"silent":     nil,
		"plain text": rawRequest(kmsg.NewPtrMetadataRequest(), 3, 9),
		"half hello": {22, 3, 1, 2, 0, 1, 0},
	} {
		c, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(in); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection isn't closed", name)
		}
	}
	if err := ping(t, b.Addr(), kgo.DialTLSConfig(a.client(t, pkix.Name{}))); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

// TestSiege_ConnectionsOfOneHost has one host take all the places it gets.
func TestSiege_ConnectionsOfOneHost(t *testing.T) {
	b := start(t, Config{Listen: "127.0.0.1:0", Limits: Limits{ConnectionsPerIP: 3}})
	for range 3 {
		c, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	eventually(t, "a fourth is closed", func() bool {
		c, err := net.Dial("tcp", b.Addr())
		if err != nil {
			return false
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			return false
		}
		_, err = c.Read(make([]byte, 1))
		return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
	})
	elsewhere := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	if err := ping(t, b.Addr(), kgo.Dialer(elsewhere.DialContext)); err != nil {
		t.Skipf("another host can't be played here: %v", err)
	}
}

// TestSiege_Memory has clients that begin large requests and don't end them,
// until the memory for them is used up: small requests of others get through,
// and large ones when the hostile have been thrown out.
func TestSiege_Memory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := besieged(t, func(c *Config) { c.Limits.QueuedBytes = 8 << 20; c.Listeners[0].SASL = nil })
		defer b.Close()
		if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			c := enter(t, b)
			defer c.Close()
			head := binary.BigEndian.AppendUint32(nil, 4<<20)
			head = append(head, 0, 0, 0, 9, 0, 0, 0, 1, 0xff, 0xff)
			if _, err := c.Write(append(head, make([]byte, 300<<10)...)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		began := time.Now()
		c, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial), kgo.ProducerBatchCompression(kgo.NoCompression()))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("small")}).FirstErr(); err != nil || time.Since(began) > time.Second {
			t.Errorf("a small record: %v after %v", err, time.Since(began))
		}
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: make([]byte, 900<<10)}).FirstErr(); err != nil || time.Since(began) > 2*frameTimeout {
			t.Errorf("a large record: %v after %v", err, time.Since(began))
		}
	})
}

// TestSiege_DoesntRead has a client that asks for much and takes nothing.
func TestSiege_DoesntRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := besieged(t, func(c *Config) { c.Listeners[0].SASL = nil })
		defer b.Close()
		if err := b.CreateTopic(t.Context(), "t", 1000); err != nil {
			t.Fatal(err)
		}
		c := enter(t, b)
		defer c.Close()
		began := time.Now()
		ask := rawRequest(kmsg.NewPtrMetadataRequest(), 3, 9)
		for time.Since(began) < 5*time.Minute {
			if err := c.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
				break
			}
			if _, err := c.Write(ask); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
		}
		if d := time.Since(began); d < writeTimeout || d > 2*time.Minute {
			t.Errorf("closed after %v", d)
		}
	})
}
