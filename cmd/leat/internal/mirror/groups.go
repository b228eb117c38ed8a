package mirror

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// syncGroups gives groups of the target the offsets that they have at the
// source. Offsets only go forward, and only in groups without members: whoever
// reads at the target knows better.
func (s *session) syncGroups(ctx context.Context) error {
	if len(s.m.patterns.groups) == 0 {
		return nil
	}
	listed, err := s.from.ListGroups(ctx)
	if err != nil {
		return fmt.Errorf("mirror: source: list groups: %w", err)
	}
	for _, g := range listed.Sorted() {
		if strings.HasPrefix(g.Group, "leat-mirror-") || !anyMatch(s.m.patterns.groups, g.Group) {
			continue
		}
		if err := s.syncGroup(ctx, g.Group); err != nil {
			return fmt.Errorf("mirror: offsets of group %s: %w", g.Group, err)
		}
	}
	return nil
}

func (s *session) syncGroup(ctx context.Context, group string) error {
	committed, err := s.from.FetchOffsets(ctx, group)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	want := kadm.Offsets{}
	committed.Each(func(o kadm.OffsetResponse) {
		p := s.places[partition{o.Topic, o.Partition}]
		if o.Err != nil || p == nil || s.known[o.Topic] == 0 {
			return
		}
		if at, ok := p.translate(o.At); ok {
			want.Add(kadm.Offset{Topic: s.cfg.Prefix + o.Topic, Partition: o.Partition, At: at, LeaderEpoch: -1, Metadata: o.Metadata})
		}
	})
	if len(want) == 0 {
		return nil
	}
	have, err := s.to.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("target: %w", err)
	}
	want.KeepFunc(func(o kadm.Offset) bool {
		h, ok := have.Lookup(o.Topic, o.Partition)
		return !ok || h.Err != nil || h.At < o.At
	})
	if len(want) == 0 {
		return nil
	}
	done, err := s.to.CommitOffsets(ctx, group, want)
	if err == nil {
		err = done.Error()
	}
	if errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.StaleMemberEpoch) {
		s.cfg.Logger.Debug("the group has members at the target, so its offsets are its own", "group", group)
		return nil
	}
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	return nil
}
