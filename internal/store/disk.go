package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// version is the version of all keys: leat needs no history, and a read that
// finds the version it asks for ends there.
const version = 1

// privateValue is the length up to which a value that Badger hands out is a copy
// made for the caller. Longer ones may lie in the mapped value log.
const privateValue = 64 << 10

// disk is the DB on Badger. Locks are taken in the order gate, writing, safe.mu,
// mu.
type disk struct {
	dir, path string // the directory of the task, and Badger's in it
	opts      Options
	lock      io.Closer
	db        *badger.DB
	txn       *badger.Txn // reads version 1, which is to say everything
	opened    Opened
	gate      *gate
	writing   sync.Mutex // one Write at a time
	safe      safety
	iters     iterators

	mu          sync.Mutex
	names       map[string]ID
	checkpoints map[ID]int64
}

func newDisk(dir string, o Options, lock io.Closer) *disk {
	return &disk{
		dir: dir, path: filepath.Join(dir, dbName), opts: o, lock: lock,
		gate: newGate(), names: map[string]ID{}, checkpoints: map[ID]int64{},
	}
}

// begin reads what is known of the stores and starts the session.
func (d *disk) begin(boot string, last session, t trust) error {
	if err := d.load(); err != nil {
		return err
	}
	now := session{Boot: boot}
	switch {
	case d.opened.Created:
	case t == trustSafe:
		// The database is put back before the session names this boot: until
		// then a second power cut finds the old session and does this again.
		d.opened.Safe = true
		if err := d.revert(last.Safe); err != nil {
			return err
		}
		now.Safe = last.Safe
	case last.Clean:
		now.Safe = safeOf(d.checkpoints) // closing has synced everything
	default:
		now.Safe = last.Safe
	}
	d.safe.session = now
	return writeSession(d.dir, now)
}

// load reads the names and the checkpoints.
func (d *disk) load() error {
	it := d.txn.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	for it.Seek(idNames.Key(nil)); it.ValidForPrefix(idNames.Key(nil)); it.Next() {
		v, err := it.Item().ValueCopy(nil)
		if err != nil || len(v) != 2 {
			return fmt.Errorf("store name %q: bad id %x: %w", it.Item().Key(), v, errors.Join(err))
		}
		d.names[string(it.Item().Key()[PrefixLen:])] = idOf(v)
	}
	for it.Seek(idCheckpoints.Key(nil)); it.ValidForPrefix(idCheckpoints.Key(nil)); it.Next() {
		k := it.Item().Key()
		v, err := it.Item().ValueCopy(nil)
		if err != nil || len(v) != 8 || len(k) != 2*PrefixLen {
			return fmt.Errorf("checkpoint %x: bad offset %x: %w", k, v, errors.Join(err))
		}
		d.checkpoints[idOf(k[PrefixLen:])] = int64(binary.BigEndian.Uint64(v))
	}
	return nil
}

func (d *disk) Prefix(name string) (ID, error) {
	d.mu.Lock()
	id, ok := d.names[name]
	d.mu.Unlock()
	if ok {
		return id, nil
	}
	if err := d.gate.enter(); err != nil {
		return 0, err
	}
	defer d.gate.leave()
	d.writing.Lock()
	defer d.writing.Unlock()
	if id, ok := d.names[name]; ok {
		return id, nil // somebody was faster
	}
	id, err := nextID(d.names)
	if err != nil {
		return 0, fault("prefix of store "+name, d.dir, err)
	}
	// An id that is lost in a power cut might be given to another store while
	// the data of this one is still there.
	var b Batch
	b.addRaw(idNames.Key(nil, []byte(name)), id.Key(nil), false)
	if err := d.writeEntries(&b); err != nil {
		return 0, err
	}
	if err := d.syncFiles(); err != nil {
		return 0, fault("sync", d.dir, err)
	}
	d.mu.Lock()
	d.names[name] = id
	d.mu.Unlock()
	return id, nil
}

