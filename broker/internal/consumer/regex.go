package consumer

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/group"
)

// compile reads a regular expression, which has to match a name from end to end. The
// syntax is RE2's in Kafka as here; neither takes more time than the name is long.
func compile(pattern string) (*regexp.Regexp, error) {
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		why := err.Error()
		if e, ok := errors.AsType[*syntax.Error](err); ok {
			why = string(e.Code)
		}
		return nil, group.Refuse(kerr.InvalidRegularExpression, "SubscribedTopicRegex `"+pattern+"` is not a valid regular expression: "+why+".")
	}
	return re, nil
}

// resolve finds the topics of the member's regular expression if it is new, and of
// all that are in use if the topics have changed. visible says which topics the asking client may know of.
func (s *step) resolve(m *member, visible func(string) bool) error {
	_, known := s.g.regexes[m.regex]
	if s.g.Seen == s.Env.Topics && (m.regex == "" || known) {
		return nil
	}
	used := map[string]bool{m.regex: true}
	for _, m := range s.All() {
		used[m.regex] = true
	}
	delete(used, "")
	for _, pattern := range sortedKeys(used) {
		old, known := s.g.regexes[pattern]
		if known && s.g.Seen == s.Env.Topics {
			continue
		}
		re, err := compile(pattern)
		if err != nil {
			if known { // it was stored by another version, say: it stands for what it did
				continue
			}
			return err
		}
		found := regex{resolvedAt: s.Env.Now.UnixMilli()}
		for _, name := range s.Env.Topics.Names() {
			if re.MatchString(name) && visible(name) {
				found.topics = append(found.topics, name)
			}
		}
		if !known || !slices.Equal(old.topics, found.topics) {
			s.regexes[pattern] = found
			s.Add(s.g.Record(group.ConsumerRegex, pattern, found.schema))
		}
	}
	return nil
}

// resolved is what an expression stands for.
func (s *step) resolved(pattern string) regex {
	if r, ok := s.regexes[pattern]; ok {
		return r
	}
	return s.g.regexes[pattern]
}

// dropRegexes forgets the expressions that nobody uses any more.
func (s *step) dropRegexes() {
	// Who goes on with a heartbeat still uses what it used.
	if len(s.g.regexes) == 0 || s.Untouched() {
		return
	}
	used := map[string]bool{}
	for _, m := range s.All() {
		used[m.regex] = true
	}
	for _, pattern := range sortedKeys(s.g.regexes) {
		if !used[pattern] {
			s.Add(s.g.Tombstone(group.ConsumerRegex, pattern))
		}
	}
}
