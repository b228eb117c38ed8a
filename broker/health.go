package broker

import "fmt"

// Health says what keeps the broker from its work; nil is nothing: it serves,
// and no partition has stopped taking records. It is cheap enough for a probe
// every second.
func (b *Broker) Health() error {
	if b.ctx.Err() != nil {
		return ErrClosed
	}
	failed, example := 0, error(nil)
	for _, t := range b.catalog.Image().Topics() {
		for _, log := range t.Logs {
			if err := log.Trouble(); err != nil {
				failed, example = failed+1, err
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("broker: %d partitions take no records, one of them because of: %w", failed, example)
	}
	return nil
}
