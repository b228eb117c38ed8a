package task

import (
	"fmt"
	"strconv"
	"strings"
)

// In a commit's metadata an order is a field "o=at.offset.done.again" where records
// were read that are not taken, and a field "p=" with the peers that are waited for, as "sub.partition.time"
// with commas between: all others were live. Numbers are in base 36.

// maxPeers keeps the metadata below what brokers take. Peers that find no room are
// taken for live.
const maxPeers = 100

// metadata is what to commit. Of what lies at or after putOff nothing counts as
// taken.
func (o *order) metadata(putOff int64) string {
	var b strings.Builder
	switch {
	case o.seen < o.again: // nothing was taken since the last commit
		fmt.Fprintf(&b, " o=%s.%s.%s.%s", base36(o.mark.at), base36(o.mark.offset), base36(o.done), base36(o.again))
	case !o.held.empty() || putOff < o.seen:
		fmt.Fprintf(&b, " o=%s.%s.%s.%s", base36(o.last.at), base36(o.last.offset), base36(min(o.settledTo(), putOff)), base36(max(o.seen, o.again)))
	}
	heard, n := false, 0
	var waited []string
	for _, p := range o.peers {
		heard = heard || p.state != unheard
		if p.state != live && n < maxPeers {
			n++
			waited = append(waited, base36(int64(p.id.Sub))+"."+base36(int64(p.id.Partition))+"."+base36(p.time))
		}
	}
	if heard {
		b.WriteString(" p=" + strings.Join(waited, ","))
	}
	return b.String()
}

func base36(n int64) string { return strconv.FormatInt(n, 36) }

// recall takes back what metadata said. What can't be read says nothing.
func (o *order) recall(metadata string, now int64) {
	fields := strings.Fields(metadata)
	if len(fields) == 0 || fields[0] != timesVersion {
		return
	}
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(f, "=")
		switch name {
		case "o":
			if n, ok := numbers(value, 4); ok {
				o.mark, o.done, o.again = place{n[0], n[1]}, n[2], n[3]
				o.last = o.mark
			}
		case "p":
			o.recallPeers(value, now)
		}
	}
	o.recompute()
}

func (o *order) recallPeers(value string, now int64) {
	for i := range o.peers {
		o.peers[i].state, o.peers[i].heard = live, now
	}
	for _, text := range strings.Split(value, ",") {
		n, ok := numbers(text, 3)
		if !ok {
			continue
		}
		id := ID{Sub: int(n[0]), Partition: int32(n[1])}
		for i := range o.peers {
			if p := &o.peers[i]; p.id == id {
				p.state, p.time = behind, n[2]
				if p.time < 0 {
					p.state = unheard
				}
			}
		}
	}
}

// numbers reads some numbers with dots between.
func numbers(text string, want int) (n [4]int64, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != want {
		return n, false
	}
	for i, part := range parts {
		v, err := strconv.ParseInt(part, 36, 64)
		if err != nil {
			return n, false
		}
		n[i] = v
	}
	return n, true
}
