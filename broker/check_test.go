package broker

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// filled is the data of a broker that stopped in order: a topic of several
// segments with transactions, and a group.
func filled(t *testing.T) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	b := start(t, Config{fs: fs, Dir: "/data"})
	if err := b.CreateTopic(t.Context(), "t", 1, TopicConfig{"segment.bytes", "2000"}, TopicConfig{"index.interval.bytes", "100"}); err != nil {
		t.Fatal(err)
	}
	c := client(t, b, kgo.TransactionalID("x"))
	for i, commit := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit, kgo.TryCommit} {
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			produce(t, c, "t", strings.Repeat(fmt.Sprint(i), 100))
		}
		if err := endTxn(c, timeout(t), commit); err != nil {
			t.Fatal(err)
		}
	}
	commitOffset(t, b, "g", "t", 7)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	return fs
}

// commitOffset commits an offset of a group without members.
func commitOffset(t *testing.T, b *Broker, group, topic string, offset int64) {
	t.Helper()
	if code := commitCode(t, b, group, topic, offset); code != 0 {
		t.Fatalf("commit: code %d", code)
	}
}

func checked(t *testing.T, fs vfs.FS) *Report {
	t.Helper()
	r, err := check(fs, "/data")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCheck_Sound(t *testing.T) {
	r := checked(t, filled(t))
	if r.Worst() != "" || !r.Clean || r.Segments < 5 || r.Records < 60 || r.ClusterID == "" {
		t.Errorf("%+v", r)
	}
}

// files are those of a directory with a suffix, in order.
func files(t *testing.T, fs vfs.FS, dir, suffix string) []string {
	t.Helper()
	entries, err := fs.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name, suffix) {
			names = append(names, vfs.Join(dir, e.Name))
		}
	}
	return names
}

// rewrite replaces a file's content.
func rewrite(t *testing.T, fs vfs.FS, name string, change func([]byte) []byte) {
	t.Helper()
	b, err := vfs.ReadFile(fs, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.WriteFile(fs, name, change(bytes.Clone(b))); err != nil {
		t.Fatal(err)
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		if at < 0 {
			at += len(b)
		}
		b[at] ^= 0x55
		return b
	}
}

func cutTo(n int) func([]byte) []byte {
	return func(b []byte) []byte {
		if n < 0 {
			n += len(b)
		}
		return b[:n]
	}
}

// TestCheck_Damage damages one file of each kind, and sees it named, with what
// will become of it. What is repairable must be gone after a start and a stop.
func TestCheck_Damage(t *testing.T) {
	const topic, offsets, txns = "/data/topics/t-0", "/data/topics/__consumer_offsets-", "/data/topics/__transaction_state-"
	for name, c := range map[string]struct {
		dir, suffix string
		last        bool // the last file, not the first
		change      func([]byte) []byte
		want        Severity
		problem     string
	}{
		"record":             {topic, ".log", false, flip(100), Damage, "CRC"},
		"frame":              {topic, ".log", false, flip(8), Damage, ""},
		"offset":             {topic, ".log", false, flip(7), Damage, ""},
		"torn":               {topic, ".log", true, cutTo(-5), Damage, "cut off"},
		"rubbish at the end": {topic, ".log", true, func(b []byte) []byte { return append(b, "rubbish"...) }, Damage, "cut off"},
		"index":              {topic, ".index", false, flip(3), Repairable, "index"},
		"index beyond":       {topic, ".index", false, flip(-4), Repairable, "index"},
		"torn index":         {topic, ".index", false, cutTo(5), Repairable, "no whole entries"},
		"time index":         {topic, ".timeindex", false, flip(7), Repairable, "index"},
		"transactions":       {topic, ".txnindex", false, flip(25), Damage, "index of transactions"},
		"torn transactions":  {topic, ".txnindex", false, cutTo(7), Repairable, "index of transactions"},
		"producers":          {topic, ".snapshot", true, flip(20), Repairable, "snapshot"},
		"checkpoint":         {topic, "checkpoint", false, flip(10), Damage, "checkpoint"},
		"catalog":            {"/data", "catalog.json", false, cutTo(10), Damage, "catalog.json"},
		"group":              {offsets, ".log", false, nil, Damage, "can't be read"},
		"transactional id":   {txns, ".log", false, nil, Damage, "can't be read"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := filled(t)
			if c.change == nil {
				spoilState(t, fs, c.dir)
			} else {
				names := files(t, fs, c.dir, c.suffix)
				file := names[0]
				if c.last {
					file = names[len(names)-1]
				}
				rewrite(t, fs, file, c.change)
			}
			r := checked(t, fs)
			if r.Worst() != c.want || c.want != "" && !slices.ContainsFunc(r.Findings, func(f Finding) bool {
				return f.Severity == c.want && strings.Contains(f.Problem+f.File, c.problem) && f.Repair != "" && f.File != ""
			}) {
				t.Fatalf("%q, want %q with %q; findings: %+v", r.Worst(), c.want, c.problem, r.Findings)
			}
			if name == "transactions" { // as the finding advises
				remove(t, fs, r.Findings[0].File, "topics/t-0/checkpoint")
			} else if c.want != Repairable {
				return
			}
			b := start(t, Config{fs: fs, Dir: "/data"})
			read := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
			if got := consume(t, read, 40); len(got) != 40 || got[0][0] != '1' {
				t.Errorf("after the repair: %d records, the first %.3s", len(got), got[0])
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if r := checked(t, fs); r.Worst() == Damage {
				t.Errorf("after a start: %+v", r.Findings)
			}
		})
	}
}

// remove removes files below /data.
func remove(t *testing.T, fs vfs.FS, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := fs.Remove(vfs.Join("/data", name)); err != nil {
			t.Fatal(err)
		}
	}
}

