package assign

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func subscriptions(t *rapid.T) Subscription {
	s := Subscription{
		Instance: rapid.StringN(0, 20, -1).Draw(t, "instance"),
		Topology: rapid.Uint64().Draw(t, "topology"),
		Capacity: rapid.IntRange(0, 64).Draw(t, "capacity"),
	}
	for range rapid.IntRange(0, 5).Draw(t, "states") {
		s.State = append(s.State, State{
			Task:    Task{Sub: rapid.Int32().Draw(t, "sub"), Partition: rapid.Int32().Draw(t, "partition")},
			Offsets: rapid.Int64().Draw(t, "offsets"),
		})
	}
	return s
}

func TestSubscriptionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := subscriptions(t)
		got, err := DecodeSubscription(want.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("(-want +got)\n%s", d)
		}
	})
}

func TestSubscriptionCutShort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := subscriptions(t)
		b := s.Append(nil)
		n := rapid.IntRange(0, len(b)-1).Draw(t, "n")
		if _, err := DecodeSubscription(b[:n]); !errors.Is(err, ErrSubscription) {
			t.Fatalf("%d of %d bytes: error %v, want ErrSubscription", n, len(b), err)
		}
	})
}

func TestSubscriptionOfLaterVersion(t *testing.T) {
	s := Subscription{Instance: "a", Capacity: 3}
	b := append(s.Append(nil), "something new"...)
	b[0] = version + 1
	got, err := DecodeSubscription(b)
	if err != nil || got.Instance != "a" || got.Capacity != 3 {
		t.Errorf("a compatible later version: %+v, %v", got, err)
	}
	b[0] = maxVersion + 1
	if _, err := DecodeSubscription(b); !errors.Is(err, ErrSubscription) {
		t.Errorf("an incompatible version: error %v, want ErrSubscription", err)
	}
}

func FuzzDecodeSubscription(f *testing.F) {
	f.Add([]byte{})
	f.Add((&Subscription{}).Append(nil))
	f.Add((&Subscription{Instance: "host-1", Topology: 7, Capacity: 2, State: []State{{Task{1, 2}, 300}}}).Append(nil))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSubscription(b)
		if err != nil {
			return
		}
		again, err := DecodeSubscription(s.Append(nil))
		if err != nil {
			t.Fatalf("what was decoded can't be encoded: %v", err)
		}
		if d := cmp.Diff(s, again); d != "" {
			t.Fatalf("(-first +second)\n%s", d)
		}
	})
}
