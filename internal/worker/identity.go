package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/leatstream/leat/internal/store"
)

// identity is what an instance leaves in its state directory for the one that
// comes after it there: the name of its membership in the group.
//
// An instance that was killed stays a member until its session times out, and
// until then the group waits for it whenever it rebalances. Whoever holds the
// state directory's lock knows that its last owner is dead, and can say so to
// the group at once. (A static member would be the other way. It leaves nothing
// to wait for either, but then leaving on purpose hands over only when the
// session times out.)
type identity struct {
	file string
	lock io.Closer
	last string // the predecessor's member id, "" if it left properly
	mine string // as noted in the file
}

// claim takes the state directory. It returns nil if there is none.
func claim(stateDir, app string) (*identity, error) {
	if stateDir == "" {
		return nil, nil
	}
	dir := filepath.Join(stateDir, app)
	lock, err := store.Lock(dir)
	if err != nil {
		if errors.Is(err, store.ErrLocked) {
			return nil, fmt.Errorf("worker: another instance of %s runs with this state directory; give each one of its own: %w", app, err)
		}
		return nil, fmt.Errorf("worker: %w", err)
	}
	id := &identity{file: filepath.Join(dir, "member"), lock: lock}
	if b, err := os.ReadFile(id.file); err == nil {
		id.last = strings.TrimSpace(string(b))
	}
	return id, nil
}

// bury tells the group that the predecessor is dead. If that fails, the session
// timeout does it.
func (in *Instance) bury(ctx context.Context) {
	id := in.identity
	if id == nil || id.last == "" {
		return
	}
	err := in.client.Evict(ctx, in.cfg.App, id.last)
	in.cfg.Logger.Info("the last instance in this state directory ended without a goodbye", "member", id.last, "error", err)
}

// note keeps the name of the present membership.
func (id *identity) note(member string) error {
	if id == nil || member == "" || member == id.mine {
		return nil
	}
	tmp := id.file + ".new"
	if err := os.WriteFile(tmp, []byte(member+"\n"), 0o666); err != nil {
		return err
	}
	id.mine = member
	return os.Rename(tmp, id.file)
}

// left says that the member has left the group: there is nobody to bury.
func (id *identity) left() {
	if id != nil {
		_ = os.Remove(id.file) // what stays is a member that nobody knows
	}
}

// release gives the directory back.
func (id *identity) release() {
	if id != nil {
		_ = id.lock.Close()
	}
}