// spoilState puts a record that can't be read into an internal topic.
func spoilState(t *testing.T, fs vfs.FS, prefix string) {
	t.Helper()
	name := strings.TrimSuffix(strings.TrimPrefix(prefix, "/data/topics/"), "-")
	b := start(t, Config{fs: fs, Dir: "/data"})
	log := b.catalog.Image().Topic(name).Logs[0]
	// Version 1 of an offset's key, and version 0 of a transaction's, with
	// nothing behind that could be one.
	key := []byte{0, 1}
	if strings.Contains(name, "transaction") {
		key = []byte{0, 0}
	}
	if err := appendRecord(log, key, []byte{0}); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCheck_Locked(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Config{Dir: dir})
	if _, err := Check(dir); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("while a broker runs: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := Check(dir); err != nil || r.Worst() != "" {
		t.Errorf("afterwards: %+v, %v", r, err)
	}
	if _, err := Check(t.TempDir()); err == nil {
		t.Error("an empty directory was checked")
	}
}

func TestCheck_Strays(t *testing.T) {
	fs := filled(t)
	if err := fs.MkdirAll("/data/topics/gone-0"); err != nil {
		t.Fatal(err)
	}
	if err := fs.RemoveAll("/data/topics/__consumer_offsets-1"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"leader-epoch-checkpoint", "README", "00000000000000000000.log.deleted", "00000000000000000003.index", "checkpoint.tmp", "00000000000000000000.timeindex.swap"} {
		if err := vfs.WriteFile(fs, "/data/topics/t-0/"+name, []byte("rubbish")); err != nil {
			t.Fatal(err)
		}
	}
	r := checked(t, fs)
	for file, want := range map[string]Severity{
		"topics/gone-0": Note, "topics/__consumer_offsets-1": Damage, "topics/t-0/leader-epoch-checkpoint": Damage, "topics/t-0/README": Note,
		"topics/t-0/00000000000000000000.log.deleted": Note, "topics/t-0/00000000000000000003.index": Note, "topics/t-0/checkpoint.tmp": Note,
		"topics/t-0/00000000000000000000.timeindex.swap": Repairable,
	} {
		if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.File == file && f.Severity == want }) {
			t.Errorf("%s isn't told as %s: %+v", file, want, r.Findings)
		}
	}
	// All but the one that is nobody's are gone or good after a start.
	b := start(t, Config{fs: fs, Dir: "/data"})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, f := range checked(t, fs).Findings {
		if f.Severity != Note && f.File != "topics/t-0/leader-epoch-checkpoint" {
			t.Errorf("after a start: %+v", f)
		}
	}
}

