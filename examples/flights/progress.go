package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/leatstream/leat/stream"
)

// lineEvery is the time between lines where there is no terminal for a bar.
const lineEvery = 2 * time.Second

// progress shows how far the run is: a bar on a terminal, else lines.
type progress struct {
	w     io.Writer
	bar   *progressbar.ProgressBar // nil: lines
	total int64                    // flights

	began, line time.Time
	figures     figures
}

// figures are what the instances of this process did.
type figures struct {
	processed  int64 // records, over all topics
	stateBytes int64 // on disk
	tasks      int
	restoring  int
}

func newProgress(w *os.File) *progress {
	p := &progress{w: w, began: time.Now()}
	if info, err := w.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		p.bar = progressbar.NewOptions64(1, progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(24),
			progressbar.OptionSetPredictTime(false), progressbar.OptionClearOnFinish())
	}
	return p
}

// statusOf adds up the tasks of all instances.
func statusOf(apps []*stream.App) figures {
	var f figures
	for _, app := range apps {
		for _, t := range app.Status().Tasks {
			f.tasks++
			f.processed += t.Processed
			f.stateBytes += t.StateBytes
			if !t.Running {
				f.restoring++
			}
		}
	}
	return f
}

// show shows a position and the figures of the instances.
func (p *progress) show(at position, now figures) {
	text := fmt.Sprintf("%7.0f records/s, lag %d, state %s", p.rate(now), at.lag, size(now.stateBytes))
	if now.restoring > 0 {
		text += fmt.Sprintf(", %d of %d tasks restoring", now.restoring, now.tasks)
	}
	if p.bar != nil {
		p.bar.ChangeMax64(max(1, p.total))
		p.bar.Describe(text)
		p.bar.Set64(min(at.flights, p.total)) // a bar that can't be drawn is no reason to stop
		return
	}
	if time.Since(p.line) >= lineEvery {
		p.line = time.Now()
		fmt.Fprintf(p.w, "%6.1fs  %d of %d flights, %s\n", time.Since(p.began).Seconds(), at.flights, p.total, text)
	}
}

// rate is the records processed each second. A task that went elsewhere took
// its count along, hence the maximum.
func (p *progress) rate(now figures) float64 {
	p.figures.processed = max(p.figures.processed, now.processed)
	return float64(p.figures.processed) / max(0.001, time.Since(p.began).Seconds())
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Clear()
	}
}

func size(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
