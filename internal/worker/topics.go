package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/topology"
)

// ErrTopicsChanged ends an instance whose topology reads topics by a pattern, when
// others match it now. Everything is committed then; a new instance reads them.
var ErrTopicsChanged = errors.New("worker: the topics that match a pattern have changed")

// topics asks for the named topics, and for those that patterns stand for.
func (in *Instance) topics(ctx context.Context, names []string) (found []client.Topic, missing []string, err error) {
	found, missing, err = in.client.Topics(ctx, names...)
	if err != nil || !in.cfg.Plan.Graph.HasPatterns() {
		return found, missing, err
	}
	all, err := in.client.AllTopics(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range all {
		if !slices.Contains(names, t.Name) {
			found = append(found, t)
		}
	}
	return found, missing, nil
}

// watchTopics ends the instance when patterns match other topics than at the
// start. That every instance lays its tasks out anew is simple and rare; the state
// stays where it is.
func (in *Instance) watchTopics(ctx context.Context) {
	g := in.cfg.Plan.Graph
	if !g.HasPatterns() {
		return
	}
	for in.sleep(ctx, in.cfg.TopicsEvery) == nil {
		all, err := in.client.AllTopics(ctx)
		if err != nil {
			in.log.warn("the topics that match a pattern can't be looked up", "error", err)
			continue
		}
		counts := maps.Clone(in.layout.counts)
		for name := range counts {
			if matched(g, in.cfg.App, name) {
				delete(counts, name)
			}
		}
		for _, t := range all {
			if matched(g, in.cfg.App, t.Name) {
				counts[t.Name] = int(t.Partitions)
			}
		}
		if !maps.Equal(counts, in.layout.counts) {
			in.cfg.Logger.Info("the topics that match a pattern have changed: taking up the tasks anew")
			in.mu.Lock()
			if in.failure == nil {
				in.failure = ErrTopicsChanged
			}
			in.mu.Unlock()
			in.stop()
			return
		}
	}
}

// matched reports whether a topic is read by a pattern.
func matched(g *topology.Graph, app, name string) bool {
	return slices.ContainsFunc(g.Nodes, func(n *topology.Node) bool {
		return n.Kind == topology.Source && n.Topic.Matches(app, name)
	})
}

// sizes are the numbers of partitions of topics that are written to.
type sizes struct {
	mu sync.Mutex
	of topology.Counts
}

func (s *sizes) start(counts topology.Counts) { s.of = maps.Clone(counts) }

// partitions is what task.Config.Partitions asks for. The number is as it was when
// it was asked for the first time.
func (in *Instance) partitions(topic string) (int, error) {
	s := &in.sizes
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.of[topic]; n > 0 {
		return n, nil
	}
	ctx, cancel := context.WithTimeout(in.alive, in.cfg.StartTimeout)
	defer cancel()
	err := in.retry(ctx, "partitions of topic "+topic, func() error {
		found, _, err := in.client.Topics(ctx, topic)
		for _, t := range found {
			s.of[t.Name] = int(t.Partitions)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	if s.of[topic] == 0 {
		return 0, fmt.Errorf("worker: no topic %s: create it, or correct the name", topic)
	}
	return s.of[topic], nil
}
