package cache

import "sort"

// SortFunc sorts s and keeps the order of equal elements. It is there so that one
// copy of the algorithm serves the rows of every store: that of package slices is
// compiled anew for each type, which made up a quarter of the code of a program
// with many tables.
func SortFunc[T any](s []T, compare func(a, b T) int) {
	sort.Stable(sortingOf(s, compare))
}

// sortFunc is SortFunc without keeping the order of equal elements.
func sortFunc[T any](s []T, compare func(a, b T) int) {
	sort.Sort(sortingOf(s, compare))
}

func sortingOf[T any](s []T, compare func(a, b T) int) *sorting {
	return &sorting{
		n:    len(s),
		less: func(i, j int) bool { return compare(s[i], s[j]) < 0 },
		swap: func(i, j int) { s[i], s[j] = s[j], s[i] },
	}
}

// sorting is a slice of whatever type.
type sorting struct {
	n    int
	less func(i, j int) bool
	swap func(i, j int)
}

func (s *sorting) Len() int           { return s.n }
func (s *sorting) Less(i, j int) bool { return s.less(i, j) }
func (s *sorting) Swap(i, j int)      { s.swap(i, j) }
