package api

// The keys that are used by name.
const (
	keyProduce     int16 = 0
	keyApiVersions int16 = 18
)

// api is one entry of the table of what is served.
type api struct {
	key      int16
	min, max int16 // as ApiVersions tells them
	lowest   int16 // the lowest version really served
	handle   handler
}

// table holds the APIs served, with the versions of Kafka 4.3. They are pinned
// here: what a newer codec could decode is not what this broker serves.
//
// Produce tells a minimum of 0 and serves 3: old librdkafka clients take a
// higher minimum for a broker without compression.
func table() []api {
	return []api{
		{key: keyProduce, min: 0, lowest: 3, max: 13},
		{key: 1, min: 4, max: 18, handle: later((*Server).fetch)},
		{key: 2, min: 1, max: 11, handle: now((*Server).listOffsets)},
		{key: 3, min: 0, max: 13, handle: local((*Server).metadata)},
		{key: 8, min: 2, max: 10, handle: later((*Server).offsetCommit)},
		{key: 9, min: 1, max: 10, handle: later((*Server).offsetFetch)},
		{key: 10, min: 0, max: 6, handle: local((*Server).findCoordinator)},
		{key: 11, min: 0, max: 9, handle: later((*Server).joinGroup)},
		{key: 12, min: 0, max: 4, handle: later((*Server).heartbeat)},
		{key: 13, min: 0, max: 5, handle: later((*Server).leaveGroup)},
		{key: 14, min: 0, max: 5, handle: later((*Server).syncGroup)},
		{key: 15, min: 0, max: 6, handle: later((*Server).describeGroups)},
		{key: 16, min: 0, max: 5, handle: later((*Server).listGroups)},
		{key: keyApiVersions, min: 0, max: 4},
		{key: 19, min: 2, max: 7, handle: now((*Server).createTopics)},
		{key: 20, min: 1, max: 6, handle: later((*Server).deleteTopics)},
		{key: 21, min: 0, max: 2, handle: now((*Server).deleteRecords)},
		{key: 22, min: 0, max: 5, handle: now((*Server).initProducerID)},
		{key: 23, min: 2, max: 4, handle: now((*Server).offsetForLeaderEpoch)},
		{key: 32, min: 1, max: 4, handle: now((*Server).describeConfigs)},
		{key: 33, min: 0, max: 2, handle: now((*Server).alterConfigs)},
		{key: 35, min: 1, max: 5, handle: now((*Server).describeLogDirs)},
		{key: 37, min: 0, max: 3, handle: now((*Server).createPartitions)},
		{key: 42, min: 0, max: 2, handle: later((*Server).deleteGroups)},
		{key: 44, min: 0, max: 1, handle: now((*Server).incrementalAlterConfigs)},
		{key: 47, min: 0, max: 0, handle: later((*Server).offsetDelete)},
		{key: 60, min: 0, max: 2, handle: local((*Server).describeCluster)},
		{key: 61, min: 0, max: 0, handle: now((*Server).describeProducers)},
		{key: 74, min: 0, max: 1, handle: now((*Server).listConfigResources)},
		{key: 75, min: 0, max: 0, handle: now((*Server).describeTopicPartitions)},
	}
}

// byKey is the table by API key.
var byKey = func() (m [128]*api) {
	for _, a := range table() {
		a.lowest = max(a.lowest, a.min)
		m[a.key] = &a
	}
	return m
}()

// served finds the entry of an API key.
func served(key int16) (*api, bool) {
	if key < 0 || int(key) >= len(byKey) || byKey[key] == nil {
		return nil, false
	}
	return byKey[key], true
}
