package streamtest

import "github.com/leatstream/leat/internal/topology"

// discover lets the tasks read a topic that appears for the first time and that a
// pattern stands for. An app does so when it finds the topic on the broker.
func (d *Driver) discover(topic string) {
	if d.known[topic] {
		return
	}
	if d.known == nil {
		d.known = map[string]bool{}
	}
	d.known[topic] = true
	for _, r := range d.tasks {
		d.attach(r, topic)
	}
}

// attach is discover for one task.
func (d *Driver) attach(r *running, name string) {
	for _, n := range r.sub.Sources {
		if n.Kind == topology.Source && n.Topic.Matches(App, name) {
			r.inputs[name] = r.AddInput(n, name)
		}
	}
}