func (d *disk) Get(key []byte) (value []byte, ok bool, err error) {
	if err := d.gate.enter(); err != nil {
		return nil, false, err
	}
	defer d.gate.leave()
	defer d.catch("get", &err)
	item, err := d.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, false, nil
	}
	if err == nil {
		err = item.Value(func(v []byte) error {
			if value = v; len(v) > privateValue || v == nil {
				value = append([]byte{}, v...)
			}
			return nil
		})
	}
	if err != nil {
		return nil, false, fault("get", d.dir, err)
	}
	return value, true, nil
}

func (d *disk) Checkpoint(store ID) (offset int64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	offset, ok = d.checkpoints[store]
	return offset, ok
}

func (d *disk) Opened() Opened { return d.opened }

func (d *disk) Size() int64 {
	var sum int64
	// Files come and go under the walk; what can't be read counts nothing.
	_ = filepath.WalkDir(d.dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil
		}
		if fi, err := e.Info(); err == nil {
			sum += allocated(fi)
		}
		return nil
	})
	return sum
}

// clearStep is the number of keys Clear deletes in one Write.
const clearStep = 5000

func (d *disk) Clear(store ID) error {
	if err := d.dropCheckpoint(store); err != nil {
		return err
	}
	var b Batch
	lo, hi := store.Bounds()
	for {
		b.Reset()
		err := d.Scan(lo, hi, func(key, _ []byte) bool {
			b.Delete(key)
			return b.Len() < clearStep
		})
		if err != nil || b.Len() == 0 {
			return err
		}
		last := b.entries[b.Len()-1].key
		lo = append(append(lo[:0], last...), 0)
		if err := d.Write(&b); err != nil {
			return err
		}
	}
}

// dropCheckpoint forgets the checkpoint of a store everywhere, before its data
// goes.
func (d *disk) dropCheckpoint(store ID) error {
	if err := d.gate.enter(); err != nil {
		return err
	}
	defer d.gate.leave()
	d.writing.Lock()
	defer d.writing.Unlock()
	var b Batch
	b.addRaw(idCheckpoints.Key(nil, store.Key(nil)), nil, true)
	if err := d.writeEntries(&b); err != nil {
		return err
	}
	d.mu.Lock()
	delete(d.checkpoints, store)
	d.mu.Unlock()
	return fault("write session", d.dir, d.safe.forget(d.dir, store))
}

func (d *disk) Close() error {
	if !d.gate.close() {
		return nil
	}
	d.safe.stop()
	d.iters.drop()
	failed := d.gate.failed != nil
	if err := d.within(d.opts.CloseTimeout, d.closeBadger); err != nil {
		// Badger may still be at work: the lock stays until the process ends.
		return fault("close", d.dir, err)
	}
	s := d.safe.session
	if !failed {
		s.Clean, s.Safe = true, safeOf(d.checkpoints)
	}
	err := writeSession(d.dir, s)
	if cerr := d.lock.Close(); err == nil {
		err = cerr
	}
	return fault("close", d.dir, err)
}

// closeBadger waits until Close can't put a fourth table into level 0, and
// closes.
func (d *disk) closeBadger() (err error) {
	if d.db == nil {
		return nil
	}
	defer d.catch("close", &err)
	d.txn.Discard()
	for {
		logs, err := d.files(".mem")
		if err != nil {
			return err
		}
		if len(logs) <= 1 && d.db.Levels()[0].NumTables < levelZeroStall {
			return d.db.Close()
		}
		t := d.opts.Clock.NewTimer(5 * time.Millisecond)
		<-t.C()
	}
}

// within runs f and gives up after a while. f then goes on in the background.
func (d *disk) within(limit time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	t := d.opts.Clock.NewTimer(limit)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C():
		return fmt.Errorf("not done after %v, the disk may be full or stuck: %w", limit, os.ErrDeadlineExceeded)
	}
}

// catch turns a panic of Badger into an error and fails the database: after a
// failed write Badger has no memtable and readers run into it. It is deferred.
func (d *disk) catch(doing string, err *error) { d.catchFrom(recover(), doing, err) }

func (d *disk) catchFrom(panicked any, doing string, err *error) {
	if panicked != nil {
		*err = fault(doing, d.dir, caught{panicked})
		d.gate.fail(*err)
	}
}

// snapshot copies the checkpoints.
func (d *disk) snapshot() map[ID]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.checkpoints)
}
