package quota

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func name(s string) *string { return &s }

func entry(t *testing.T, value float64, parts ...Part) Entry {
	t.Helper()
	e, err := NewEntity(parts)
	if err != nil {
		t.Fatal(err)
	}
	return Entry{e, map[string]float64{ProduceRate: value}}
}

// TestTable_Find takes the quotas away, the one that holds first, so that the
// next one must hold.
func TestTable_Find(t *testing.T) {
	u, anyU := Part{UserType, name("u")}, Part{Type: UserType}
	c, anyC := Part{ClientType, name("c")}, Part{Type: ClientType}
	entries := []Entry{
		entry(t, 1, u, c), entry(t, 2, u, anyC), entry(t, 3, u), entry(t, 4, anyU, c),
		entry(t, 5, anyU, anyC), entry(t, 6, anyU), entry(t, 7, c), entry(t, 8, anyC),
	}
	for len(entries) > 0 {
		got, _, ok := Compile(entries).find(ProduceRate, "u", "c")
		if want := entries[0].Values[ProduceRate]; !ok || got != want {
			t.Errorf("%v, want %v", got, want)
		}
		entries = entries[1:]
	}
	if _, _, ok := Compile(nil).find(ProduceRate, "u", "c"); ok {
		t.Error("a quota of nobody")
	}
}

func TestLimiter_SharesBuckets(t *testing.T) {
	now := time.Unix(1000, 0)
	for about, c := range map[string]struct {
		parts  []Part
		shared bool // between u's clients a and b
	}{
		"of the user":              {[]Part{{UserType, name("u")}}, true},
		"of any user":              {[]Part{{Type: UserType}}, true},
		"of any client":            {[]Part{{Type: ClientType}}, false},
		"of any client of a user":  {[]Part{{UserType, name("u")}, {Type: ClientType}}, false},
		"of any client of any one": {[]Part{{Type: UserType}, {Type: ClientType}}, false},
	} {
		l, table := NewLimiter(), Compile([]Entry{entry(t, 100, c.parts...)})
		l.Record(table, ProduceRate, "u", "a", 1000, now)
		if wait := l.Record(table, ProduceRate, "u", "b", 1000, now); (wait > 0) != c.shared {
			t.Errorf("%s: %v", about, wait)
		}
	}
}

// TestLimiter_Rate has a client that waits as it is told: over a long time it
// gets its rate, and not much more.
func TestLimiter_Rate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := float64(rapid.IntRange(1000, 1_000_000).Draw(t, "rate"))
		l := NewLimiter()
		table := Compile([]Entry{{Entity{{UserType, name("u")}}, map[string]float64{ProduceRate: rate}}})
		begin := time.Unix(1000, 0)
		now, total := begin, 0.0
		sizes := rapid.SliceOfN(rapid.IntRange(1, int(5*rate)), 20, 60).Draw(t, "sizes")
		for _, n := range sizes {
			wait := l.Record(table, ProduceRate, "u", "c", float64(n), now)
			total += float64(n)
			now = now.Add(wait + time.Millisecond)
		}
		// A whole window may be taken at the beginning, and the last request too.
		allowed := rate*(now.Sub(begin).Seconds()+samples) + 5*rate
		if total > 2*allowed {
			t.Fatalf("%v bytes in %v at %v a second", total, now.Sub(begin), rate)
		}
	})
}

func TestLimiter_LittleIsFree(t *testing.T) {
	l, now := NewLimiter(), time.Unix(1000, 0)
	table := Compile([]Entry{entry(t, 1000, Part{Type: UserType})})
	for range 100 {
		if wait := l.Record(table, ProduceRate, "u", "c", 900, now); wait != 0 {
			t.Fatalf("%v for less than the quota", wait)
		}
		now = now.Add(time.Second)
	}
	if wait := l.Record(table, ProduceRate, "u", "c", 100_000, now); wait < time.Second || wait > maxWait {
		t.Errorf("%v for a hundred times the quota", wait)
	}
	if n, ok := l.Burst(table, ProduceRate, "u", "c"); !ok || n != 10_000 {
		t.Errorf("burst %d", n)
	}
}

