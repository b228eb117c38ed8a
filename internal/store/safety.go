package store

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/leatstream/leat/internal/clock"
)

// safety keeps the session file and makes checkpoints safe against a power cut:
// some time after a checkpoint all logs are synced, and then the offsets that
// were current before are noted. A hole in a log can only be behind them.
type safety struct {
	mu      sync.Mutex // held during a sync
	session session

	timerMu sync.Mutex
	timer   clock.Timer // runs, or nil
	stopped bool
}

// schedule makes sure that a sync is due.
func (s *safety) schedule(d *disk) {
	s.timerMu.Lock()
	defer s.timerMu.Unlock()
	if s.timer == nil && !s.stopped {
		s.timer = d.opts.Clock.AfterFunc(d.opts.SyncInterval, d.syncDue)
	}
}

// stop cancels the sync that is due; one that runs has entered the gate.
func (s *safety) stop() {
	s.timerMu.Lock()
	defer s.timerMu.Unlock()
	s.stopped = true
	if s.timer != nil {
		s.timer.Stop()
	}
}

// forget takes a store out of the safe checkpoints.
func (s *safety) forget(dir string, store ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.session.Safe, func(c safeCheckpoint) bool { return c.Store == store })
	if i < 0 {
		return nil
	}
	s.session.Safe = slices.Delete(slices.Clone(s.session.Safe), i, i+1)
	return writeSession(dir, s.session)
}

// syncDue is called by the timer.
func (d *disk) syncDue() {
	d.safe.timerMu.Lock()
	d.safe.timer = nil
	d.safe.timerMu.Unlock()
	if d.gate.enter() != nil {
		return
	}
	defer d.gate.leave()
	if err := d.makeSafe(); err != nil {
		d.opts.Logger.Warn("sync of state database failed, will be tried again",
			slog.String("dir", d.dir), slog.Any("error", err))
		d.safe.schedule(d)
	}
}

// makeSafe syncs the logs and notes the checkpoints that were current when it
// began.
func (d *disk) makeSafe() error {
	d.safe.mu.Lock()
	defer d.safe.mu.Unlock()
	offsets := safeOf(d.snapshot())
	if err := d.syncFiles(); err != nil {
		return err
	}
	next := d.safe.session
	next.Safe = offsets
	if err := writeSession(d.dir, next); err != nil {
		return err
	}
	d.safe.session = next
	return nil
}

// syncFiles makes everything durable that has been written so far. Tables and
// the manifest are synced by Badger before a log is removed, so a log that
// vanishes meanwhile is no loss.
func (d *disk) syncFiles() error {
	names, err := d.files(".mem", ".vlog")
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := syncFile(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return syncDir(d.path)
}

// files lists Badger's files with one of the given endings.
func (d *disk) files(endings ...string) ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if slices.Contains(endings, filepath.Ext(e.Name())) {
			names = append(names, filepath.Join(d.path, e.Name()))
		}
	}
	return names, nil
}

func syncFile(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// revert puts the checkpoints in the database back to the safe ones and syncs
// that. Stores that have none start over.
func (d *disk) revert(safe []safeCheckpoint) error {
	var b Batch
	for id := range d.checkpoints {
		b.addRaw(idCheckpoints.Key(nil, id.Key(nil)), nil, true)
	}
	clear(d.checkpoints)
	if err := b.seal(); err != nil {
		return err
	}
	if err := d.writeEntries(&b); err != nil {
		return err
	}
	b.Reset()
	for _, c := range safe {
		b.Checkpoint(c.Store, c.Offset)
		d.checkpoints[c.Store] = c.Offset
	}
	if err := b.seal(); err != nil {
		return err
	}
	if err := d.writeEntries(&b); err != nil {
		return err
	}
	return d.syncFiles()
}
