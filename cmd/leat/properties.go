package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// properties are the settings of a file in the form of Java's properties, as
// Kafka's tools take it.
type properties map[string]*property

type property struct {
	value string
	used  bool
}

// parseProperties reads key=value lines. Lines that begin with # or ! say
// nothing; a backslash at the end of a line continues it.
func parseProperties(text string) (properties, error) {
	p := properties{}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = regexp.MustCompile(`\\\n[ \t]*`).ReplaceAllString(text, "")
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		at := strings.IndexAny(line, "=:")
		if at <= 0 {
			return nil, fmt.Errorf("line %d: want key=value: %q", n, line)
		}
		p[strings.TrimSpace(line[:at])] = &property{value: unescape(strings.TrimSpace(line[at+1:]))}
	}
	return p, nil
}

// unescape takes away the backslashes before characters that need them.
func unescape(s string) string {
	return regexp.MustCompile(`\\(.)`).ReplaceAllStringFunc(s, func(m string) string {
		switch m[1] {
		case 'n':
			return "\n"
		case 't':
			return "\t"
		default:
			return m[1:]
		}
	})
}

// has says whether there is a setting, even an empty one.
func (p properties) has(key string) bool { return p[key] != nil }

// take is the value of a setting, "" for none, and notes that it was used.
func (p properties) take(key string) string {
	v := p[key]
	if v == nil {
		return ""
	}
	v.used = true
	return v.value
}

// list is a setting with values between commas.
func (p properties) list(key string) []string {
	var list []string
	for v := range strings.SplitSeq(p.take(key), ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, v)
		}
	}
	return list
}

// pem is the file of a store (keystore or truststore), if it is of a type that
// can be read here; stores of Java's own types are left as unused.
func (p properties) pem(store string) string {
	if p.has("ssl."+store+".location") && !strings.EqualFold(p.take("ssl."+store+".type"), "PEM") {
		return ""
	}
	return p.take("ssl." + store + ".location")
}

// unused are the settings about security that nobody has asked for. Others, for
// producers and consumers, are left alone.
func (p properties) unused() []string {
	var names []string
	for _, k := range slices.Sorted(maps.Keys(p)) {
		about, _, _ := strings.Cut(k, ".")
		if !p[k].used && (about == "ssl" || about == "sasl" || about == "security") {
			names = append(names, k)
		}
	}
	return names
}

// jaasOption is one name="value" in a login module's line.
var jaasOption = regexp.MustCompile(`(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)')`)

// parseJAAS reads the options of a line such as
//
//	org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p";
func parseJAAS(line string) map[string]string {
	options := map[string]string{}
	for _, m := range jaasOption.FindAllStringSubmatch(line, -1) {
		options[m[1]] = unescape(m[2]) + m[3]
	}
	return options
}
