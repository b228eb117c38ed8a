package store

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// environment are the errors of the operating system that say nothing about the
// database: wiping it would not help.
var environment = []syscall.Errno{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES, syscall.EPERM,
	syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO,
}

// fault puts the directory and what was done in front of an error of Badger,
// and makes the operating system's error visible to errors.Is: Badger keeps only
// its text.
func fault(doing, dir string, err error) error {
	if err == nil {
		return nil
	}
	if no, ok := errnoOf(err); ok && !errors.Is(err, no) {
		return fmt.Errorf("state database %s: %s: %w (%w)", dir, doing, err, no)
	}
	return fmt.Errorf("state database %s: %s: %w", dir, doing, err)
}

// errnoOf finds the error of the operating system behind err, by value or by
// text.
func errnoOf(err error) (syscall.Errno, bool) {
	text := err.Error()
	for _, no := range environment {
		if errors.Is(err, no) || strings.Contains(text, no.Error()) {
			return no, true
		}
	}
	return 0, false
}

// caught is a panic inside Badger, as an error.
type caught struct{ value any }

func (c caught) Error() string { return fmt.Sprintf("panic in Badger: %v", c.value) }
