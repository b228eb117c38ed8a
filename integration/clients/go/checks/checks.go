// Package checks runs a list of checks in order and counts those that pass.
//
// A check fails by an error or a panic. Names of topics and groups are new in
// each run, so that a cluster can be used again.
package checks

import (
	"crypto/rand"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
)

// Check is one.
type Check struct {
	Name string
	Run  func() error
}

var (
	run   = strings.ToLower(rand.Text()[:8])
	names atomic.Int64
)

// Fresh is a name that nothing on the cluster has.
func Fresh(kind string) string { return fmt.Sprintf("%s-%s-%d", kind, run, names.Add(1)) }

// limit is how long a check may take.
const limit = 90 * time.Second

// Main runs checks, and ends the process with 0 if all have passed.
func Main(client string, all []Check) {
	passed, total := 0, 0
	for _, c := range all {
		if !strings.Contains(c.Name, os.Getenv("ONLY")) {
			continue
		}
		total++
		if err := guarded(c.Run); err != nil {
			fmt.Printf("FAIL  %s: %v\n", c.Name, err)
			continue
		}
		passed++
		fmt.Printf("ok    %s\n", c.Name)
	}
	fmt.Printf("%s: %d of %d checks passed\n", client, passed, total)
	if passed < total || total == 0 {
		os.Exit(1)
	}
}

// failure is what Must and the like panic with.
type failure struct{ error }

func guarded(f func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			switch p := recover().(type) {
			case nil:
			case failure:
				done <- p.error
			default:
				done <- fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("took more than %v", limit)
	}
}

// Must ends the check if there is an error.
func Must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// Must1 is v, without an error.
func Must1[T any](v T, err error) T {
	Must(err)
	return v
}

// Equal ends the check if two values differ.
func Equal(got, want any, what string) {
	if !reflect.DeepEqual(got, want) {
		panic(failure{fmt.Errorf("%s: got %v, want %v", what, got, want)})
	}
}

// Holds ends the check unless a condition holds.
func Holds(condition bool, what string) {
	if !condition {
		panic(failure{fmt.Errorf("not so: %s", what)})
	}
}

// Until waits for a condition.
func Until(what string, f func() bool) {
	for end := time.Now().Add(40 * time.Second); !f(); time.Sleep(50 * time.Millisecond) {
		Holds(time.Now().Before(end), what+" in time")
	}
}

// Numbers is the texts of the numbers below n.
func Numbers(n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprint(i)
	}
	return s
}
