package table

import (
	"testing"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/topic"
)

// FuzzChange reads arbitrary bytes as a record of a table's changes.
func FuzzChange(f *testing.F) {
	via := topic.New("changes", serde.String, serde.Int64)
	one := []byte{0, 0, 0, 0, 0, 0, 0, 1}
	f.Add([]byte("k"), one, one, true)
	f.Add([]byte("k"), []byte("short"), []byte{}, true)
	f.Add([]byte{}, one, []byte(nil), false)
	f.Fuzz(func(t *testing.T, key, value, old []byte, hasOld bool) {
		r := &record.Record{Key: key, Value: value, Time: 7}
		if hasOld {
			r.Headers = []record.Header{{Key: "other"}, {Key: headerOld, Value: old}}
		}
		c, err := decodeChange(via, r)
		if err != nil {
			return
		}
		if c.Key != string(key) || c.Time != 7 || c.HasNew != (value != nil) || c.HasOld != (hasOld && old != nil) {
			t.Errorf("%q %q %q gave %+v", key, value, old, c)
		}
	})
}
