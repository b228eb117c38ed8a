package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticks is how many units of CPU time in /proc make a second; Linux says 100 on
// all machines that Go runs on.
const ticks = 100

// usageOf looks at a process. One that has ended but wasn't waited for is an
// error.
func usageOf(pid int) (u usage, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// Fields are counted behind the name, which may have anything in it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	const state, user, system = 0, 11, 12
	if len(fields) <= system || fields[state] == "Z" {
		return u, fmt.Errorf("process %d has ended", pid)
	}
	for _, f := range fields[user : system+1] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return u, err
		}
		u.cpu += n / ticks
	}
	b, err = os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		var kib float64
		switch name, rest, _ := strings.Cut(line, ":"); name {
		case "VmRSS":
			_, err = fmt.Sscan(rest, &kib)
			u.resident = kib * 1024 / 1e6
		case "VmHWM":
			_, err = fmt.Sscan(rest, &kib)
			u.peak = kib * 1024 / 1e6
		}
		if err != nil {
			return u, err
		}
	}
	return u, err
}

// busy is how many seconds all processors together have worked.
func busy() (seconds float64, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	const idle, waiting, last = 4, 5, 8 // behind the last: what counts twice
	for i, f := range strings.Fields(line) {
		if i == 0 || i == idle || i == waiting || i > last {
			continue
		}
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, err
		}
		seconds += n / ticks
	}
	return seconds, nil
}

// nap sleeps for less than a millisecond, which timers don't do: they wait with
// the network, by milliseconds.
func nap(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	// Woken early or not at all, the caller is late or early by it: that's all.
	_ = syscall.Nanosleep(&t, nil)
}

// openFiles lets this process have as many connections as it may.
func openFiles(n int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur = limit.Max; limit.Max < uint64(n) {
		return fmt.Errorf("%d files may be open, and %d have to be: raise the limit (ulimit -n)", limit.Max, n)
	}
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
