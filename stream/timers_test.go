package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

var (
	timerIn  = topic.New("timer-in", serde.String, serde.String)
	timerOut = topic.New("timer-out", serde.String, serde.String)
)

// alarmClock sets timers as its records say: "at 15", "every 10 5" (from 10 on, by
// 5), "cancel"; and forwards the time that each was due.
func alarmClock(t testing.TB, timers state.TimerStore[string], base time.Time) *streamtest.Driver {
	return streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(timerIn).Process(func(p *stream.Processor[string, string]) func(stream.Record[string, string]) error {
			set := p.Timers(timers, func(key string, due time.Time) error {
				return p.Forward(key, fmt.Sprint(due.Sub(base).Seconds()))
			})
			return func(r stream.Record[string, string]) error {
				var what string
				var first, every int64
				_, _ = fmt.Sscan(r.Value, &what, &first, &every)
				at := base.Add(time.Duration(first) * time.Second)
				switch what {
				case "at":
					return set.Set(r.Key, at)
				case "every":
					return set.SetEvery(r.Key, at, time.Duration(every)*time.Second)
				case "cancel":
					return set.Cancel(r.Key)
				}
				return nil
			}
		}, timers).To(timerOut)
	}))
}

// rung is which timers were due when: "a@15 b@20".
func rung(d *streamtest.Driver) string {
	var all []string
	for _, r := range d.Records(timerOut) {
		all = append(all, r.Key+"@"+r.Value)
	}
	return strings.Join(all, " ")
}

func TestTimers_StreamTime(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		d := alarmClock(t, state.NewTimers("timers", serde.String), sec(0))
		send := func(k, v string, s int64) string {
			if restarts {
				d.Restart()
			}
			d.SendAt(timerIn, k, v, sec(s))
			return rung(d)
		}
		expect(t, "set", send("a", "at 15", 1)+send("b", "at 12", 2)+send("c", "at 12", 3), "")
		expect(t, "moved", send("b", "at 20", 4), "")
		expect(t, "too early", send("x", "", 11), "")
		expect(t, "c", send("x", "", 12), "c@12")
		expect(t, "cancelled", send("a", "cancel", 13)+send("x", "", 19), "")
		expect(t, "by a jump, in order", send("d", "at 18", 19)+" "+send("a", "at 30", 19)+send("x", "", 1000), "d@18 b@20 a@30")
		expect(t, "only once", send("x", "", 2000), "")
		if all := d.Records(topic.New("app-timers-changelog", serde.String, serde.Bytes)); !all[len(all)-1].NoValue {
			t.Error("the changelog doesn't end with the tombstone of the last timer")
		}
	}
}

// A record's timer that is due already fires right after it, with its own time.
func TestTimers_DueAlready(t *testing.T) {
	d := alarmClock(t, state.NewTimers("timers", serde.String), sec(0))
	d.SendAt(timerIn, "a", "at 5", sec(10))
	r := d.Records(timerOut)
	if len(r) != 1 || !r[0].Time.Equal(sec(5)) {
		t.Errorf("got %v, want one record of second 5", r)
	}
}

func TestTimers_MissedByAJump(t *testing.T) {
	for policy, want := range map[state.Missed]string{
		state.FireAll:    "a@10 b@12 a@15 b@17 a@20 b@22 a@25",
		state.FireOnce:   "a@25 b@22", // each when its first time comes up
		state.SkipMissed: "a@25 b@22",
	} {
		d := alarmClock(t, state.NewTimers("timers", serde.String).Missed(policy), sec(0))
		d.SendAt(timerIn, "a", "every 10 5", sec(0))
		d.SendAt(timerIn, "b", "every 12 5", sec(0))
		d.SendAt(timerIn, "x", "", sec(26))
		expect(t, fmt.Sprint("policy ", policy), rung(d), want)
		d.SendAt(timerIn, "x", "", sec(27))
		expect(t, fmt.Sprint("policy ", policy, ", on the grid"), rung(d), "b@27")
		if n := d.Dropped("missed-timer"); (n == 5) != (policy == state.SkipMissed) {
			t.Errorf("policy %d: %d missed times are counted", policy, n)
		}
	}
}

// While nothing runs, timers by the wall clock are missed; the policy says what
// becomes of them when something runs again.
func TestTimers_MissedWhileDown(t *testing.T) {
	for policy, want := range map[state.Missed]string{
		state.FireAll:    "once@5 every@10 every@20 every@30",
		state.FireOnce:   "once@5 every@30",
		state.SkipMissed: "",
	} {
		d := alarmClock(t, state.NewTimers("timers", serde.String).ByWallClock().Missed(policy), streamtest.Start)
		d.Send(timerIn, "once", "at 5")
		d.Send(timerIn, "every", "every 10 10")
		d.RestartAfter(35 * time.Second)
		d.Advance(0)
		expect(t, fmt.Sprint("policy ", policy), rung(d), want)
		d.Advance(5 * time.Second)
		expect(t, fmt.Sprint("policy ", policy, ", later"), rung(d), "every@40")
	}
}

// Timers ring as in a model that keeps them in a map, whatever restarts come between.
func TestTimers_Model(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := alarmClock(t, state.NewTimers("timers", serde.String), sec(0))
		model := map[string]int64{}
		now := int64(0)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			k := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "key")
			now += rapid.Int64Range(0, 8).Draw(rt, "by")
			v := ""
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0:
				v = "cancel"
				delete(model, k)
			case 1:
				d.Restart()
			default:
				due := max(0, now+rapid.Int64Range(-5, 30).Draw(rt, "due"))
				v = fmt.Sprint("at ", due)
				model[k] = due
			}
			d.SendAt(timerIn, k, v, sec(now))
			var want []string
			for due := int64(0); due <= now; due++ {
				for _, k := range []string{"a", "b", "c"} {
					if at, ok := model[k]; ok && at == due {
						want = append(want, fmt.Sprintf("%s@%d", k, due))
						delete(model, k)
					}
				}
			}
			if got := rung(d); got != strings.Join(want, " ") {
				rt.Fatalf("at %d: rang %q, want %q", now, got, want)
			}
		}
		left := map[string]int64{}
		for k, at := range d.Timers(state.NewTimers("timers", serde.String)).All() {
			left[k] = at.Unix()
		}
		if fmt.Sprint(left) != fmt.Sprint(model) {
			rt.Fatalf("%v are set, want %v", left, model)
		}
	})
}
