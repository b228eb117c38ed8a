package invariant_test

import (
	"errors"
	"testing"

	"github.com/leatstream/leat/internal/invariant"
)

func TestViolated(t *testing.T) {
	err := recovered(func() { invariant.Violated("%d is not %d", 1, 2) })
	var v *invariant.Error
	if !errors.As(err, &v) || v.Text != "1 is not 2" {
		t.Errorf("got %v", err)
	}
}

func TestCheck(t *testing.T) {
	if err := recovered(func() { invariant.Check(true, "fine") }); err != nil {
		t.Errorf("a true check panics: %v", err)
	}
	if err := recovered(func() { invariant.Check(false, "broken") }); (err != nil) != invariant.Enabled {
		t.Errorf("enabled %t, panic %v", invariant.Enabled, err)
	}
}

func recovered(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
		}
	}()
	f()
	return nil
}
