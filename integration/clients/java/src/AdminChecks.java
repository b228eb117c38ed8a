import static java.util.stream.Collectors.toSet;

import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.quota.*;

/** What users of the admin client do. */
final class AdminChecks {
    static void add(Checks c) {
        c.add("admin: cluster", AdminChecks::cluster);
        c.add("admin: topics", AdminChecks::topics);
        c.add("admin: topics refused", AdminChecks::refused);
        c.add("admin: topics by id", AdminChecks::topicIds);
        c.add("admin: configs", AdminChecks::configs);
        c.add("admin: configs of the broker", AdminChecks::brokerConfigs);
        c.add("admin: offsets", AdminChecks::offsets);
        c.add("admin: delete records", AdminChecks::deleteRecords);
        c.add("admin: log directories", AdminChecks::logDirs);
        c.add("admin: groups", AdminChecks::groups);
        c.add("admin: offsets of groups", AdminChecks::groupOffsets);
        c.add("admin: remove members", AdminChecks::removeMembers);
        c.add("admin: producers and transactions", AdminChecks::transactions);
        c.add("admin: users", AdminChecks::users);
        c.add("admin: quotas", AdminChecks::quotas);
        c.add("admin: elections and reassignments", AdminChecks::elections);
        c.add("admin: features", AdminChecks::features);
        c.add("admin: ACLs without an authorizer", AdminChecks::acls);
    }

    static void cluster() throws Exception {
        DescribeClusterResult d = Cluster.admin.describeCluster();
        Checks.equal(1, d.nodes().get().size(), "nodes");
        Checks.holds(d.clusterId().get() != null && d.controller().get() != null, "cluster id and controller");
    }

