package topic

import (
	"errors"
	"fmt"
)

// MaxNameSize is the length of the longest topic name, in bytes: with a
// partition's number behind it, it still has to be the name of a folder.
const MaxNameSize = 249

// CheckName reports why Kafka has no topic of this name, or nil: it has 1 to
// [MaxNameSize] of the characters a-z, A-Z, 0-9, '.', '_' and '-', and isn't
// "." or "..".
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case name == "." || name == "..":
		return errors.New(`the name can't be "." or ".."`)
	case len(name) > MaxNameSize:
		return fmt.Errorf("the name has %d characters: at most %d", len(name), MaxNameSize)
	}
	for _, c := range name {
		if !nameRune(c) {
			return fmt.Errorf("the name has a %q: only a-z, A-Z, 0-9, '.', '_' and '-'", c)
		}
	}
	return nil
}

func nameRune(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == '-'
}
