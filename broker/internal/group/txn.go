package group

import (
	"github.com/leatstream/leat/broker/internal/batch"
)

// NoTxn is the producer of what is not part of a transaction.
const NoTxn = batch.NoProducer

// Place is where the records of a step were stored.
type Place struct {
	Offset   int64 // of the first record, or of the record
	Producer int64 // whose transaction they belong to, or NoTxn
}

// committed is a committed offset, and the offset of its record: of two
// commits the later record counts, even if the transaction of the earlier one
// ends after it.
type committed struct {
	Offset
	at int64
}

// put takes an offset whose record is stored: at once, or when its transaction
// is committed.
func (g *Group) put(p Partition, c committed, producer int64) {
	if producer == NoTxn {
		g.offsets[p] = c
		return
	}
	if g.open[producer] == nil {
		g.open[producer] = map[Partition]committed{}
	}
	g.open[producer][p] = c
}

// EndTxn takes the end of a producer's transaction, whose marker is stored.
func (g *Group) EndTxn(producer int64, o batch.Outcome) {
	if o == batch.Commit {
		for p, c := range g.open[producer] {
			if old, ok := g.offsets[p]; !ok || c.at > old.at {
				g.offsets[p] = c
			}
		}
	}
	delete(g.open, producer)
}

// Unstable says whether a transaction that is still open has committed an
// offset of the partition.
func (g *Group) Unstable(p Partition) bool {
	for _, offsets := range g.open {
		if _, ok := offsets[p]; ok {
			return true
		}
	}
	return false
}

// drop forgets all offsets of a partition, those of open transactions too.
func (g *Group) drop(p Partition) {
	delete(g.offsets, p)
	for producer, offsets := range g.open {
		if delete(offsets, p); len(offsets) == 0 {
			delete(g.open, producer)
		}
	}
}
