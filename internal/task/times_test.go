package task

import (
	"strings"
	"testing"
)

func TestTimes(t *testing.T) {
	old := &Task{streamTime: 7}
	old.keepTime("", &old.streamTime)
	*old.Time("a") = 1_700_000_000_000
	*old.Time("b") = 0
	old.Time("c")
	if first, again := old.Time("a"), old.Time("a"); first != again {
		t.Error("one name, two times")
	}
	meta := old.Metadata()

	next := &Task{streamTime: -1}
	next.keepTime("", &next.streamTime)
	a, b, c := next.Time("a"), next.Time("b"), next.Time("c")
	next.Recall("somebody else's")
	next.Recall(meta)
	next.Recall(timesVersion + " zz=1 00000001=!! 00000001") // damaged
	if *a != 1_700_000_000_000 || *b != 0 || *c != -1 || next.streamTime != 7 {
		t.Errorf("%q gave %d, %d, %d and stream time %d", meta, *a, *b, *c, next.streamTime)
	}

	many := &Task{}
	for i := range 1000 {
		*many.Time(strings.Repeat("x", i)) = 1 << 62
	}
	if n := len(many.Metadata()); n > 4096 {
		t.Errorf("%d bytes of metadata", n)
	}
}

func FuzzRecall(f *testing.F) {
	f.Add("leat1 811c9dc5=loyw3v28")
	f.Add("leat1 =")
	f.Fuzz(func(t *testing.T, metadata string) {
		tk := &Task{streamTime: 5}
		tk.keepTime("", &tk.streamTime)
		if tk.Recall(metadata); tk.streamTime < 5 {
			t.Errorf("%q set time back to %d", metadata, tk.streamTime)
		}
	})
}
