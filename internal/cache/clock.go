package cache

// cached is what the cache knows of an entry or a row.
type cached struct {
	key    string // encoded
	size   int64  // bytes, about
	seq    uint64 // of the last change, for the order of the flush
	origin int    // its place in origins, from 1; 0: none
	dirty  bool   // changed since the last flush
	held   bool   // flushed, but not in the database yet
	used   bool   // since the clock's hand last passed
}

// clockRing decides which clean entries leave a cache that is over its budget:
// a second chance for those used since the hand last passed (the CLOCK
// algorithm). What is not in the database yet stays.
type clockRing struct {
	ring  []*cached
	hand  int
	bytes int64
}

// admit counts a new entry, and calls evict with the keys of others that make
// room for it.
func (c *clockRing) admit(e *cached, budget int64, evict func(key string)) {
	c.bytes += e.size
	// Two rounds of the hand are enough: the first takes the second chances
	// away. What is left then waits for a commit.
	for tries := 2 * len(c.ring); c.bytes > budget && tries > 0 && len(c.ring) > 0; tries-- {
		c.hand %= len(c.ring)
		victim := c.ring[c.hand]
		switch {
		case victim.dirty || victim.held:
			c.hand++
		case victim.used:
			victim.used = false
			c.hand++
		default:
			c.bytes -= victim.size
			evict(victim.key)
			last := len(c.ring) - 1
			c.ring[c.hand] = c.ring[last]
			c.ring[last] = nil
			c.ring = c.ring[:last]
		}
	}
	c.ring = append(c.ring, e)
}

// resize changes the size of an entry in the ring.
func (c *clockRing) resize(e *cached, size int64) {
	c.bytes += size - e.size
	e.size = size
}
