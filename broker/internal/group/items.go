package group

import (
	"fmt"

	"github.com/leatstream/leat/broker/internal/flex"
)

// NewRecord makes a record of a membership: of the whole group with the id, or of
// an item of it, a member for instance.
func NewRecord(t RecordType, id, item string, schema func(*flex.Coder)) Record {
	return Record{Key: Key{Type: t, Group: id, Item: item}.Append(nil), Value: flex.Encode(nil, versioned(schema))}
}

// Tombstone makes a record that removes one of [NewRecord].
func Tombstone(t RecordType, id, item string) Record {
	return Record{Key: Key{Type: t, Group: id, Item: item}.Append(nil)}
}

// TakeRecord is a membership's Apply but for what the record means: remove takes a
// tombstone, and put a value, which read reads by its schema. read reports whether
// it could; the group with the id stays as it is if not.
func TakeRecord(r Record, id string, remove func(Key), put func(k Key, read func(schema func(*flex.Coder)) bool)) error {
	k, err := ParseKey(r.Key)
	if err != nil {
		return err
	}
	if r.Value == nil {
		remove(k)
		return nil
	}
	put(k, func(schema func(*flex.Coder)) bool {
		err = flex.Decode(r.Value, versioned(schema))
		return err == nil
	})
	if err != nil {
		return fmt.Errorf("%w: type %d of group %s: %w", ErrRecord, k.Type, id, err)
	}
	return nil
}

// versioned puts the version before the value of a record. There is one so far.
func versioned(schema func(*flex.Coder)) func(*flex.Coder) {
	return func(c *flex.Coder) {
		var version int16
		c.Int16(&version)
		if version != 0 {
			c.Fail(fmt.Errorf("version %d is not known", version))
			return
		}
		schema(c)
	}
}
