package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/journal"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// Report is what [Check] found in a data directory.
type Report struct {
	Dir       string `json:"dir"`
	ClusterID string `json:"clusterId,omitempty"`
	// Clean says that the broker stopped in order.
	Clean      bool      `json:"clean"`
	Topics     int       `json:"topics"`
	Partitions int       `json:"partitions"`
	Segments   int       `json:"segments"`
	Batches    int64     `json:"batches"`
	Records    int64     `json:"records"`
	Bytes      int64     `json:"bytes"`
	Findings   []Finding `json:"findings"`
}

// Finding is something that isn't as it should be.
type Finding struct {
	Severity Severity `json:"severity"`
	// Topic is empty for what isn't about a topic.
	Topic string `json:"topic,omitempty"`
	File  string `json:"file"`
	// Position is where in the file, in bytes, and Offset the record's; -1 is
	// the whole file, and no record.
	Position int64  `json:"position"`
	Offset   int64  `json:"offset"`
	Problem  string `json:"problem"`
	// Repair is what the next start does about it, or what to do now.
	Repair string `json:"repair"`
}

// Severity says what a finding costs.
type Severity string

const (
	// Note is nothing to worry about.
	Note Severity = "note"
	// Repairable is put right at the next start, and no record is lost.
	Repairable Severity = "repairable"
	// Damage has cost records or state, or keeps the broker from its work.
	Damage Severity = "damage"
)

// Worst is the severity of the worst finding; "" if there is none.
func (r *Report) Worst() Severity {
	worst := Severity("")
	for _, f := range r.Findings {
		if rank(f.Severity) > rank(worst) {
			worst = f.Severity
		}
	}
	return worst
}

func rank(s Severity) int { return slices.Index([]Severity{"", Note, Repairable, Damage}, s) }

// Check looks at every byte of a data directory, without changing any, and
// tells what isn't right and what the next start would do about it. No broker
// may use the directory meanwhile: the error then says which process does. It
// takes about as long as reading all files.
func Check(dir string) (*Report, error) { return check(vfs.OS, dir) }

func check(fsys vfs.FS, dir string) (*Report, error) {
	if _, err := fsys.ReadDir(dir); err != nil {
		return nil, fmt.Errorf("broker: check: %w", err)
	}
	if there, err := exists(fsys, vfs.Join(dir, "LOCK")); err == nil && there {
		lock, err := fsys.Lock(vfs.Join(dir, "LOCK"))
		switch {
		case err == nil:
			defer lock.Close()
		case errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission):
			// Nobody can write here, or at least we can't; look all the same.
		default:
			return nil, fmt.Errorf("broker: check: %w", err)
		}
	}
	c := &checker{fs: fsys, report: &Report{Dir: dir, Findings: []Finding{}}}
	if err := c.run(); err != nil {
		return nil, fmt.Errorf("broker: check %s: %w", dir, err)
	}
	return c.report, nil
}

func exists(fsys vfs.FS, name string) (bool, error) {
	f, err := fsys.OpenFile(name, vfs.ReadOnly)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// checker is a check under way.
type checker struct {
	fs     vfs.FS
	report *Report
}

func (c *checker) add(topic string, f partition.Finding) {
	severity := map[partition.Severity]Severity{partition.Note: Note, partition.Repairable: Repairable, partition.Damage: Damage}[f.Severity]
	file := strings.TrimPrefix(strings.TrimPrefix(f.File, c.report.Dir), "/")
	c.report.Findings = append(c.report.Findings, Finding{
		Severity: severity, Topic: topic, File: file, Position: f.Position, Offset: f.Offset, Problem: f.Problem, Repair: f.Repair,
	})
}

func (c *checker) run() error {
	r := c.report
	cat, err := catalog.Inspect(c.fs, r.Dir)
	if errors.Is(err, catalog.ErrNoCatalog) {
		return err
	}
	if err != nil {
		c.add("", partition.Finding{Severity: partition.Damage, File: "catalog.json", Position: -1, Offset: -1, Problem: err.Error(),
			Repair: "the broker doesn't start: restore the file from a backup; without it nobody knows which topics there are"})
		return nil
	}
	r.ClusterID, r.Clean, r.Topics = cat.ClusterID, cat.Clean, len(cat.Topics)
	if !cat.Clean {
		c.add("", partition.Finding{Severity: partition.Note, File: "catalog.json", Position: -1, Offset: -1, Problem: "the broker didn't stop in order",
			Repair: "the next start checks what may not have been on the disk"})
	}
	for _, dir := range cat.Strays {
		c.add("", partition.Finding{Severity: partition.Note, File: dir, Position: -1, Offset: -1, Problem: "no topic has this partition", Repair: "the next start removes it"})
	}
	left, err := c.journal()
	if err != nil {
		return err
	}
	defer left.Close()
	for _, t := range cat.Topics {
		for p, dir := range t.Dirs {
			redo := left.Entries(journal.Key{Topic: t.ID, Partition: int32(p)})
			if err := c.partition(t.Name, dir, cat.Clean, redo); err != nil {
				return err
			}
		}
	}
	return nil
}

// journal reads what the broker had in its journal when it stopped.
func (c *checker) journal() (*journal.Recovered, error) {
	left, err := journal.Recover(c.fs, vfs.Join(c.report.Dir, journalDir))
	if err != nil {
		return nil, err
	}
	if left.Blocks > 0 {
		c.add("", partition.Finding{Severity: partition.Note, File: journalDir, Position: -1, Offset: -1, Problem: fmt.Sprintf("%d bytes of records may be in the journal only", left.Bytes),
			Repair: "the next start writes them to their partitions; they are checked here as if it had"})
	}
	for _, d := range left.Damaged {
		c.add("", partition.Finding{Severity: partition.Damage, File: d.Path, Position: d.Position, Offset: -1, Problem: "a part of the journal can't be read",
			Repair: "the next start does without it: records that were acknowledged are lost unless they had reached their partitions"})
	}
	return left, nil
}

// partition checks one partition, and what it tells if it is internal.
func (c *checker) partition(topic, dir string, clean bool, redo []journal.Entry) error {
	c.report.Partitions++
	var each func([]byte, *batch.Header) error
	state := coord.NewInspector(topic)
	bad := func(offset int64, err error) {
		c.add(topic, partition.Finding{Severity: partition.Damage, File: dir, Position: -1, Offset: offset, Problem: "a record of a coordinator's state can't be read: " + err.Error(),
			Repair: "the next start leaves it out: what it tells of a group or transaction is lost"})
	}
	if state != nil {
		each = func(b []byte, h *batch.Header) error {
			state.Batch(b, h, bad)
			return nil
		}
	}
	in, err := partition.Inspect(partition.Inspection{FS: c.fs, Dir: dir, Clean: clean, Redo: redo, Each: each})
	if errors.Is(err, fs.ErrNotExist) {
		c.add(topic, partition.Finding{Severity: partition.Damage, File: dir, Position: -1, Offset: -1, Problem: "the partition's directory is missing",
			Repair: "the next start makes an empty one; restore it from a backup before, if there were records"})
		return nil
	}
	if err != nil {
		return err
	}
	if state != nil {
		state.End(bad)
	}
	r := c.report
	r.Segments += in.Segments
	r.Batches += in.Batches
	r.Records += in.Records
	r.Bytes += in.Bytes
	for _, f := range in.Findings {
		c.add(topic, f)
	}
	return nil
}
