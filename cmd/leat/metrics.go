package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/leatstream/leat/broker"
)

// metricsPage serves what Prometheus and those who start and stop programs ask
// for: /metrics, /healthz (whether the program is alive) and /readyz (whether
// it serves, and can write). A nil one serves nothing.
type metricsPage struct {
	meters *sdk.MeterProvider
	server *http.Server
	addr   net.Addr
	broker atomic.Pointer[broker.Broker] // nil while it starts or stops
}

// openMetrics begins to serve at an address; "" is nowhere.
func openMetrics(address string, log *slog.Logger) (*metricsPage, error) {
	if address == "" {
		return nil, nil
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo())
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w", err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--metrics: %w", err)
	}
	p := &metricsPage{meters: sdk.NewMeterProvider(sdk.WithReader(reader)), addr: l.Addr()}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", p.readyz)
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	go func() {
		if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are not served any more", "err", err)
		}
	}()
	log.Info("serving metrics and health", "address", p.addr.String())
	return p, nil
}

// readyz answers 503 while the broker doesn't serve, or can't write.
func (p *metricsPage) readyz(w http.ResponseWriter, _ *http.Request) {
	b := p.broker.Load()
	if b == nil {
		http.Error(w, "the broker starts or stops", http.StatusServiceUnavailable)
		return
	}
	if err := b.Health(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// provider is where the broker's metrics go; nil without a page.
func (p *metricsPage) provider() metric.MeterProvider {
	if p == nil {
		return nil
	}
	return p.meters
}

// ready says that the broker serves.
func (p *metricsPage) ready(b *broker.Broker) {
	if p != nil {
		p.broker.Store(b)
	}
}

// stopping says that it soon won't.
func (p *metricsPage) stopping() { p.ready(nil) }

// Close serves no more. It waits for answers under way, but not for long.
func (p *metricsPage) Close() error {
	if p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(p.server.Shutdown(ctx), p.meters.Shutdown(ctx))
}
