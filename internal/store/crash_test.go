package store_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/leatstream/leat/internal/store"
)

// crashDir names the directory in which a child of the crash test writes.
const crashDir = "LEAT_STORE_CRASH_DIR"

// TestCrashChild writes commits until it is killed, and says after each how far
// it is. It is the child of TestCrash_Kill.
func TestCrashChild(t *testing.T) {
	dir := os.Getenv(crashDir)
	if dir == "" {
		return // only TestCrash_Kill wants this
	}
	db := open(t, dir, store.Options{MemTableSize: 1 << 20})
	c := newChangelog(t, db)
	from, _ := db.Checkpoint(c.id)
	for at := int(from); ; {
		to := at + 100 + at%7*400 // some fit into one part of Badger's, some do not
		c.apply(db, at, to)
		at = to
		fmt.Println("committed", at)
	}
}

// TestCrash_Kill kills a writing process several times, with kill -9, and looks
// for a checkpoint that is ahead of its data or behind what was reported.
func TestCrash_Kill(t *testing.T) {
	dir := t.TempDir()
	for round, commits := range []int{3, 40, 120, 75} {
		reported := runAndKill(t, dir, commits)
		db := open(t, dir, store.Options{MemTableSize: 1 << 20})
		if o := db.Opened(); o != (store.Opened{}) {
			t.Errorf("round %d: Opened = %+v", round, o)
		}
		c := newChangelog(t, db)
		off, ok := db.Checkpoint(c.id)
		if !ok || int(off) < reported {
			t.Errorf("round %d: checkpoint %d, %t; %d was reported", round, off, ok, reported)
		}
		if n := c.stale(db, int(off)); n != 0 {
			t.Errorf("round %d: %d keys are older than the checkpoint %d", round, n, off)
		}
		closeDB(t, db)
	}
}

// runAndKill lets a child make some commits and kills it. It returns the last
// offset the child reported.
func runAndKill(t *testing.T, dir string, commits int) (reported int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$", "-test.v")
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); {
		s, ok := cutCommitted(lines.Text())
		if !ok {
			continue
		}
		reported = s
		if n++; n == commits {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || reported == 0 {
		t.Fatalf("the child was not killed: %v, reported %d", err, reported)
	}
	return reported
}

func cutCommitted(line string) (int, bool) {
	const word = "committed "
	if len(line) < len(word) || line[:len(word)] != word {
		return 0, false
	}
	n, err := strconv.Atoi(line[len(word):])
	return n, err == nil
}