func TestLimiter_Percentage(t *testing.T) {
	l, now := NewLimiter(), time.Unix(1000, 0)
	table := Compile([]Entry{{Entity{{Type: UserType}}, map[string]float64{RequestPercentage: 1}}})
	if wait := l.Record(table, RequestPercentage, "u", "c", float64(50*time.Millisecond), now); wait != 0 {
		t.Errorf("%v for 50 ms in ten seconds", wait)
	}
	if wait := l.Record(table, RequestPercentage, "u", "c", float64(time.Minute), now); wait != time.Second {
		t.Errorf("%v for a minute", wait)
	}
}

// TestLimiter_ForgetsClients has clients that make up ids.
func TestLimiter_ForgetsClients(t *testing.T) {
	l, now := NewLimiter(), time.Unix(1000, 0)
	table := Compile([]Entry{entry(t, 1000, Part{Type: ClientType})})
	for i := range 20_000 {
		l.Record(table, ProduceRate, "u", fmt.Sprint(i), 1, now)
		now = now.Add(20 * time.Millisecond)
	}
	if n := len(l.rates); n > 3*sweepAt {
		t.Errorf("%d rates are kept", n)
	}
}

func TestEntity_Check(t *testing.T) {
	for about, parts := range map[string][]Part{
		"none": nil, "unknown": {{Type: "group"}}, "twice": {{Type: UserType}, {Type: UserType}},
		"empty": {{UserType, name("")}}, "address and user": {{Type: IPType}, {Type: UserType}},
	} {
		if e, err := NewEntity(parts); err == nil {
			t.Errorf("%s: %v", about, e)
		}
	}
	user, ip := Entity{{Type: UserType}}, Entity{{Type: IPType}}
	for _, c := range []struct {
		e     Entity
		key   string
		value float64
		ok    bool
	}{
		{user, ProduceRate, 1, true}, {user, FetchRate, 1.5, false}, {user, RequestPercentage, 1.5, true},
		{user, ProduceRate, 0, false}, {user, "x", 1, false}, {user, connectionRate, 1, false},
		{ip, connectionRate, 1, true}, {ip, ProduceRate, 1, false},
	} {
		if err := c.e.CheckValue(c.key, c.value); (err == nil) != c.ok {
			t.Errorf("%v %s %v: %v", c.e, c.key, c.value, err)
		}
	}
}

// TestLimiter_Admit has a client that comes back when it is told to: it gets all
// it asks for, nothing before its time, and no more than its rate.
func TestLimiter_Admit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := float64(rapid.IntRange(1000, 1_000_000).Draw(t, "rate"))
		l := NewLimiter()
		table := Compile([]Entry{{Entity{{UserType, name("u")}}, map[string]float64{FetchRate: rate}}})
		burst, _ := l.Burst(table, FetchRate, "u", "c")
		begin := time.Unix(1000, 0)
		now, total := begin, 0.0
		for _, n := range rapid.SliceOfN(rapid.IntRange(1, burst), 20, 60).Draw(t, "sizes") {
			for tries := 0; ; tries++ {
				wait, granted := l.Admit(table, FetchRate, "u", "c", float64(n), now)
				if granted {
					break
				}
				if wait <= 0 || tries > 0 {
					t.Fatalf("%d bytes are refused for %v, after %d waits", n, wait, tries)
				}
				now = now.Add(wait)
			}
			total += float64(n)
			now = now.Add(time.Millisecond)
		}
		if allowed := rate * (now.Sub(begin).Seconds() + samples); total > 2*allowed {
			t.Fatalf("%v bytes in %v at %v a second", total, now.Sub(begin), rate)
		}
	})
}

// A batch may be larger than any window.
func TestLimiter_AdmitsWhatIsAlone(t *testing.T) {
	l, now := NewLimiter(), time.Unix(1000, 0)
	table := Compile([]Entry{entry(t, 1000, Part{Type: UserType})})
	if wait, granted := l.Admit(table, ProduceRate, "u", "c", 100_000, now); !granted || wait != maxWait {
		t.Errorf("granted: %t, to wait %v after it", granted, wait)
	}
	if wait, granted := l.Admit(table, ProduceRate, "u", "c", 1, now.Add(time.Second)); granted || wait != (samples-1)*sampleLength+time.Millisecond {
		t.Errorf("granted: %t, to wait %v", granted, wait)
	}
	if _, granted := l.Admit(table, ProduceRate, "u", "c", 1, now.Add(maxWait)); !granted {
		t.Error("refused after the wait")
	}
}
