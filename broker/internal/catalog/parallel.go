package catalog

import (
	"errors"
	"sync"
)

// parallel is how many logs are opened or closed at a time: each reads or syncs
// files of its own, and a disk does several such things in the time of one.
const parallel = 16

// each calls do for the numbers from lo up to hi (exclusive), several at a time,
// and returns all errors, in order of the numbers.
func each(lo, hi int32, do func(int32) error) error {
	if hi <= lo {
		return nil
	}
	errs := make([]error, hi-lo)
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i := lo; i < hi; i++ {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i-lo] = do(i)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
