package mirror

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/clock"
)

// Config says what is copied, from where to where.
type Config struct {
	// Name tells mirrors to the same target apart. It is part of the topic that
	// keeps the mirror's place, and of its transactional id, so that of two
	// mirrors with one name the second takes over from the first.
	Name string
	// Source and Target are the clusters.
	Source, Target client.Config

	// Topics are patterns (regular expressions) of which one has to match the
	// whole name of a topic. Names that begin with two underscores are those of
	// the clusters themselves, and are never copied.
	Topics []string
	// Exclude are patterns of topics that aren't copied nevertheless.
	Exclude []string
	// Prefix is put before the names of topics at the target.
	Prefix string
	// Groups are patterns of the consumer groups whose offsets are translated.
	Groups []string

	// Once ends the mirror when all that was there at its start is copied.
	Once bool
	// Latest begins with what is written from now on, in topics that weren't
	// copied before.
	Latest bool
	// Interval is the longest time that records are gathered for a transaction.
	// 0 is a second; the most is 20 seconds.
	Interval time.Duration
	// Refresh is the time between two looks for new topics, partitions and
	// offsets of groups. 0 is 10 seconds.
	Refresh time.Duration
	// Records is the largest number of records in a transaction. 0 is 50 000.
	Records int

	// Logger is told what the mirror does; nil is nobody.
	Logger *slog.Logger
	// Clock is the source of time; nil is the system's.
	Clock clock.Clock
}

// patterns are the compiled patterns of a configuration.
type patterns struct{ topics, exclude, groups []*regexp.Regexp }

// compile checks the configuration.
func (c *Config) compile() (patterns, error) {
	var p patterns
	if c.Name == "" {
		return p, errors.New("mirror: it needs a name")
	}
	if c.Interval < 0 || c.Interval > deliveryTimeout/2 {
		return p, fmt.Errorf("mirror: the interval is %v; want at most %v, since a transaction has to end in time", c.Interval, deliveryTimeout/2)
	}
	if len(c.Topics) == 0 {
		return p, errors.New("mirror: no topics are given")
	}
	for _, list := range []struct {
		what string
		from []string
		to   *[]*regexp.Regexp
	}{{"topics", c.Topics, &p.topics}, {"excluded topics", c.Exclude, &p.exclude}, {"groups", c.Groups, &p.groups}} {
		for _, text := range list.from {
			re, err := regexp.Compile("^(?:" + text + ")$")
			if err != nil {
				return p, fmt.Errorf("mirror: pattern of %s: %w", list.what, err)
			}
			*list.to = append(*list.to, re)
		}
	}
	if err := c.Source.Check(); err != nil {
		return p, fmt.Errorf("mirror: source: %w", err)
	}
	if err := c.Target.Check(); err != nil {
		return p, fmt.Errorf("mirror: target: %w", err)
	}
	return p, nil
}

// withDefaults fills the zero fields.
func (c Config) withDefaults() Config {
	c.Clock = clock.Or(c.Clock)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.Refresh == 0 {
		c.Refresh = 10 * time.Second
	}
	if c.Records == 0 {
		c.Records = 50_000
	}
	return c
}

// id is the transactional id, and the name of the topic that keeps the place.
func (c *Config) id() string { return "leat-mirror-" + c.Name }

func anyMatch(patterns []*regexp.Regexp, name string) bool {
	for _, p := range patterns {
		if p.MatchString(name) {
			return true
		}
	}
	return false
}
