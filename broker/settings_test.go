package broker

import (
	"bytes"
	"crypto/x509/pkix"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// TestSet_ServerProperties carries a server.properties over, with listeners,
// a key store in PEM, users and access control lists.
func TestSet_ServerProperties(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t)
	cert, key := ca.issue(t, pkix.Name{CommonName: "broker"})
	store := filepath.Join(dir, "store.pem")
	if err := os.WriteFile(store, slices.Concat(cert, key), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := ParseProperties(`
process.roles=broker,controller
node.id=7
controller.listener.names=CONTROLLER
listeners=IN://127.0.0.1:0,OUT://127.0.0.1:0,CONTROLLER://:9093
listener.security.protocol.map=IN:PLAINTEXT,OUT:SASL_SSL,CONTROLLER:PLAINTEXT
listener.name.out.sasl.enabled.mechanisms=PLAIN
listener.name.out.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
    username="admin" password="no" user_admin="pa\\"ss" user_alice="word";
ssl.keystore.type=PEM
ssl.keystore.location=` + store + `
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:root
log.dirs=` + filepath.Join(dir, "data") + `
num.partitions=3
log.retention.hours=2
`)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	b := start(t, Config{Set: set, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "controller.listener.names, node.id, process.roles") {
		t.Errorf("settings without effect aren't told: %s", log.String())
	}
	if b.Dir() != filepath.Join(dir, "data") || b.ListenerAddr("IN") == "" || b.ListenerAddr("OUT") == "" || b.ListenerAddr("CONTROLLER") != "" {
		t.Errorf("directory %q, listeners %q and %q", b.Dir(), b.ListenerAddr("IN"), b.ListenerAddr("OUT"))
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(b.ListenerAddr("OUT")), kgo.DialTLSConfig(ca.client(t, pkix.Name{})),
		kgo.SASL(plain.Auth{User: "admin", Pass: `pa"ss`}.AsMechanism()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	create := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "t", -1, -1
	create.Topics = append(create.Topics, topic)
	made, err := create.RequestWith(timeout(t), c)
	if err != nil || made.Topics[0].ErrorCode != 0 || made.Topics[0].NumPartitions != 3 {
		t.Fatalf("%+v, %v", made, err)
	}
	for name, want := range map[string]string{"num.partitions": "3", "log.retention.ms": "<nil>", "super.users": "User:admin;User:root", "leat.durability": "os"} {
		if got := brokerConfig(t, b, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := b.catalog.Image().Topic("t").Logs[0].Config().Retention; got != 2*time.Hour {
		t.Errorf("retention %v", got)
	}
}

// brokerConfig is what DescribeConfigs tells of a setting.
func brokerConfig(t *testing.T, b *Broker, name string) string {
	t.Helper()
	r := kmsg.NewPtrDescribeConfigsRequest()
	rr := kmsg.NewDescribeConfigsRequestResource()
	rr.ResourceType, rr.ResourceName, rr.ConfigNames = kmsg.ConfigResourceTypeBroker, "1", []string{name}
	r.Resources = append(r.Resources, rr)
	resp, err := insider(t, b).Request(timeout(t), r)
	if err != nil {
		t.Fatal(err)
	}
	configs := resp.(*kmsg.DescribeConfigsResponse).Resources[0].Configs
	if len(configs) != 1 {
		t.Fatalf("%s: %d configs", name, len(configs))
	}
	if configs[0].Value == nil {
		return "<nil>"
	}
	return *configs[0].Value
}

// insider is a client that comes in as the program itself, and may do anything.
func insider(t *testing.T, b *Broker) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(address(b.local.node)), kgo.Dialer(b.Dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestSet_Refused(t *testing.T) {
	for want, set := range map[string]map[string]string{
		"did you mean num.partitions":      {"num.partition": "1"},
		"in one":                           {"log.dirs": "/a,/b"},
		"no Java classes":                  {"authorizer.class.name": "com.example.Mine"},
		"doesn't say which protocol":       {"listeners": "MINE://:1"},
		"want NAME://HOST:PORT":            {"listeners": "127.0.0.1:1"},
		"want NAME:PROTOCOL":               {"listeners": "X://:1", "listener.security.protocol.map": "X:TCP"},
		"only PEM":                         {"listeners": "SSL://127.0.0.1:0", "ssl.keystore.location": "x", "ssl.keystore.type": "JKS"},
		"neither os, fsync":                {"leat.durability": "perhaps"},
		"must be greater than or equal to": {"group.consumer.session.timeout.ms": "30000"},
		"must be less than or equal to":    {"group.share.max.record.lock.duration.ms": "30000", "group.share.record.lock.duration.ms": "31000"},
		"reaches other machines":           {"listeners": "PLAINTEXT://:0"},
		"SASL mechanism \"GSSAPI\" is not": {"listeners": "SASL_PLAINTEXT://127.0.0.1:0", "sasl.enabled.mechanisms": "GSSAPI"},
	} {
		b, err := Start(Config{Set: set})
		if err == nil {
			b.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", set, err, want)
		}
	}
}

// TestSet_FieldsHold: where a field and a setting mean the same, the field holds
// and is what clients are told.
func TestSet_FieldsHold(t *testing.T) {
	b := start(t, Config{
		DefaultPartitions: 5, OffsetsRetention: 90 * time.Minute, Limits: Limits{Connections: 77},
		Set: map[string]string{"num.partitions": "3", "offsets.retention.minutes": "1", "max.connections": "1", "group.max.size": "12"},
	})
	for name, want := range map[string]string{"num.partitions": "5", "offsets.retention.minutes": "90", "max.connections": "77", "group.max.size": "12"} {
		if got := brokerConfig(t, b, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if b.cfg.Limits.GroupMembers != 12 {
		t.Errorf("group.max.size isn't applied: %d", b.cfg.Limits.GroupMembers)
	}
}

// TestDynamic changes settings while the broker runs, and finds them again
// after a restart.
func TestDynamic(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Config{Dir: dir})
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	alter := func(name string, value *string) int16 {
		r := kmsg.NewPtrIncrementalAlterConfigsRequest()
		rr := kmsg.NewIncrementalAlterConfigsRequestResource()
		rr.ResourceType, rr.ResourceName = kmsg.ConfigResourceTypeBroker, "1"
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value = name, value
		if value == nil {
			c.Op = kmsg.IncrementalAlterConfigOpDelete
		}
		rr.Configs = append(rr.Configs, c)
		r.Resources = append(r.Resources, rr)
		resp, err := r.RequestWith(timeout(t), insider(t, b))
		if err != nil {
			t.Fatal(err)
		}
		return resp.Resources[0].ErrorCode
	}
	retention := func() time.Duration { return b.catalog.Image().Topic("t").Logs[0].Config().Retention }
	if code := alter("log.retention.ms", kmsg.StringPtr("60000")); code != 0 || retention() != time.Minute {
		t.Errorf("code %d, retention %v", code, retention())
	}
	if code := alter("num.partitions", kmsg.StringPtr("2")); code != 42 {
		t.Errorf("a setting of the start was changed: code %d", code)
	}
	if code := alter("max.connections", kmsg.StringPtr("0")); code != 0 {
		t.Errorf("code %d", code)
	}
	if _, err := b.Dial(t.Context(), "tcp", b.Addr()); err == nil {
		t.Error("a connection beyond the new limit")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start(t, Config{Dir: dir, Set: map[string]string{"log.retention.ms": "5"}})
	if retention() != time.Minute {
		t.Errorf("retention after a restart: %v", retention())
	}
}

func TestSplitRules(t *testing.T) {
	got := splitRules(`RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/ , RULE:^CN=(.*?), OU=x.*$/$1/L,DEFAULT`)
	want := []string{`RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/`, `RULE:^CN=(.*?), OU=x.*$/$1/L`, "DEFAULT"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// FuzzSet: whatever settings say, there is an error or a configuration that can
// be checked.
func FuzzSet(f *testing.F) {
	f.Add("listeners=A://:1,B://h:2\nlistener.security.protocol.map=A:SSL,B:SASL_SSL\nssl.principal.mapping.rules=RULE:^a$/b/,DEFAULT\nssl.keystore.location=x")
	f.Add("listener.name.a.plain.sasl.jaas.config=x user_a=\"b\\\\\" user_=\"\";\nlisteners=A://:1\nlistener.security.protocol.map=A:SASL_PLAINTEXT")
	f.Add("advertised.listeners=://\nlisteners=,,\nlog.dirs=a,b\nleat.durability=1h\nconnections.max.idle.ms=-1")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := ParseProperties(text)
		if err != nil {
			return
		}
		c := Config{Set: set}
		if _, err := c.settle(); err != nil {
			return
		}
		if c.Limits.Connections < 0 || c.Limits.QueuedBytes <= 0 || c.Limits.IdleTimeout < 0 {
			t.Errorf("limits %+v", c.Limits)
		}
		_ = c.validate()
	})
}
