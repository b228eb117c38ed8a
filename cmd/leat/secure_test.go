package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// write writes a file for a test and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// selfSigned is a certificate for this machine that trusts itself, and its key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert = write(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return cert, write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// serve runs a broker until the test ends and returns its address.
func serve(t *testing.T, args ...string) string {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := run(ctx, w, append([]string{"broker"}, args...)...)
		w.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		interrupt()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	log := bufio.NewScanner(r)
	for log.Scan() {
		if m := regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(log.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return m[1]
		}
	}
	t.Fatalf("the broker ended: %v", log.Err())
	return ""
}

// TestPing reaches a secured broker in all ways there are flags for.
func TestPing(t *testing.T) {
	cert, key := selfSigned(t)
	addr := serve(t, "--listener", "SASL_SSL://127.0.0.1:0", "--tls-cert", cert, "--tls-key", key,
		"--sasl-mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER", "--token-allow-unsecured",
		"--users-file", write(t, "users", "# users\nalice:se:cret\n"), "--super-users", "User:alice")
	good, bad := write(t, "good", "se:cret\n"), write(t, "bad", "guess")
	// {"alg":"none"} and {"sub":"app","exp":9999999999}
	token := write(t, "token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhcHAiLCJleHAiOjk5OTk5OTk5OTl9.\n")
	props := func(extra string) string {
		return write(t, "client.properties", "bootstrap.servers="+addr+"\nsecurity.protocol=SASL_SSL\nssl.truststore.type=PEM\nacks=all\nssl.truststore.location="+cert+"\n"+extra)
	}
	login := func(mechanism, secret string) []string {
		return []string{"--bootstrap-server", addr, "--tls-ca", cert, "--sasl-mechanism", mechanism, "--sasl-user", "alice", "--sasl-password-file", secret}
	}
	for name, c := range map[string]struct {
		args []string
		want string // "" is success
	}{
		"PLAIN":          {login("PLAIN", good), ""},
		"SCRAM-SHA-256":  {login("SCRAM-SHA-256", good), ""},
		"SCRAM-SHA-512":  {login("SCRAM-SHA-512", good), ""},
		"a token":        {[]string{"--bootstrap-server", addr, "--tls-ca", cert, "--sasl-mechanism", "OAUTHBEARER", "--oauth-token-file", token}, ""},
		"wrong password": {login("SCRAM-SHA-512", bad), "SASL_AUTHENTICATION_FAILED"},
		"no trust":       {[]string{"--bootstrap-server", addr, "--tls", "--timeout", "3s"}, "certificate"},
		"no TLS":         {[]string{"--bootstrap-server", addr, "--timeout", "1s"}, "reach"},
		"properties": {[]string{"--command-config", props("sasl.mechanism=SCRAM-SHA-512\n" +
			"sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n  username=\"alice\" password=\"se:cret\";\n")}, ""},
		"flags before properties": {[]string{"--command-config", props("sasl.mechanism=SCRAM-SHA-512\nsasl.jaas.config=x required username=\"bob\" password=\"x\";"),
			"--sasl-user", "alice", "--sasl-password-file", good}, ""},
		"no mechanism":   {[]string{"--command-config", props("")}, "sasl.mechanism isn't set"},
		"a Java store":   {[]string{"--command-config", props("sasl.mechanism=PLAIN\nssl.keystore.location=x.jks\n"), "--sasl-user", "alice", "--sasl-password-file", good}, "ssl.keystore.location"},
		"no user":        {[]string{"--sasl-mechanism", "PLAIN"}, "needs a user"},
		"no tokens":      {[]string{"--sasl-mechanism", "OAUTHBEARER"}, "source of tokens"},
		"bad mechanism":  {[]string{"--sasl-mechanism", "GUESS", "--sasl-user", "u", "--sasl-password-file", good}, "not one of PLAIN"},
		"bad properties": {[]string{"--command-config", write(t, "p", "nothing")}, "want key=value"},
	} {
		out, err := run(t.Context(), io.Discard, append([]string{"ping"}, c.args...)...)
		switch {
		case c.want == "" && (err != nil || !strings.Contains(out, "broker 1 at "+addr)):
			t.Errorf("%s: %q, %v", name, out, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestBroker_SecurityMistakes(t *testing.T) {
	cert, key := selfSigned(t)
	for want, args := range map[string]string{
		"want PROTOCOL://":            "--listener 127.0.0.1:0",
		"is not one of PLAINTEXT":     "--listener TLS://127.0.0.1:0",
		"a certificate and a key":     "--listener SSL://127.0.0.1:0",
		"without encryption":          "--listener SASL_PLAINTEXT://0.0.0.0:0",
		"without authentication":      "--listener SSL://0.0.0.0:0 --tls-cert " + cert + " --tls-key " + key,
		"is not one of none":          "--listener SSL://127.0.0.1:0 --tls-client-auth maybe",
		"needs Tokens":                "--listener SASL_PLAINTEXT://127.0.0.1:0 --sasl-mechanisms OAUTHBEARER",
		"want NAME:PASSWORD":          "--users-file " + write(t, "users", "alice"),
		"write them as User:name":     "--super-users alice",
		"two listeners are called":    "--listener PLAINTEXT://127.0.0.1:0 --listener PLAINTEXT://127.0.0.1:0",
		"--advertise is for --listen": "--listener PLAINTEXT://127.0.0.1:0 --advertise x:1",
	} {
		_, err := run(t.Context(), io.Discard, append([]string{"broker"}, strings.Fields(args)...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

func FuzzProperties(f *testing.F) {
	f.Add("a=b\n# c\n! d\nsasl.jaas.config=x required username=\"u\\\"v\" \\\n password='p';\n")
	f.Add("=\n:\n\\")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseProperties(text)
		if err != nil {
			return
		}
		for k, v := range p {
			if k == "" {
				t.Error("a setting without a name")
			}
			parseJAAS(v.value)
		}
	})
}
