package archtest

// layers is the order of leat's packages, as [parsePolicy] reads it: a package
// imports only what stands on lines above it in its section, or in the section
// shared.
//
// This is a statement of policy. It isn't generated from what is there, and
// isn't changed to make a build pass.
const layers = `
shared:
	internal/invariant internal/clock internal/record internal/null internal/minheap

# The typed shell over the untyped core. It never imports the broker: the two
# meet on the wire, and in what may import anything.
stream:
	serde
	topic window
	internal/topology internal/assign
	internal/store
	internal/store/storetest
	internal/task
	internal/cache
	internal/dsl
	state
	internal/client internal/telemetry
	internal/worker
	table
	stream
	stream/streamtest

# The broker, which knows nothing of streams.
broker:
	broker/internal/vfs broker/internal/flex
	broker/internal/batch broker/internal/settings
	broker/internal/acl broker/internal/authn broker/internal/quota
	broker/internal/segment broker/internal/journal
	broker/internal/partition
	broker/internal/catalog broker/internal/group broker/internal/txn broker/internal/share
	broker/internal/assignor
	broker/internal/group/grouptest
	broker/internal/membership
	broker/internal/consumer broker/internal/streams broker/internal/sharegroup
	broker/internal/coord
	broker/internal/wire
	broker/internal/api
	broker

anything:
	cmd/... examples/... integration/... internal/sim/... internal/archtest
`

// external is the modules of others, and who may import them. The longest path
// counts. Without a folder: nobody, but tests.
const external = `
github.com/dgraph-io/badger:         internal/store # all else sees store.DB
github.com/dgraph-io/ristretto:      internal/store # badger's buffers
github.com/twmb/franz-go:            internal/client cmd/... examples/... integration/... # all else sees client's types
github.com/twmb/franz-go/pkg/kmsg:   internal/client broker/... cmd/... integration/...
github.com/twmb/franz-go/pkg/kerr:   internal/client broker/... cmd/... examples/... integration/...
github.com/vmihailenco/msgpack:      serde
github.com/klauspost/compress:       broker/internal/batch
github.com/pierrec/lz4:              broker/internal/batch
github.com/spf13/cobra:              cmd/... examples/...
github.com/spf13/pflag:              cmd/... # cobra's flags
github.com/prometheus/client_golang: cmd/...
github.com/schollz/progressbar:      cmd/... examples/...
github.com/xdg-go/scram:             broker/internal/authn
github.com/go-jose/go-jose:          broker/internal/authn internal/client # JSON web tokens
golang.org/x/oauth2:                 internal/client
go.opentelemetry.io/otel:            internal/telemetry internal/client internal/worker stream broker/... cmd/... examples/... integration/...
golang.org/x/sync:                   internal/... stream broker/... cmd/... examples/... integration/...
golang.org/x/sys:                    internal/store broker/internal/vfs
pgregory.net/rapid:                  internal/store/storetest internal/sim/... # of tests
github.com/google/go-cmp:            internal/store/storetest internal/sim/... # of tests
`