    static void topics() throws Exception {
        Admin admin = Cluster.admin;
        String name = Checks.fresh();
        CreateTopicsResult made = admin.createTopics(List.of(new NewTopic(name, 3, (short) 1).configs(Map.of("retention.ms", "777"))));
        Checks.equal(3, made.numPartitions(name).get(), "partitions told at creation");
        Checks.equal("777", made.config(name).get().get("retention.ms").value(), "config told at creation");
        Checks.until("listed", Duration.ofSeconds(10), () -> admin.listTopics().names().get().contains(name));
        Checks.holds(!admin.listTopics(new ListTopicsOptions().listInternal(false)).names().get().contains("__consumer_offsets"), "internal topics are hidden");
        Checks.fails(TopicExistsException.class, () -> admin.createTopics(List.of(new NewTopic(name, 3, (short) 1))).all().get());
        admin.createPartitions(Map.of(name, NewPartitions.increaseTo(5))).all().get();
        Checks.until("five partitions", Duration.ofSeconds(10), () -> admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions().size() == 5);
        Checks.fails(InvalidPartitionsException.class, () -> admin.createPartitions(Map.of(name, NewPartitions.increaseTo(5))).all().get());
        admin.deleteTopics(List.of(name)).all().get();
        Checks.until("gone", Duration.ofSeconds(10), () -> !admin.listTopics().names().get().contains(name));
        Checks.fails(UnknownTopicOrPartitionException.class, () -> admin.describeTopics(List.of(name)).allTopicNames().get());
        Checks.fails(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of(name)).all().get());
    }

    static void refused() throws Exception {
        Admin admin = Cluster.admin;
        Checks.fails(InvalidTopicException.class, () -> admin.createTopics(List.of(new NewTopic("no/slash", 1, (short) 1))).all().get());
        Checks.fails(InvalidTopicException.class, () -> admin.createTopics(List.of(new NewTopic("..", 1, (short) 1))).all().get());
        Checks.fails(InvalidPartitionsException.class, () -> admin.createTopics(List.of(new NewTopic(Checks.fresh(), 0, (short) 1))).all().get());
        Checks.fails(InvalidReplicationFactorException.class, () -> admin.createTopics(List.of(new NewTopic(Checks.fresh(), 1, (short) 3))).all().get());
        Checks.fails(InvalidConfigurationException.class, () -> admin.createTopics(List.of(new NewTopic(Checks.fresh(), 1, (short) 1).configs(Map.of("no.such", "1")))).all().get());
        Checks.fails(InvalidConfigurationException.class, () -> admin.createTopics(List.of(new NewTopic(Checks.fresh(), 1, (short) 1).configs(Map.of("retention.ms", "soon")))).all().get());
        String name = Checks.fresh();
        admin.createTopics(List.of(new NewTopic(name, 1, (short) 1)), new CreateTopicsOptions().validateOnly(true)).all().get();
        Checks.holds(!admin.listTopics().names().get().contains(name), "a topic was only to be validated");
        admin.createTopics(List.of(new NewTopic(name, Optional.empty(), Optional.empty()))).all().get();
    }

    static void topicIds() throws Exception {
        Admin admin = Cluster.admin;
        String name = Cluster.topic(1);
        Uuid id = admin.describeTopics(List.of(name)).allTopicNames().get().get(name).topicId();
        Checks.equal(name, admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id).name(), "name by id");
        Checks.equal(id, admin.listTopics().namesToListings().get().get(name).topicId(), "id in the list");
        admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
        Checks.fails(UnknownTopicIdException.class, () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get());
        Cluster.create(name, 1);
        Checks.holds(!id.equals(admin.describeTopics(List.of(name)).allTopicNames().get().get(name).topicId()), "a topic made again has another id");
    }

    static org.apache.kafka.clients.admin.Config config(ConfigResource r) throws Exception {
        return Cluster.admin.describeConfigs(List.of(r), new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true)).all().get().get(r);
    }

    static void alter(ConfigResource r, AlterConfigOp.OpType op, String name, String value) throws Exception {
        Cluster.admin.incrementalAlterConfigs(Map.of(r, List.of(new AlterConfigOp(new ConfigEntry(name, value), op)))).all().get();
    }

    static void configs() throws Exception {
        String name = Cluster.topic(1, "cleanup.policy", "compact");
        ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, name);
        Checks.equal(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, config(r).get("cleanup.policy").source(), "source of what was set");
        Checks.equal(ConfigEntry.ConfigSource.DEFAULT_CONFIG, config(r).get("retention.ms").source(), "source of a default");
        Checks.equal(ConfigEntry.ConfigType.LONG, config(r).get("retention.ms").type(), "type");
        alter(r, AlterConfigOp.OpType.SET, "retention.ms", "12345");
        alter(r, AlterConfigOp.OpType.APPEND, "cleanup.policy", "delete");
        Checks.equal("12345", config(r).get("retention.ms").value(), "retention.ms");
        Checks.equal("compact,delete", config(r).get("cleanup.policy").value(), "cleanup.policy");
        alter(r, AlterConfigOp.OpType.SUBTRACT, "cleanup.policy", "compact");
        Checks.equal("delete", config(r).get("cleanup.policy").value(), "cleanup.policy");
        alter(r, AlterConfigOp.OpType.DELETE, "retention.ms", null);
        Checks.equal("604800000", config(r).get("retention.ms").value(), "retention.ms by default");
        Checks.fails(InvalidConfigurationException.class, () -> alter(r, AlterConfigOp.OpType.SET, "retention.ms", "soon"));
        Checks.fails(InvalidConfigurationException.class, () -> alter(r, AlterConfigOp.OpType.SET, "no.such", "1"));
        Checks.fails(UnknownTopicOrPartitionException.class, () -> config(new ConfigResource(ConfigResource.Type.TOPIC, Checks.fresh())));
        Checks.holds(Cluster.admin.listConfigResources().all().get().contains(r), "the topic is among the resources");
    }

    static void brokerConfigs() throws Exception {
        int id = Cluster.admin.describeCluster().nodes().get().iterator().next().id();
        ConfigResource r = new ConfigResource(ConfigResource.Type.BROKER, "" + id);
        for (String name : List.of("log.retention.ms", "message.max.bytes", "num.partitions", "log.cleaner.enable", "offsets.retention.minutes"))
            Checks.holds(config(r).get(name) != null, name + " isn't told");
        Checks.holds(config(r).get("log.dirs").isReadOnly(), "log.dirs is read-only");
        alter(r, AlterConfigOp.OpType.SET, "log.retention.ms", "86400000");
        Checks.until("the broker has the config", Duration.ofSeconds(10), () -> "86400000".equals(config(r).get("log.retention.ms").value()));
        String name = Cluster.topic(1);
        Checks.equal("86400000", config(new ConfigResource(ConfigResource.Type.TOPIC, name)).get("retention.ms").value(), "a topic's default");
        alter(r, AlterConfigOp.OpType.DELETE, "log.retention.ms", null);
        Checks.until("the default is back", Duration.ofSeconds(10), () -> !"86400000".equals(config(r).get("log.retention.ms").value()));
        Checks.fails(InvalidRequestException.class, () -> alter(r, AlterConfigOp.OpType.SET, "log.dirs", "x"));
    }

    static void offsets() throws Exception {
        String name = Cluster.topic(1);
        try (var p = Cluster.producer()) {
            for (long t : new long[] {100, 900, 500}) p.send(new org.apache.kafka.clients.producer.ProducerRecord<>(name, 0, t, null, "v")).get();
        }
        TopicPartition tp = new TopicPartition(name, 0);
        Map<OffsetSpec, Long> want = new LinkedHashMap<>();
        want.put(OffsetSpec.earliest(), 0L);
        want.put(OffsetSpec.latest(), 3L);
        want.put(OffsetSpec.maxTimestamp(), 1L);
        want.put(OffsetSpec.forTimestamp(200), 1L);
        want.put(OffsetSpec.forTimestamp(901), -1L);
        want.put(OffsetSpec.earliestLocal(), 0L);
        want.put(OffsetSpec.latestTiered(), -1L);
        for (var e : want.entrySet())
            Checks.equal(e.getValue(), Cluster.admin.listOffsets(Map.of(tp, e.getKey())).all().get().get(tp).offset(), e.getKey().getClass().getSimpleName());
    }

    static void deleteRecords() throws Exception {
        String name = Cluster.topic(1);
        Cluster.send(name, Cluster.numbers(10));
        TopicPartition tp = new TopicPartition(name, 0);
        Checks.equal(4L, Cluster.admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(4))).lowWatermarks().get(tp).get().lowWatermark(), "low watermark");
        Checks.equal("4", Cluster.readAll(name, 6).get(0).value(), "first value");
        Checks.fails(OffsetOutOfRangeException.class, () -> Cluster.admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(40))).all().get());
        Cluster.admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(-1))).all().get();
        Cluster.readAll(name, 0);
    }

    static void logDirs() throws Exception {
        String name = Cluster.topic(2);
        Cluster.send(name, Cluster.numbers(10));
        int id = Cluster.admin.describeCluster().nodes().get().iterator().next().id();
        long size = 0;
        int found = 0;
        for (LogDirDescription d : Cluster.admin.describeLogDirs(List.of(id)).allDescriptions().get().get(id).values()) {
            Checks.holds(d.error() == null, "error of a directory");
            for (var e : d.replicaInfos().entrySet()) {
                if (!e.getKey().topic().equals(name)) continue;
                found++;
                size += e.getValue().size();
            }
        }
        Checks.equal(2, found, "partitions in the directories");
        Checks.holds(size > 0, "their size");
    }

    static void groups() throws Exception {
        Admin admin = Cluster.admin;
        String name = Cluster.topic(2), group = Checks.fresh("g");
        Cluster.send(name, "v");
        try (var c = Cluster.consumer("group.id", group, "group.instance.id", "one", "client.id", "me")) {
            c.subscribe(List.of(name));
            Cluster.read(c, 1);
            c.commitSync();
            ConsumerGroupDescription d = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            Checks.equal(GroupState.STABLE, d.groupState(), "state");
            Checks.equal("range", d.partitionAssignor(), "assignor");
            MemberDescription m = d.members().iterator().next();
            Checks.equal(List.of("me", "one", 2), List.of(m.clientId(), m.groupInstanceId().get(), m.assignment().topicPartitions().size()), "member");
            GroupListing listed = admin.listGroups().all().get().stream().filter(g -> g.groupId().equals(group)).findFirst().get();
            Checks.equal(Optional.of(GroupType.CLASSIC), listed.type(), "type in the list");
            Checks.equal(Optional.of(GroupState.STABLE), listed.groupState(), "state in the list");
            Set<String> empty = admin.listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))).all().get().stream().map(GroupListing::groupId).collect(toSet());
            Checks.holds(!empty.contains(group), "listed by a state that it isn't in");
            Checks.fails(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        }
        Checks.fails(GroupIdNotFoundException.class, () -> admin.describeConsumerGroups(List.of(Checks.fresh("g"))).all().get());
    }

    static void groupOffsets() throws Exception {
        Admin admin = Cluster.admin;
        String name = Cluster.topic(2), group = Checks.fresh("g");
        TopicPartition a = new TopicPartition(name, 0), b = new TopicPartition(name, 1);
        admin.alterConsumerGroupOffsets(group, Map.of(a, new OffsetAndMetadata(0, "note"), b, new OffsetAndMetadata(0))).all().get();
        Map<TopicPartition, OffsetAndMetadata> got = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        Checks.equal(Set.of(a, b), got.keySet(), "partitions");
        Checks.equal("note", got.get(a).metadata(), "metadata");
        admin.deleteConsumerGroupOffsets(group, Set.of(a)).all().get();
        Checks.equal(Set.of(b), admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().keySet(), "partitions that are left");
        Checks.equal(GroupState.EMPTY, admin.describeConsumerGroups(List.of(group)).all().get().get(group).groupState(), "state");
        admin.deleteConsumerGroups(List.of(group)).all().get();
        Checks.fails(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
    }

    static void removeMembers() throws Exception {
        String name = Cluster.topic(1), group = Checks.fresh("g");
        Cluster.send(name, "v");
        try (var c = Cluster.consumer("group.id", group, "group.instance.id", "one")) {
            c.subscribe(List.of(name));
            Cluster.read(c, 1);
            Cluster.admin.removeMembersFromConsumerGroup(group, new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("one")))).all().get();
            Checks.equal(0, Cluster.admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().size(), "members");
        }
    }

    static void transactions() throws Exception {
        Admin admin = Cluster.admin;
        String name = Cluster.topic(1), id = Checks.fresh("x");
        TopicPartition tp = new TopicPartition(name, 0);
        try (var p = Cluster.producer("transactional.id", id)) {
            p.initTransactions();
            p.beginTransaction();
            p.send(new org.apache.kafka.clients.producer.ProducerRecord<>(name, "v")).get();
            TransactionDescription d = admin.describeTransactions(List.of(id)).all().get().get(id);
            Checks.equal(TransactionState.ONGOING, d.state(), "state");
            Checks.equal(Set.of(tp), d.topicPartitions(), "partitions");
            Checks.holds(admin.listTransactions().all().get().stream().anyMatch(t -> t.transactionalId().equals(id) && t.state() == TransactionState.ONGOING), "listed");
            ProducerState s = admin.describeProducers(List.of(tp)).partitionResult(tp).get().activeProducers().get(0);
            Checks.equal(d.producerId(), s.producerId(), "producer id");
            Checks.equal(0L, s.currentTransactionStartOffset().getAsLong(), "start of the transaction");
            admin.abortTransaction(new AbortTransactionSpec(tp, s.producerId(), (short) s.producerEpoch(), s.coordinatorEpoch().orElse(0))).all().get();
            Cluster.readAll(name, 0, "isolation.level", "read_committed");
            admin.fenceProducers(List.of(id)).all().get();
            Checks.fails(ProducerFencedException.class, p::commitTransaction);
        }
    }

    static void users() throws Exception {
        Admin admin = Cluster.admin;
        String user = Checks.fresh("user");
        admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion(user, new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), "secret"))).all().get();
        Checks.until("the user is there", Duration.ofSeconds(10), () -> admin.describeUserScramCredentials().users().get().contains(user));
        Checks.equal(4096, admin.describeUserScramCredentials(List.of(user)).description(user).get().credentialInfos().get(0).iterations(), "iterations");
        admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256))).all().get();
        Checks.until("the user is gone", Duration.ofSeconds(10), () -> !admin.describeUserScramCredentials().users().get().contains(user));
    }

    static void quotas() throws Exception {
        Admin admin = Cluster.admin;
        ClientQuotaEntity who = new ClientQuotaEntity(Map.of("client-id", Checks.fresh("client")));
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(who, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1e9))))).all().get();
        Checks.until("the quota is there", Duration.ofSeconds(10), () -> Map.of("producer_byte_rate", 1e9).equals(admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().get(who)));
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(who, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", null))))).all().get();
        Checks.until("the quota is gone", Duration.ofSeconds(10), () -> !admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().containsKey(who));
    }

    static void elections() throws Exception {
        String name = Cluster.topic(1);
        TopicPartition tp = new TopicPartition(name, 0);
        Checks.fails(ElectionNotNeededException.class, () -> {
            Optional<Throwable> e = Cluster.admin.electLeaders(ElectionType.PREFERRED, Set.of(tp)).partitions().get().get(tp);
            if (e.isPresent()) throw new Exception(e.get());
        });
        Checks.equal(Map.of(), Cluster.admin.listPartitionReassignments(Set.of(tp)).reassignments().get(), "reassignments");
    }

    static void features() throws Exception {
        FeatureMetadata f = Cluster.admin.describeFeatures().featureMetadata().get();
        Checks.equal((short) 2, f.finalizedFeatures().get("transaction.version").maxVersionLevel(), "transaction.version");
        Checks.holds(f.finalizedFeatures().containsKey("metadata.version"), "metadata.version");
        Checks.equal((short) 1, f.finalizedFeatures().get("group.version").maxVersionLevel(), "group.version");
        Checks.holds(Cluster.admin.describeMetadataQuorum().quorumInfo().get().leaderId() > 0, "leader of the quorum");
    }

    static void acls() throws Exception {
        Checks.fails(SecurityDisabledException.class, () -> Cluster.admin.describeAcls(AclBindingFilter.ANY).values().get());
    }
}
