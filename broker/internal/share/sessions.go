package share

import (
	"errors"
	"math"
	"slices"
	"sync"
)

// The errors of share sessions.
var (
	ErrNoSession    = errors.New("there is no such share session")
	ErrSessionEpoch = errors.New("the share session has another epoch")
	ErrTooMany      = errors.New("there are too many share sessions")
)

// The epochs that don't go on with a session.
const (
	FirstEpoch int32 = 0  // begins one
	FinalEpoch int32 = -1 // ends it
)

// SessionKey names a session: a member has one.
type SessionKey struct {
	Group, Member string
}

// TopicPartition is a partition that a session fetches.
type TopicPartition struct {
	Topic     [16]byte // the topic's id
	Partition int32
}

// Session is what a member fetches, kept from one request to the next.
type Session struct {
	epoch int32 // of the next request
	parts []TopicPartition
	set   map[TopicPartition]struct{} // the same
	// held are all partitions that the member may have records of.
	held   map[TopicPartition]struct{}
	unbind func() bool // from the connection
}

// Sessions are the share sessions of a broker. They end with the connection, or
// when the member says so; nothing of them is stored. It is safe for concurrent
// use.
type Sessions struct {
	mu    sync.Mutex
	byKey map[SessionKey]*Session
}

// Fetching is what a request of a session has to do.
type Fetching struct {
	Session *Session // nil if the session ends
	Epoch   int32    // of the request
	Parts   []TopicPartition
}

// Open begins a session, in place of the one that the member may have. There may
// be limit of them.
func (s *Sessions) Open(k SessionKey, parts []TopicPartition, limit int) (Fetching, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byKey[k]
	if old == nil && len(s.byKey) >= limit {
		return Fetching{}, ErrTooMany
	}
	n := &Session{epoch: FirstEpoch + 1, set: map[TopicPartition]struct{}{}, held: map[TopicPartition]struct{}{}}
	if old != nil {
		// The member still has what it got before.
		n.held = old.held
		old.release()
	}
	n.add(parts)
	if s.byKey == nil {
		s.byKey = map[SessionKey]*Session{}
	}
	s.byKey[k] = n
	return Fetching{Session: n, Epoch: FirstEpoch, Parts: slices.Clone(n.parts)}, nil
}

func (n *Session) add(parts []TopicPartition) {
	for _, p := range parts {
		if _, ok := n.set[p]; !ok {
			n.parts = append(n.parts, p)
			n.set[p], n.held[p] = struct{}{}, struct{}{}
		}
	}
}

func (n *Session) remove(parts []TopicPartition) {
	if len(parts) == 0 {
		return
	}
	for _, p := range parts {
		delete(n.set, p)
	}
	n.parts = slices.DeleteFunc(n.parts, func(p TopicPartition) bool {
		_, ok := n.set[p]
		return !ok
	})
}

// Continue takes a request of a session: partitions that it fetches from now on,
// and those that it doesn't.
func (s *Sessions) Continue(k SessionKey, epoch int32, add, forget []TopicPartition) (Fetching, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.step(k, epoch)
	if err != nil || n == nil {
		return Fetching{Epoch: epoch}, err
	}
	n.add(add)
	n.remove(forget)
	return Fetching{Session: n, Epoch: epoch, Parts: slices.Clone(n.parts)}, nil
}

// Touch takes a request that only acknowledges.
func (s *Sessions) Touch(k SessionKey, epoch int32) error {
	if epoch == FirstEpoch {
		return ErrSessionEpoch
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.step(k, epoch)
	return err
}

// step finds a session and its next epoch; s.mu is held. The session is nil if
// the request is its last.
func (s *Sessions) step(k SessionKey, epoch int32) (*Session, error) {
	n := s.byKey[k]
	switch {
	case n == nil:
		return nil, ErrNoSession
	case epoch == FinalEpoch:
		return nil, nil
	case epoch != n.epoch:
		return nil, ErrSessionEpoch
	}
	if n.epoch++; n.epoch == math.MaxInt32 {
		n.epoch = FirstEpoch + 1
	}
	return n, nil
}

// Bind says how to end what watches over a session's connection. It is called
// when the session is over, or at once if that is so.
func (s *Sessions) Bind(k SessionKey, n *Session, unbind func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKey[k] != n {
		unbind()
		return
	}
	n.unbind = unbind
}

// release lets go of the connection.
func (n *Session) release() {
	if n.unbind != nil {
		n.unbind()
	}
}

// Close ends the session of a member. It returns the partitions that the member
// may have records of.
func (s *Sessions) Close(k SessionKey) []TopicPartition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop(k)
}

// CloseIf is Close for one session, which may have been replaced.
func (s *Sessions) CloseIf(k SessionKey, n *Session) []TopicPartition {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKey[k] != n {
		return nil
	}
	return s.drop(k)
}

func (s *Sessions) drop(k SessionKey) (held []TopicPartition) {
	n := s.byKey[k]
	if n == nil {
		return nil
	}
	delete(s.byKey, k)
	n.release()
	for p := range n.held {
		held = append(held, p)
	}
	return held
}

// Len is how many sessions there are.
func (s *Sessions) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byKey)
}
