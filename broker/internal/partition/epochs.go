package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/leatstream/leat/broker/internal/vfs"
)

// epochsName is Kafka's name, and the content is in Kafka's format: a version,
// a count, and a line with epoch and first offset for each.
const epochsName = "leader-epoch-checkpoint"

// epoch is a leader epoch and the first offset written in it.
type epoch struct {
	number int32
	start  int64
}

func parseEpochs(s string) ([]epoch, error) {
	r := strings.NewReader(s)
	var version, count int
	if _, err := fmt.Fscan(r, &version, &count); err != nil || version != 0 {
		return nil, fmt.Errorf("damaged leader epochs, version %d", version)
	}
	var list []epoch
	for range count {
		var e epoch
		if _, err := fmt.Fscan(r, &e.number, &e.start); err != nil {
			return nil, fmt.Errorf("damaged leader epochs: %w", err)
		}
		if n := len(list); n > 0 && (e.number <= list[n-1].number || e.start < list[n-1].start) {
			return nil, fmt.Errorf("damaged leader epochs: %d after %d", e.number, list[n-1].number)
		}
		list = append(list, e)
	}
	return list, nil
}

func formatEpochs(list []epoch) string {
	var b strings.Builder
	fmt.Fprintf(&b, "0\n%d\n", len(list))
	for _, e := range list {
		fmt.Fprintf(&b, "%d %d\n", e.number, e.start)
	}
	return b.String()
}

// loadEpochs reads the epochs and begins a new one if records that somebody
// saw may be gone. A log that never lost any has epoch 0 and no file.
func (l *Log) loadEpochs(lost bool) error {
	name := vfs.Join(l.o.Dir, epochsName)
	l.epochs = []epoch{{}}
	b, err := vfs.ReadFile(l.o.FS, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		list, err := parseEpochs(string(b))
		if err != nil {
			l.log.Warn("leader epochs ignored", "error", err)
		} else if len(list) > 0 {
			l.epochs = list
		}
	}
	if !lost {
		return nil
	}
	next := epoch{l.epochs[len(l.epochs)-1].number + 1, l.end}
	// Epochs that began after the end have no records left.
	for len(l.epochs) > 0 && l.epochs[len(l.epochs)-1].start >= l.end {
		l.epochs = l.epochs[:len(l.epochs)-1]
	}
	l.epochs = append(l.epochs, next)
	return vfs.WriteAtomic(l.o.FS, name, []byte(formatEpochs(l.epochs)))
}

// Epoch is the leader epoch in which records are appended. It grows when the
// log is opened after an unclean stop, and never while it is open.
func (l *Log) Epoch() int32 { return l.epochs[len(l.epochs)-1].number }

// EpochEnd returns the largest leader epoch that is at most number, and the
// offset where it ends: the log's end for the current one. Both are -1 if
// number is larger than the current epoch.
func (l *Log) EpochEnd(number int32) (epoch int32, end int64) {
	if number > l.Epoch() || number < 0 {
		return -1, -1
	}
	if number < l.epochs[0].number {
		return number, l.epochs[0].start
	}
	for i := len(l.epochs) - 1; i > 0; i-- {
		if e := l.epochs[i]; e.number <= number {
			return e.number, l.epochEnd(i)
		}
	}
	return l.epochs[0].number, l.epochEnd(0)
}

func (l *Log) epochEnd(i int) int64 {
	if i+1 < len(l.epochs) {
		return l.epochs[i+1].start
	}
	return l.Bounds().LogEnd
}
