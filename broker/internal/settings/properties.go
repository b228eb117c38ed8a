package settings

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ParseProperties reads settings in the form of a Java properties file, as
// Kafka's server.properties: a line KEY=VALUE, KEY:VALUE or KEY VALUE each,
// comments that begin with # or !, a backslash at the end of a line that is
// continued, and the escapes \t \n \r \f \uXXXX. If a key comes twice, the last
// one counts. White space after a value, which Java keeps, is taken away: nobody
// means it, and Kafka trims what it parses.
func ParseProperties(text string) (map[string]string, error) {
	set := map[string]string{}
	raw := strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n")
	for n := 0; n < len(raw); n++ {
		at := n + 1
		line := strings.TrimLeft(raw[n], " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		// The white space that a continued line begins with is there for the eye.
		for isContinued(line) && n+1 < len(raw) {
			n++
			line = line[:len(line)-1] + strings.TrimLeft(raw[n], " \t\f")
		}
		key, value := cutProperty(line)
		k, err := unescape(key)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", at, err)
		}
		v, err := unescape(value)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", at, err)
		}
		if k == "" {
			return nil, fmt.Errorf("line %d: there is no name before the value %q", at, value)
		}
		set[k] = strings.TrimSpace(v)
	}
	return set, nil
}

// isContinued says whether a line ends with an odd number of backslashes: of an even
// number each is one that is meant.
func isContinued(line string) bool {
	n := len(line) - len(strings.TrimRight(line, `\`))
	return n%2 == 1
}

// cutProperty cuts a line at the first separator that isn't escaped: =, : or
// white space, which may surround the others.
func cutProperty(line string) (key, value string) {
	i := 0
	for i < len(line) && !strings.ContainsRune("=: \t\f", rune(line[i])) {
		if line[i] == '\\' { // what is escaped separates nothing
			i++
		}
		i++
	}
	i = min(i, len(line))
	key, value = line[:i], strings.TrimLeft(line[i:], " \t\f")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], " \t\f")
	}
	return key, value
}

// unescape takes the backslashes away, with what they mean.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			if s[i] != '\\' {
				b.WriteByte(s[i])
			}
			continue
		}
		i++
		switch s[i] {
		case 't':
			b.WriteByte('\t')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			r, size, err := unicodeEscape(s[i+1:])
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
			i += size
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// unicodeEscape reads the XXXX of an escape, or two of a surrogate pair, and
// gives the number of bytes.
func unicodeEscape(s string) (rune, int, error) {
	hi, err := hex4(s)
	if err != nil {
		return 0, 0, err
	}
	if utf16.IsSurrogate(hi) && len(s) >= 10 && s[4:6] == `\u` {
		if lo, err := hex4(s[6:]); err == nil {
			if r := utf16.DecodeRune(hi, lo); r != utf8.RuneError {
				return r, 10, nil
			}
		}
	}
	return hi, 4, nil
}

func hex4(s string) (rune, error) {
	if len(s) < 4 {
		return 0, fmt.Errorf(`the escape \u%s needs four digits`, s)
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	if err != nil {
		return 0, fmt.Errorf(`the escape \u%s needs four hexadecimal digits`, s[:4])
	}
	return rune(n), nil
}