// appendRecord appends a record as a coordinator would.
func appendRecord(log *partition.Log, key, value []byte) error {
	b, err := batch.Append(nil, batch.New(), []batch.Record{{Key: key, Value: value}})
	if err != nil {
		return err
	}
	_, err = log.Append(b, partition.AppendArgs{Origin: partition.Coordinator})
	return err
}

// TestCheck_AnyDamage changes random bytes of random files: whatever comes of
// it, the check ends with a report.
func TestCheck_AnyDamage(t *testing.T) {
	fs := filled(t)
	var all []string
	for _, dir := range []string{"/data", "/data/topics/t-0", "/data/topics/__consumer_offsets-0", "/data/topics/__transaction_state-0"} {
		all = append(all, files(t, fs, dir, "")...)
	}
	all = slices.DeleteFunc(all, func(name string) bool { return name == "/data/topics" || name == "/data/LOCK" })
	rapid.Check(t, func(r *rapid.T) {
		name := rapid.SampledFrom(all).Draw(r, "file")
		whole, err := vfs.ReadFile(fs, name)
		if err != nil || len(whole) == 0 {
			return
		}
		defer func() {
			if err := vfs.WriteFile(fs, name, whole); err != nil {
				r.Fatal(err)
			}
		}()
		b := bytes.Clone(whole)
		for range rapid.IntRange(1, 4).Draw(r, "changes") {
			b[rapid.IntRange(0, len(b)-1).Draw(r, "at")] = rapid.Byte().Draw(r, "byte")
		}
		b = b[:rapid.IntRange(0, len(b)).Draw(r, "length")]
		if err := vfs.WriteFile(fs, name, b); err != nil {
			r.Fatal(err)
		}
		report, err := check(fs, "/data")
		if err != nil {
			r.Fatalf("%s: %v", name, err)
		}
		for _, f := range report.Findings {
			if f.Problem == "" || f.Repair == "" || f.Severity == "" {
				r.Fatalf("%s: an empty finding: %+v", name, f)
			}
		}
	})
}

// TestCheck_PowerCut: what a power cut leaves of a broker that syncs before it
// acknowledges is put right at the next start, and no check calls it damage.
func TestCheck_PowerCut(t *testing.T) {
	for seed := range uint64(15) {
		fs := vfs.NewFault(vfs.NewMem())
		b := start(t, Config{fs: fs, Dir: "/data", Durability: Fsync})
		if err := b.CreateTopic(t.Context(), "t", 2, TopicConfig{"segment.bytes", "700"}); err != nil {
			t.Fatal(err)
		}
		c := client(t, b, kgo.ProducerBatchCompression(kgo.NoCompression()))
		for i := range 20 {
			produce(t, c, "t", fmt.Sprint(i)+strings.Repeat("x", 100))
		}
		commitOffset(t, b, "g", "t", int64(seed))
		c.Close()
		fs.Inject(vfs.Rule{Ops: vfs.OpChange, Err: vfs.ErrPowerCut})
		_ = b.Close() // without power
		b.result = nil
		fs.PowerCut(seed)
		r := checked(t, fs)
		if r.Worst() == Damage || r.Clean || r.Records < 20 {
			t.Fatalf("seed %d: %+v", seed, r)
		}
		again := start(t, Config{fs: fs, Dir: "/data"})
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if r := checked(t, fs); rank(r.Worst()) > rank(Note) {
			t.Errorf("seed %d, after a start and a stop: %+v", seed, r.Findings)
		}
	}
}
