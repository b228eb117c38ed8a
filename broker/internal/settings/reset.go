package settings

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// OffsetReset is where a share group begins to read a partition.
type OffsetReset struct {
	Earliest bool
	// Ago is how long ago the first record may have been written, if By is set.
	Ago time.Duration
	By  bool
}

// isoDuration is a duration in the form PnDTnHnMn.nS, which is what Java's Duration
// reads of ISO 8601: days are the largest, since months differ.
var isoDuration = regexp.MustCompile(`^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,9})?)S)?)?$`)

// ParseOffsetReset reads latest, earliest or by_duration:PnDTnHnMn.nS.
func ParseOffsetReset(s string) (OffsetReset, bool) {
	switch s {
	case "latest":
		return OffsetReset{}, true
	case "earliest":
		return OffsetReset{Earliest: true}, true
	}
	text, ok := strings.CutPrefix(s, "by_duration:")
	if !ok {
		return OffsetReset{}, false
	}
	parts := isoDuration.FindStringSubmatch(text)
	if parts == nil || strings.HasSuffix(text, "P") || strings.HasSuffix(text, "T") {
		return OffsetReset{}, false
	}
	total := 0.0
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if parts[i+1] == "" {
			continue
		}
		f, err := strconv.ParseFloat(parts[i+1], 64)
		if err != nil {
			return OffsetReset{}, false
		}
		total += f * float64(unit)
	}
	if total > math.MaxInt64/2 { // beyond any clock
		return OffsetReset{}, false
	}
	return OffsetReset{By: true, Ago: time.Duration(total)}, true
}
