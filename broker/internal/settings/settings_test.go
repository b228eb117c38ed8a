package settings

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

func TestTables(t *testing.T) {
	for name, table := range map[string][]Def{"brokers": Brokers, "topics": Topics, "groups": Groups} {
		if !slices.IsSortedFunc(table, func(a, b Def) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("%s are not in order", name)
		}
		for i, d := range table {
			if i > 0 && table[i-1].Name == d.Name {
				t.Errorf("%s: %s is there twice", name, d.Name)
			}
			if d.Null && d.Default != "" {
				t.Errorf("%s: %s has a default and none", name, d.Name)
			}
			if d.Effect == Unserved && d.Note == "" {
				t.Errorf("%s: %s doesn't say why it isn't served", name, d.Name)
			}
			if d.Effect == Applied && d.Note == "" && name == "brokers" {
				t.Errorf("%s: %s doesn't say what it does", name, d.Name)
			}
			for _, s := range d.Broker {
				if _, ok := Find(Brokers, s.Name); !ok {
					t.Errorf("%s: %s comes from %s, which isn't there", name, d.Name, s.Name)
				}
			}
			if d.Null || len(d.Broker) > 0 && d.Default == "" {
				continue
			}
			if why := d.Check(d.Default); why != "" {
				t.Errorf("%s: default %q of %s: %s", name, d.Default, d.Name, why)
			}
		}
	}
}

// TestView_Defaults: what topics get where nothing is set is what Kafka gives
// them.
func TestView_Defaults(t *testing.T) {
	v := NewView(Layers{})
	for _, d := range Topics {
		if got := v.Default(d); got != d.Default {
			t.Errorf("%s: %q, want %q", d.Name, got, d.Default)
		}
	}
	if why := v.CheckGroup(nil); why != "" {
		t.Error(why)
	}
}

func TestView_Layers(t *testing.T) {
	const name = "log.retention.ms"
	retention, _ := Find(Topics, "retention.ms")
	set := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	for _, c := range []struct {
		layers Layers
		want   string
	}{
		{Layers{}, "604800000"},
		{Layers{Static: set("log.retention.hours", "1")}, "3600000"},
		{Layers{Static: set("log.retention.hours", "1", "log.retention.minutes", "2")}, "120000"},
		{Layers{Static: set("log.retention.hours", "1", name, "3")}, "3"},
		{Layers{Static: set(name, "3"), Cluster: set(name, "4")}, "4"},
		{Layers{Static: set(name, "3"), Cluster: set(name, "4"), Broker: set(name, "5")}, "5"},
		{Layers{Static: set("log.retention.hours", "-1")}, "-1"},
		{Layers{Static: set("log.retention.hours", "2147483647")}, "7730941129200000"},
	} {
		if got := NewView(c.layers).Default(retention); got != c.want {
			t.Errorf("%+v: %s, want %s", c.layers, got, c.want)
		}
	}
	v := NewView(Layers{Static: set("log.cleaner.backoff.ms", "1500", "offsets.retention.minutes", "2147483647", "sasl.enabled.mechanisms", "PLAIN, X")})
	if v.Millis("log.cleaner.backoff.ms") != 1500*time.Millisecond || v.Minutes("offsets.retention.minutes") < 1000*time.Hour ||
		!slices.Equal(v.List("sasl.enabled.mechanisms"), []string{"PLAIN", "X"}) || !v.Bool("auto.create.topics.enable") || v.IsSet("num.partitions") {
		t.Error("a view shows values that weren't set")
	}
}

