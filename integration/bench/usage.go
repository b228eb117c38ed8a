package main

// usage is what a process has taken and has.
type usage struct {
	cpu      float64 // seconds, since it began
	resident float64 // MB
	peak     float64 // MB; the most that resident was
}
