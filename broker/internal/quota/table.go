package quota

// Table is all quotas. It never changes.
type Table struct {
	entries []Entry
	byKey   map[string]map[string]float64 // by Entity.Key
}

// Compile makes a table of entries, which must not be modified any more.
func Compile(entries []Entry) *Table {
	t := &Table{entries: entries, byKey: map[string]map[string]float64{}}
	for _, e := range entries {
		t.byKey[e.Entity.Key()] = e.Values
	}
	return t
}

// Entries are all quotas. They must not be modified.
func (t *Table) Entries() []Entry { return t.entries }

// bucket is whose use is measured together: all of a user's clients, for
// instance, where the quota is the user's.
type bucket struct{ quota, user, client string }

// find finds the quota that holds for a user's client. The most special one
// does; the use of clients under a default is measured for each.
func (t *Table) find(quota, user, client string) (limit float64, b bucket, ok bool) {
	if len(t.byKey) == 0 {
		return 0, bucket{}, false
	}
	u, c := Part{UserType, &user}, Part{ClientType, &client}
	anyU, anyC := Part{Type: UserType}, Part{Type: ClientType}
	both, justUser, justClient := bucket{quota, user, client}, bucket{quota: quota, user: user}, bucket{quota: quota, client: client}
	// client-id sorts before user.
	for _, try := range [...]struct {
		entity Entity
		bucket bucket
	}{
		{Entity{c, u}, both},
		{Entity{anyC, u}, both},
		{Entity{u}, justUser},
		{Entity{c, anyU}, both},
		{Entity{anyC, anyU}, both},
		{Entity{anyU}, justUser},
		{Entity{c}, justClient},
		{Entity{anyC}, justClient},
	} {
		if limit, ok := t.byKey[try.entity.Key()][quota]; ok {
			return limit, try.bucket, true
		}
	}
	return 0, bucket{}, false
}