func TestView_Group(t *testing.T) {
	v := NewView(Layers{Static: map[string]string{"group.consumer.session.timeout.ms": "50000", "group.streams.num.standby.replicas": "1"}})
	g := v.Group(map[string]string{"share.isolation.level": "read_committed", "streams.num.standby.replicas": "9"})
	if g.Consumer.SessionTimeout != 50*time.Second || !g.ShareReadCommitted || g.StreamsStandbys != 2 || v.Group(nil).StreamsStandbys != 1 {
		t.Errorf("%+v", g)
	}
	for config, want := range map[[2]string]string{
		{"consumer.session.timeout.ms", "45000"}:           "",
		{"consumer.session.timeout.ms", "1"}:               "must be greater than or equal to group.consumer.min.session.timeout.ms",
		{"consumer.session.timeout.ms", "70000"}:           "must be less than or equal to group.consumer.max.session.timeout.ms",
		{"share.auto.offset.reset", "by_duration:PT1H30M"}: "",
		{"share.auto.offset.reset", "by_duration:1h"}:      "Invalid value",
		{"streams.num.standby.replicas", "3"}:              "must be less than or equal to group.streams.max.standby.replicas",
		{"streams.heartbeat.interval.ms", "x"}:             "Not a number of type INT",
	} {
		if got := v.CheckGroup(map[string]string{config[0]: config[1]}); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q", config, got, want)
		}
	}
}

