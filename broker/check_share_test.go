package broker

import (
	"strings"
	"testing"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// TestCheck_Shares writes what share partitions' state can't be made of, or only
// seems so, as damage or Kafka might have left it.
func TestCheck_Shares(t *testing.T) {
	key := share.Key{Group: "g", Topic: [16]byte{1}}
	snapshot := func(epoch int32) share.Record {
		s := share.Stored{Key: key, Snapshot: true, Epoch: epoch, Change: share.Change{Start: 5}}
		return s.Encode()
	}
	update := func(epoch int32) share.Record {
		s := share.Stored{Key: key, Epoch: epoch, Change: share.Change{Start: 7}, Done: -1}
		return s.Encode()
	}
	deleted := share.Stored{Key: key, Snapshot: true, Deleted: true}
	for name, c := range map[string]struct {
		records []share.Record
		problem string // of the only finding; "" is none
	}{
		"sound":                      {[]share.Record{snapshot(0), update(0), snapshot(1), update(1)}, ""},
		"pruned":                     {[]share.Record{update(0), snapshot(1), update(1)}, ""},
		"deleted":                    {[]share.Record{update(0), deleted.Encode()}, ""},
		"no snapshot":                {[]share.Record{update(0), update(0)}, "the snapshot before it is missing"},
		"of a snapshot that is lost": {[]share.Record{snapshot(0), update(1)}, "the snapshot before it is missing"},
		"rubbish":                    {[]share.Record{snapshot(0), {Key: snapshot(0).Key, Value: []byte{0, 0, 1}}}, "unreadable record of a share partition"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			b := start(t, Config{fs: fs, Dir: "/data"})
			if err := b.shares.Ensure(); err != nil {
				t.Fatal(err)
			}
			log := b.catalog.Image().Topic(catalog.ShareGroupState).Logs[0]
			for _, r := range c.records {
				if err := appendRecord(log, r.Key, r.Value); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			r := checked(t, fs)
			switch {
			case c.problem == "" && r.Worst() != "":
				t.Errorf("findings: %+v", r.Findings)
			case c.problem != "" && (len(r.Findings) != 1 || r.Worst() != Damage || !strings.Contains(r.Findings[0].Problem, c.problem) || r.Findings[0].Repair == ""):
				t.Errorf("want %q; findings: %+v", c.problem, r.Findings)
			}
		})
	}
}
