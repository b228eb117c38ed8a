package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"

	"github.com/leatstream/leat/internal/invariant"
)

// session is the small file beside a database that tells a later Open how far
// to trust it. It is replaced as a whole and synced every time.
type session struct {
	Boot  string `json:"boot"`  // the boot of the machine on which the database was opened
	Clean bool   `json:"clean"` // it was closed
	// Loading is true while a bulk load replaces the database: a crash then
	// leaves nothing of use.
	Loading bool `json:"loading,omitempty"`
	// Safe are the checkpoints at the time of the last sync.
	Safe []safeCheckpoint `json:"safe,omitempty"`
}

type safeCheckpoint struct {
	Store  ID    `json:"store"`
	Offset int64 `json:"offset"`
}

const (
	sessionFile = "session"
	// sessionHead is the first line of the file, with the checksum of the rest.
	// The number is the format of the whole directory.
	sessionHead = "leat-state 1 %08x\n"
)

var errSession = errors.New("session file is missing or damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s session) encode() []byte {
	body, err := json.Marshal(s)
	if err != nil {
		invariant.Violated("a session of plain fields can't be marshalled: %v", err)
	}
	return append(fmt.Appendf(nil, sessionHead, crc32.Checksum(body, castagnoli)), body...)
}

func decodeSession(b []byte) (session, error) {
	headLen := len(fmt.Sprintf(sessionHead, 0))
	if len(b) < headLen {
		return session{}, errSession
	}
	body := b[headLen:]
	if string(b[:headLen]) != fmt.Sprintf(sessionHead, crc32.Checksum(body, castagnoli)) {
		return session{}, errSession
	}
	var s session
	if err := json.Unmarshal(body, &s); err != nil {
		return session{}, fmt.Errorf("%w: %w", errSession, err)
	}
	return s, nil
}

// readSession returns errSession if there is no session that can be used, and
// another error if the file could not be read.
func readSession(dir string) (session, error) {
	b, err := os.ReadFile(filepath.Join(dir, sessionFile))
	if errors.Is(err, os.ErrNotExist) {
		return session{}, errSession
	}
	if err != nil {
		return session{}, err
	}
	return decodeSession(b)
}

// writeSession replaces the file and returns when it is on disk.
func writeSession(dir string, s session) error {
	name := filepath.Join(dir, sessionFile)
	f, err := os.Create(name + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(s.encode())
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err == nil {
		err = syncDir(dir)
	}
	return err
}

// trust is how far a database that is there can be believed.
type trust int

const (
	trustNone trust = iota // wipe it
	trustSafe              // use the safe checkpoints
	trustAll               // use its own checkpoints
)

// trust judges the state the last user left behind; reason says why there is
// none.
func (s session) trust(boot string) (t trust, reason error) {
	switch {
	case s.Loading:
		return trustNone, errors.New("a bulk load was interrupted")
	case s.Clean, boot != "" && s.Boot == boot:
		return trustAll, nil
	case len(s.Safe) == 0:
		return trustNone, errors.New("the machine stopped before the first sync")
	}
	return trustSafe, nil
}

// safeOf lists checkpoints for a session, in the order of the ids.
func safeOf(checkpoints map[ID]int64) []safeCheckpoint {
	out := make([]safeCheckpoint, 0, len(checkpoints))
	for id, off := range checkpoints {
		out = append(out, safeCheckpoint{id, off})
	}
	slices.SortFunc(out, func(a, b safeCheckpoint) int { return int(a.Store) - int(b.Store) })
	return out
}

// syncDir makes the entries of a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