func TestParseOffsetReset(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"by_duration:PT1H": time.Hour, "by_duration:P1DT2M3.5S": 24*time.Hour + 2*time.Minute + 3500*time.Millisecond, "by_duration:P2D": 48 * time.Hour,
	} {
		if got, ok := ParseOffsetReset(text); !ok || !got.By || got.Ago != want {
			t.Errorf("%s: %+v, %v", text, got, ok)
		}
	}
	for _, bad := range []string{"", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:P1DT", "none", "by_duration:-PT1H", "by_duration:P999999999999999999999D"} {
		if got, ok := ParseOffsetReset(bad); ok {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestCheck(t *testing.T) {
	g, err := Check(map[string]string{
		"process.roles": "broker", "zookeeper.connect": "x", "log.retention.hours": "1", "ssl.enabled.protocols": "TLSv1.3, TLSv1.2",
		"config.providers": "", "log.retention.ms": "", "listener.name.x.ssl.client.auth": "required", "listener.name.x.scram-sha-256.sasl.jaas.config": "y",
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"listener.name.x.scram-sha-256.sasl.jaas.config", "process.roles", "zookeeper.connect"}; !slices.Equal(g.Idle, want) {
		t.Errorf("without effect: %q, want %q", g.Idle, want)
	}
	if _, ok := g.Values["log.retention.ms"]; ok || g.Values["log.retention.hours"] != "1" || len(g.Listener) != 1 {
		t.Errorf("%+v", g)
	}
	for setting, want := range map[[2]string]string{
		{"log.retention.hour", "1"}:                          "did you mean log.retention.hours?",
		{"quite.another.thing", "1"}:                         "is unknown",
		{"num.partitions", "0"}:                              "must be at least 1",
		{"remote.log.storage.system.enable", "true"}:         "isn't served",
		{"ssl.enabled.protocols", "TLSv1.3"}:                 "isn't served",
		{"sasl.enabled.mechanisms.x", "1"}:                   "unknown",
		{"listener.name.x", "1"}:                             "unknown",
		{"listener.name.x.max.connections", "1"}:             "for a listener of its own",
		{"listener.name.x.oauthbearer.sasl.server.y", "1"}:   "unknown",
		{"transaction.two.phase.commit.enable", "maybe"}:     "true or false",
		{"create.topic.policy.class.name", "com.example.No"}: "no Java classes",
	} {
		if _, err := Check(map[string]string{setting[0]: setting[1]}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", setting, err, want)
		}
	}
	if _, err := Check(map[string]string{"ssl.key.password": "sesame"}); err == nil || strings.Contains(err.Error(), "sesame") {
		t.Errorf("a password is told: %v", err)
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"log.segement.bytes": "log.segment.bytes", "num.partition": "num.partitions", "xyz": "", "": "",
	} {
		if got := Nearest(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestParseProperties(t *testing.T) {
	text := "# comment\n! another\n\n a = b \nc:d\ne f g\nlong=1,\\\n   2,\\\n   3\r\nempty=\nalone\nesc\\=aped=x\\ty\\u00e4\\uD83D\\uDE00\\\\\nlast=1\nlast=2\nspace\\ d=\\ x"
	got, err := ParseProperties(text)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"a": "b", "c": "d", "e": "f g", "long": "1,2,3", "empty": "", "alone": "", "esc=aped": "x\tyä😀\\", "last": "2", "space d": "x",
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%q: %q, want %q", k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d settings, want %d: %q", len(got), len(want), got)
	}
	for _, bad := range []string{"=x", "a=\\u12", "a=\\u12zz", "\\u=1"} {
		if got, err := ParseProperties(bad); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

// TestParseProperties_Law: what is written with escapes is read back.
func TestParseProperties_Law(t *testing.T) {
	escape := strings.NewReplacer(`\`, `\\`, "=", `\=`, ":", `\:`, " ", `\ `, "#", `\#`, "!", `\!`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\f", `\f`)
	rapid.Check(t, func(r *rapid.T) {
		want := rapid.MapOf(rapid.StringMatching(`[^\s]{1,10}`), rapid.StringMatching(`([^\s]([^\n]{0,10}[^\s])?)?`)).Draw(r, "settings")
		var b strings.Builder
		for k, v := range want {
			if strings.TrimSpace(v) != v || !utf8.ValidString(k+v) {
				delete(want, k)
				continue
			}
			b.WriteString(escape.Replace(k) + " = " + escape.Replace(v) + "\n")
		}
		got, err := ParseProperties(b.String())
		if err != nil {
			r.Fatal(err)
		}
		for k, v := range want {
			if got[k] != v {
				r.Fatalf("%q: %q, want %q, of %q", k, got[k], v, b.String())
			}
		}
	})
}

func FuzzParseProperties(f *testing.F) {
	for _, s := range []string{"", "a=b", "a\\\n=b", "\\", "a=\\u", "a = \\uD83D\\uDE00", "!\n#\n\r", "\\\\\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := ParseProperties(text)
		if err != nil {
			return
		}
		if _, ok := set[""]; ok {
			t.Error("a setting without a name")
		}
		_, _ = Check(set)
	})
}

func FuzzCheckGroup(f *testing.F) {
	f.Add("consumer.session.timeout.ms", "45000")
	f.Add("share.auto.offset.reset", "by_duration:P1DT1H1M1.1S")
	v := NewView(Layers{})
	f.Fuzz(func(t *testing.T, name, value string) {
		configs := map[string]string{name: value}
		if v.CheckGroup(configs) != "" {
			return
		}
		if g := v.Group(configs); g.Consumer.SessionTimeout <= g.Consumer.HeartbeatInterval {
			t.Errorf("%q=%q: %+v", name, value, g)
		}
	})
}

// TestBrokers_Kafka compares the table with all settings of Kafka 4.3.1, as its
// own definitions give them: name, type and default.
func TestBrokers_Kafka(t *testing.T) {
	text, err := os.ReadFile("testdata/kafka-4.3.1.tsv")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]kmsg.ConfigType{
		"BOOLEAN": kmsg.ConfigTypeBoolean, "STRING": kmsg.ConfigTypeString, "INT": kmsg.ConfigTypeInt, "SHORT": kmsg.ConfigTypeShort, "LONG": kmsg.ConfigTypeLong,
		"DOUBLE": kmsg.ConfigTypeDouble, "LIST": kmsg.ConfigTypeList, "CLASS": kmsg.ConfigTypeClass, "PASSWORD": kmsg.ConfigTypePassword,
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		d, ok := Find(Brokers, f[0])
		if !ok || d.Type != types[f[1]] {
			t.Errorf("%s: %+v", f[0], d)
			continue
		}
		def := d.Default
		if d.Null {
			def = "null"
		}
		if d.Kafka != "" {
			def = d.Kafka
		}
		if f[2] == "<NONE>" {
			f[2] = "null"
		}
		if def != f[2] && d.Name != "node.id" && d.Name != "broker.id" { // which everybody sets
			t.Errorf("%s: Kafka's default is told as %q, and is %q", d.Name, def, f[2])
		}
	}
}
