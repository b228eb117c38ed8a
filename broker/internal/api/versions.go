package api

// The keys that are used by name.
const (
	keyProduce          int16 = 0
	keySaslHandshake    int16 = 17
	keyApiVersions      int16 = 18
	keySaslAuthenticate int16 = 36
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
		{key: 2, min: 1, max: 11, handle: local((*Server).listOffsets)},
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
		{key: keySaslHandshake, min: 0, max: 1, handle: now((*Server).saslHandshake)},
		{key: keyApiVersions, min: 0, max: 4},
		{key: 19, min: 2, max: 7, handle: local((*Server).createTopics)},
		{key: 20, min: 1, max: 6, handle: later((*Server).deleteTopics)},
		{key: 21, min: 0, max: 2, handle: local((*Server).deleteRecords)},
		{key: 22, min: 0, max: 5, handle: later((*Server).initProducerID)},
		{key: 23, min: 2, max: 4, handle: local((*Server).offsetForLeaderEpoch)},
		{key: 24, min: 0, max: 5, handle: later((*Server).addPartitionsToTxn)},
		{key: 25, min: 0, max: 4, handle: later((*Server).addOffsetsToTxn)},
		{key: 26, min: 0, max: 5, handle: later((*Server).endTxn)},
		{key: 27, min: 1, max: 2, handle: later((*Server).writeTxnMarkers)},
		{key: 28, min: 0, max: 5, handle: later((*Server).txnOffsetCommit)},
		{key: 29, min: 1, max: 3, handle: local((*Server).describeACLs)},
		{key: 30, min: 1, max: 3, handle: local((*Server).createACLs)},
		{key: 31, min: 1, max: 3, handle: local((*Server).deleteACLs)},
		{key: 32, min: 1, max: 4, handle: local((*Server).describeConfigs)},
		{key: 33, min: 0, max: 2, handle: local((*Server).alterConfigs)},
		{key: 34, min: 1, max: 2, handle: local((*Server).alterReplicaLogDirs)},
		{key: 35, min: 1, max: 5, handle: local((*Server).describeLogDirs)},
		{key: keySaslAuthenticate, min: 0, max: 2, handle: now((*Server).saslAuthenticate)},
		{key: 37, min: 0, max: 3, handle: local((*Server).createPartitions)},
		{key: 42, min: 0, max: 2, handle: later((*Server).deleteGroups)},
		{key: 43, min: 0, max: 2, handle: local((*Server).electLeaders)},
		{key: 44, min: 0, max: 1, handle: local((*Server).incrementalAlterConfigs)},
		{key: 45, min: 0, max: 1, handle: local((*Server).alterPartitionReassignments)},
		{key: 46, min: 0, max: 0, handle: local((*Server).listPartitionReassignments)},
		{key: 47, min: 0, max: 0, handle: later((*Server).offsetDelete)},
		{key: 48, min: 0, max: 1, handle: local((*Server).describeClientQuotas)},
		{key: 49, min: 0, max: 1, handle: local((*Server).alterClientQuotas)},
		{key: 50, min: 0, max: 0, handle: local((*Server).describeUserSCRAMCredentials)},
		{key: 51, min: 0, max: 0, handle: local((*Server).alterUserSCRAMCredentials)},
		{key: 55, min: 0, max: 2, handle: local((*Server).describeQuorum)},
		{key: 57, min: 0, max: 2, handle: local((*Server).updateFeatures)},
		{key: 60, min: 0, max: 2, handle: local((*Server).describeCluster)},
		{key: 61, min: 0, max: 0, handle: local((*Server).describeProducers)},
		{key: 64, min: 0, max: 0, handle: local((*Server).unregisterBroker)},
		{key: 65, min: 0, max: 0, handle: later((*Server).describeTransactions)},
		{key: 66, min: 0, max: 2, handle: later((*Server).listTransactions)},
		{key: 68, min: 0, max: 1, handle: later((*Server).consumerGroupHeartbeat)},
		{key: 69, min: 0, max: 1, handle: later((*Server).consumerGroupDescribe)},
		{key: 74, min: 0, max: 1, handle: local((*Server).listConfigResources)},
		{key: 75, min: 0, max: 0, handle: local((*Server).describeTopicPartitions)},
		{key: 76, min: 1, max: 1, handle: later((*Server).shareGroupHeartbeat)},
		{key: 77, min: 1, max: 1, handle: later((*Server).shareGroupDescribe)},
		{key: 78, min: 1, max: 2, handle: later((*Server).shareFetch)},
		{key: 79, min: 1, max: 2, handle: later((*Server).shareAcknowledge)},
		{key: 88, min: 0, max: 0, handle: later((*Server).streamsGroupHeartbeat)},
		{key: 89, min: 0, max: 0, handle: later((*Server).streamsGroupDescribe)},
		{key: 90, min: 0, max: 1, handle: later((*Server).describeShareGroupOffsets)},
		{key: 91, min: 0, max: 0, handle: later((*Server).alterShareGroupOffsets)},
		{key: 92, min: 0, max: 0, handle: later((*Server).deleteShareGroupOffsets)},
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
