package share

import (
	"errors"
	"slices"
	"testing"
)

func TestSessions(t *testing.T) {
	var s Sessions
	k := SessionKey{"g", "m"}
	p := func(n int32) TopicPartition { return TopicPartition{Partition: n} }
	if _, err := s.Continue(k, 1, nil, nil); !errors.Is(err, ErrNoSession) {
		t.Errorf("without a session: %v", err)
	}
	f, err := s.Open(k, []TopicPartition{p(0), p(1), p(0)}, 1)
	if err != nil || !slices.Equal(f.Parts, []TopicPartition{p(0), p(1)}) {
		t.Fatalf("%+v, %v", f, err)
	}
	if _, err := s.Open(SessionKey{"g", "n"}, nil, 1); !errors.Is(err, ErrTooMany) {
		t.Errorf("one too many: %v", err)
	}
	if f, err = s.Continue(k, 1, []TopicPartition{p(2)}, []TopicPartition{p(0)}); err != nil || !slices.Equal(f.Parts, []TopicPartition{p(1), p(2)}) {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := s.Continue(k, 1, nil, nil); !errors.Is(err, ErrSessionEpoch) {
		t.Errorf("an epoch that was: %v", err)
	}
	if err := s.Touch(k, 2); err != nil {
		t.Error(err)
	}
	if err := s.Touch(k, FirstEpoch); !errors.Is(err, ErrSessionEpoch) {
		t.Errorf("a session doesn't begin with an acknowledgement: %v", err)
	}
	unbound := 0
	old, _ := s.Continue(k, 3, nil, nil)
	s.Bind(k, old.Session, func() bool { unbound++; return true })
	again, err := s.Open(k, []TopicPartition{p(5)}, 1)
	if err != nil || unbound != 1 {
		t.Errorf("opened again: %v, unbound %d times", err, unbound)
	}
	if held := s.CloseIf(k, old.Session); held != nil || s.Len() != 1 {
		t.Errorf("the session that was replaced had %v", held)
	}
	s.Bind(k, old.Session, func() bool { unbound++; return true })
	if unbound != 2 {
		t.Error("a session that is over was bound")
	}
	// The member still has what it got in the session before.
	if held := s.CloseIf(k, again.Session); len(held) != 4 || s.Len() != 0 {
		t.Errorf("held %v", held)
	}
	if err := s.Touch(k, FinalEpoch); !errors.Is(err, ErrNoSession) {
		t.Errorf("ended twice: %v", err)
	}
}

func TestCheckCoordinatorKey(t *testing.T) {
	k := Key{Group: "a:b", Topic: [16]byte{1}, Partition: 3}
	if err := CheckCoordinatorKey(k.CoordinatorKey()); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "g", "g:x:0", ":AQAAAAAAAAAAAAAAAAAAAA:0", "g:AQAAAAAAAAAAAAAAAAAAAA:-1", "g:AQAAAAAAAAAAAAAAAAAAAA:x", "g:AQ:0"} {
		if CheckCoordinatorKey(bad) == nil {
			t.Errorf("%q is taken for a key", bad)
		}
	}
}

func TestCut(t *testing.T) {
	p := Load(2, []Batch{{Range{2, 5}, Available, 1}, {Range{6, 9}, Acknowledged, 1}})
	if p.Cut(10) || !p.Cut(8) || p.End() != 8 || p.Done() != 2 {
		t.Errorf("%+v", p)
	}
	if !p.Cut(1) || p.Start() != 1 || p.End() != 1 || len(p.spans) != 0 {
		t.Errorf("%+v", p)
	}
}
