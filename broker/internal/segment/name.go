package segment

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Suffixes of a segment's files.
const (
	LogSuffix       = ".log"
	IndexSuffix     = ".index"
	TimeIndexSuffix = ".timeindex"
	// TxnIndexSuffix and SnapshotSuffix are of files that the partition keeps
	// beside its segments; the former share their segment's fate.
	TxnIndexSuffix = ".txnindex"
	SnapshotSuffix = ".snapshot"
	// CleanedSuffix is added to the files of a segment that compaction is
	// writing, SwapSuffix once they are complete, DeletedSuffix to those that
	// wait for their removal.
	CleanedSuffix = ".cleaned"
	SwapSuffix    = ".swap"
	DeletedSuffix = ".deleted"
)

// FileName is the name of a segment's file: its base offset and a suffix.
func FileName(base int64, suffix string) string {
	return fmt.Sprintf("%020d%s", base, suffix)
}

// ParseName splits a file's name into the base offset and all that follows.
func ParseName(name string) (base int64, suffix string, ok bool) {
	name = path.Base(name)
	digits, _, found := strings.Cut(name, ".")
	if !found || len(digits) != 20 {
		return 0, "", false
	}
	base, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || base < 0 {
		return 0, "", false
	}
	return base, name[len(digits):], true
}
