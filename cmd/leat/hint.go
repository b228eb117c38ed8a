package main

import (
	"errors"
	"fmt"

	"github.com/leatstream/leat/broker"
)

// hint adds to an error which flag helps.
func hint(err error) error {
	if errors.Is(err, broker.ErrRemoteListen) {
		return fmt.Errorf("%w (--allow-insecure-listeners)", err)
	}
	return err
}
