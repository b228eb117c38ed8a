package store

// arenaBlock is the size of one block of an arena. Anything longer than a
// quarter of it gets memory of its own, which is not kept over reset.
const arenaBlock = 64 << 10

// arena hands out copies of byte slices from blocks that are used again after a
// reset. The zero value is ready for use.
type arena struct {
	blocks [][]byte
	cur    int // blocks[cur] is being filled
	used   int // bytes of it
}

// copy returns a copy of b that is valid until reset. It is never nil.
func (a *arena) copy(b []byte) []byte {
	n := len(b)
	if n > arenaBlock/4 {
		return append(make([]byte, 0, n), b...)
	}
	if len(a.blocks) > 0 && a.used+n > arenaBlock {
		a.cur, a.used = a.cur+1, 0
	}
	if a.cur == len(a.blocks) {
		a.blocks = append(a.blocks, make([]byte, arenaBlock))
	}
	out := a.blocks[a.cur][a.used : a.used+n : a.used+n]
	copy(out, b)
	a.used += n
	return out
}

func (a *arena) reset() { a.cur, a.used = 0, 0 }
