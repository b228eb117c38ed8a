package topic

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/leatstream/leat/serde"
)

// Matching declares all topics whose whole name matches a regular expression, as
// one: they have the same serdes, and [stream.Builder.Stream] reads them as one
// stream. Leat's own topics are not among them, nor topics that are read by name.
// A topic that is made, or deleted, while the app runs is noticed within a
// minute; the app then takes up its tasks anew. It can't be written to.
//
// [stream.Builder.Stream]: https://pkg.go.dev/github.com/leatstream/leat/stream#Builder.Stream
func Matching[K, V any](pattern string, key serde.Serde[K], value serde.Serde[V], opts ...Option) Topic[K, V] {
	t := declare(pattern, key, value, opts)
	t.options.pattern = true
	return t
}

// Pattern is the regular expression that stands for the topics' names, nil for a
// topic that has a name, or if it is none.
func (t Topic[K, V]) Pattern() *regexp.Regexp {
	if !t.options.pattern {
		return nil
	}
	re, err := compile(t.name)
	if err != nil {
		return nil
	}
	return re
}

// compile makes a regular expression match whole names only.
func compile(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile("^(?:" + pattern + ")$")
}

func (t Topic[K, V]) checkName() error {
	if !t.options.pattern {
		return CheckName(t.name)
	}
	if t.name == "" {
		return errors.New("the pattern is empty")
	}
	if _, err := compile(t.name); err != nil {
		return fmt.Errorf("the pattern is no regular expression: %w", err)
	}
	return nil
}
