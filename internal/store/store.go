package store

import (
	"encoding/binary"
	"errors"
)

// DB is the state of one task: all its stores in one database.
//
// All methods are safe for concurrent use. Writes are done one after the other.
// A read that runs beside a Write may see a part of it; a read that begins after
// Write has returned sees all of it.
type DB interface {
	// Prefix returns the id of the named store. It is allocated, durably, on
	// first use and stays the same over restarts whatever other stores come and
	// go; only a wipe of the whole database forgets it.
	Prefix(name string) (ID, error)

	// Get returns the value of a key that was built with ID.Key. The value is
	// the caller's to keep, but must not be modified. It is never nil where ok.
	Get(key []byte) (value []byte, ok bool, err error)

	// Scan yields the keys in [lo, hi) in byte order until yield returns false.
	// A nil lo is the first key of the first store, a nil hi the end of the
	// last store. The slices are valid during the call of yield only. yield may
	// call any method but Close; whether the rest of the scan sees what it
	// writes is not defined.
	Scan(lo, hi []byte, yield func(key, value []byte) bool) error

	// ScanReverse is Scan from the highest key down to lo.
	ScanReverse(lo, hi []byte, yield func(key, value []byte) bool) error

	// Write applies a batch: its puts and deletes (the last of a key wins) and
	// behind them its checkpoints. The batch may be Reset and used again
	// afterwards. If it was refused (ErrKey, ErrValueTooLarge, ENOSPC before
	// anything was written) the DB goes on; any other failure leaves a part of
	// the batch behind and fails the DB: it must be closed and opened again, and
	// is then at its last visible checkpoint.
	Write(b *Batch) error

	// Checkpoint is the changelog offset from which to resume a store. If there
	// is none the store may still hold records of unknown age: Clear it and
	// restore from the beginning.
	Checkpoint(store ID) (offset int64, ok bool)

	// Size is the space the database takes, on disk or in memory, in bytes. It
	// lists the directory, so it is not for the record path.
	Size() int64

	// Clear deletes the checkpoint of a store, then all its keys. It works in
	// steps, so other stores can be used meanwhile.
	Clear(store ID) error

	// Opened says in what condition the database was found.
	Opened() Opened

	// Close flushes everything and marks the database as clean. It waits for
	// reads that are under way. Calling it again returns nil.
	Close() error
}

// Opened says in what condition a database was found by Open.
type Opened struct {
	// Created is true if there was no database, or it was wiped.
	Created bool
	// Wiped is the reason why a database that was there has been removed, or
	// nil. All its stores have to be restored from the beginning.
	Wiped error
	// Safe is true if the machine went down without a clean close, so that the
	// checkpoints are those of the last sync.
	Safe bool
}

var (
	// ErrLocked is returned by Open if another DB, of this or another process,
	// has the directory open. The text names the directory.
	ErrLocked = errors.New("state directory is in use")
	// ErrClosed is returned by every use of a closed DB.
	ErrClosed = errors.New("state database is closed")
	// ErrFailed is returned by every use of a DB after a failed Write; the
	// failure is wrapped beside it. Close the DB and open it again.
	ErrFailed = errors.New("state database failed")
	// ErrKey is returned by Write for a key that is longer than MaxKey or has no
	// prefix of a store.
	ErrKey = errors.New("invalid state key")
	// ErrValueTooLarge is returned by Write for a value longer than MaxValue.
	ErrValueTooLarge = errors.New("state value is too large")
	// ErrTooManyStores is returned by Prefix when all ids are taken.
	ErrTooManyStores = errors.New("too many stores in one task")
)

const (
	// MaxKey is the length of the longest key, prefix included, in bytes.
	// Badger keeps the length of a key in 16 bits.
	MaxKey = 65000
	// MaxValue is the length of the longest value in bytes. On disk values above
	// 1 MB (or 7 % of the memtable, if that is less) are kept apart, and the space
	// of those overwritten comes back only when the database is wiped.
	MaxValue = 32 << 20
	// PrefixLen is the number of bytes an ID puts in front of a key.
	PrefixLen = 2
)

// ID is the prefix that tells the keys of one store from those of the others.
type ID uint16

// The ids that aren't given to stores. Names sort before and checkpoints behind
// all data, so that a checkpoint is the last entry of a sorted batch.
const (
	idNames       ID = 0x0000
	idBadger      ID = '!'<<8 | 'b' // Badger hides keys that begin with "!badger!".
	idCheckpoints ID = 0xffff
)

// Key appends to dst the prefix of the store and the parts of a key, and
// returns the extended slice.
func (id ID) Key(dst []byte, parts ...[]byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(id))
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

// Bounds returns the range [lo, hi) of all keys of the store.
func (id ID) Bounds() (lo, hi []byte) {
	return id.Key(nil), (id + 1).Key(nil)
}

// usable tells whether the id may be given to a store.
func (id ID) usable() bool {
	return id != idNames && id != idBadger && id != idCheckpoints
}

// idOf is the store a key belongs to; the key has at least PrefixLen bytes.
func idOf(key []byte) ID { return ID(binary.BigEndian.Uint16(key)) }

// nextID finds an unused id above all that have been given out.
func nextID(names map[string]ID) (ID, error) {
	var last ID
	for _, id := range names {
		last = max(last, id)
	}
	if last == idCheckpoints-1 {
		return 0, ErrTooManyStores
	}
	last++
	if !last.usable() {
		last++
	}
	return last, nil
}
