package broker

import "github.com/leatstream/leat/broker/internal/coord"

// startShares starts the coordinators of share partitions.
func (b *Broker) startShares() (err error) {
	b.shares, err = coord.StartShares(coord.ShareOptions{Catalog: b.catalog, Clock: b.cfg.Clock, Log: b.cfg.Logger})
	return err
}
