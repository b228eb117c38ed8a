import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.StringDeserializer;

/** What users of share groups do. */
final class ShareChecks {
    /** A group that reads from the beginning. */
    static String group(String... configs) throws Exception {
        String id = Checks.fresh("s");
        List<AlterConfigOp> ops = new ArrayList<>();
        ops.add(new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET));
        for (int i = 0; i < configs.length; i += 2) ops.add(new AlterConfigOp(new ConfigEntry(configs[i], configs[i + 1]), AlterConfigOp.OpType.SET));
        Cluster.admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, id), ops)).all().get();
        return id;
    }

    static KafkaShareConsumer<String, String> member(String group, Object... configs) {
        return new KafkaShareConsumer<>(Cluster.with(configs, "bootstrap.servers", Cluster.address, "group.id", group),
            new StringDeserializer(), new StringDeserializer());
    }

    static KafkaShareConsumer<String, String> explicit(String group) {
        return member(group, "share.acknowledgement.mode", "explicit");
    }

    /** Reads until there are n records, which are given to each. */
    static List<ConsumerRecord<String, String>> read(ShareConsumer<String, String> c, int n, java.util.function.Consumer<ConsumerRecord<String, String>> each) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        long end = System.nanoTime() + 40_000_000_000L;
        while (got.size() < n && System.nanoTime() < end) {
            for (var r : c.poll(Duration.ofMillis(200))) {
                got.add(r);
                each.accept(r);
            }
            c.commitSync();
        }
        Checks.equal(n, got.size(), "records read");
        return got;
    }

    static void nothing(ShareConsumer<String, String> c) {
        Checks.equal(0, c.poll(Duration.ofSeconds(2)).count(), "records that shouldn't be there");
    }

    static void implicit() throws Exception {
        String topic = Cluster.topic(2), id = group();
        Cluster.send(topic, Cluster.numbers(100));
        try (var c = member(id)) {
            c.subscribe(List.of(topic));
            read(c, 100, r -> {});
            nothing(c);
        }
        try (var c = member(id)) {
            c.subscribe(List.of(topic));
            nothing(c);
            Cluster.send(topic, "next");
            Checks.equal("next", read(c, 1, r -> {}).get(0).value(), "value");
        }
    }

    static void latest() throws Exception {
        String topic = Cluster.topic(1), id = Checks.fresh("s");
        Cluster.send(topic, "old");
        try (var c = member(id)) {
            c.subscribe(List.of(topic));
            List<String> got = new ArrayList<>();
            Checks.until("a new record", Duration.ofSeconds(30), () -> {
                Cluster.send(topic, "new");
                c.poll(Duration.ofMillis(500)).forEach(r -> got.add(r.value()));
                return !got.isEmpty();
            });
            Checks.holds(!got.contains("old"), "a group that begins at the end got what was before");
        }
    }

    static void release() throws Exception {
        String topic = Cluster.topic(1), id = group();
        Cluster.send(topic, Cluster.numbers(10));
        try (var c = explicit(id)) {
            c.subscribe(List.of(topic));
            read(c, 10, r -> {
                Checks.equal(Optional.of((short) 1), r.deliveryCount(), "delivery count");
                c.acknowledge(r, Integer.parseInt(r.value()) % 2 == 0 ? AcknowledgeType.ACCEPT : AcknowledgeType.RELEASE);
            });
            var again = read(c, 5, r -> {
                Checks.equal(Optional.of((short) 2), r.deliveryCount(), "delivery count");
                c.acknowledge(r, AcknowledgeType.ACCEPT);
            });
            for (var r : again) Checks.equal(1, Integer.parseInt(r.value()) % 2, "an accepted record came again");
            nothing(c);
        }
    }

    static void reject() throws Exception {
        String topic = Cluster.topic(1), id = group();
        Cluster.send(topic, Cluster.numbers(5));
        try (var c = explicit(id)) {
            c.subscribe(List.of(topic));
            read(c, 5, r -> c.acknowledge(r, AcknowledgeType.REJECT));
            nothing(c);
        }
    }

    static void limit() throws Exception {
        String topic = Cluster.topic(1), id = group();
        Cluster.send(topic, "poison");
        try (var c = explicit(id)) {
            c.subscribe(List.of(topic));
            for (short n = 1; n <= 5; n++) {
                var r = read(c, 1, x -> c.acknowledge(x, AcknowledgeType.RELEASE)).get(0);
                Checks.equal(Optional.of(n), r.deliveryCount(), "delivery count");
            }
            nothing(c);
        }
    }

    static void lock() throws Exception {
        String topic = Cluster.topic(1), id = group("share.record.lock.duration.ms", "15000");
        Cluster.send(topic, "v");
        try (var a = explicit(id); var b = explicit(id)) {
            a.subscribe(List.of(topic));
            b.subscribe(List.of(topic));
            Checks.until("the first has the record", Duration.ofSeconds(30), () -> a.poll(Duration.ofMillis(200)).count() == 1);
            nothing(b);
            var r = read(b, 1, x -> b.acknowledge(x, AcknowledgeType.ACCEPT)).get(0);
            Checks.equal(Optional.of((short) 2), r.deliveryCount(), "delivery count after the lock is over");
        }
    }

    static void closed() throws Exception {
        String topic = Cluster.topic(1), id = group();
        Cluster.send(topic, "v");
        try (var a = explicit(id)) {
            a.subscribe(List.of(topic));
            Checks.until("the first has the record", Duration.ofSeconds(30), () -> a.poll(Duration.ofMillis(200)).count() == 1);
        }
        try (var b = explicit(id)) {
            b.subscribe(List.of(topic));
            read(b, 1, x -> b.acknowledge(x, AcknowledgeType.ACCEPT));
        }
    }

    static void shared() throws Exception {
        String topic = Cluster.topic(1), id = group();
        Set<String> seen = ConcurrentHashMap.newKeySet();
        AtomicInteger total = new AtomicInteger();
        int[] each = new int[3];
        AtomicBoolean over = new AtomicBoolean();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            int me = i;
            Thread t = new Thread(() -> {
                try (var c = member(id, "max.poll.records", 10)) {
                    c.subscribe(List.of(topic));
                    while (!over.get()) {
                        for (var r : c.poll(Duration.ofMillis(100))) {
                            seen.add(r.value());
                            total.incrementAndGet();
                            each[me]++;
                        }
                    }
                }
            });
            t.start();
            threads.add(t);
        }
        Checks.until("three members", Duration.ofSeconds(30), () -> {
            try {
                return Cluster.admin.describeShareGroups(List.of(id)).all().get().get(id).members().size() == 3;
            } catch (ExecutionException e) {
                return false;
            }
        });
        for (int i = 0; i < 50; i++) {
            String[] some = new String[20];
            for (int n = 0; n < 20; n++) some[n] = "" + (i * 20 + n);
            Cluster.send(topic, some);
        }
        Checks.until("all records", Duration.ofSeconds(40), () -> seen.size() == 1000);
        over.set(true);
        for (Thread t : threads) t.join();
        Checks.equal(1000, total.get(), "records, each once");
        Checks.holds(Arrays.stream(each).filter(n -> n > 0).count() > 1, "one member got all records of a partition");
    }

    static void committed() throws Exception {
        String topic = Cluster.topic(1), id = group("share.isolation.level", "read_committed");
        try (var p = Cluster.producer("transactional.id", Checks.fresh("x")); var c = member(id)) {
            p.initTransactions();
            for (String v : List.of("no", "yes")) {
                p.beginTransaction();
                p.send(new ProducerRecord<>(topic, v)).get();
                if (v.equals("yes")) p.commitTransaction();
                else p.abortTransaction();
            }
            c.subscribe(List.of(topic));
            Checks.equal("yes", read(c, 1, r -> {}).get(0).value(), "value");
            nothing(c);
        }
    }

    static void callback() throws Exception {
        String topic = Cluster.topic(1), id = group();
        Cluster.send(topic, Cluster.numbers(10));
        AtomicInteger acked = new AtomicInteger();
        try (var c = explicit(id)) {
            c.setAcknowledgementCommitCallback((offsets, e) -> offsets.values().forEach(s -> acked.addAndGet(e == null ? s.size() : 1000)));
            c.subscribe(List.of(topic));
            Checks.until("the acknowledgements", Duration.ofSeconds(30), () -> {
                c.poll(Duration.ofMillis(200)).forEach(c::acknowledge);
                c.commitAsync();
                return acked.get() == 10;
            });
        }
    }

    static void describe() throws Exception {
        Admin admin = Cluster.admin;
        String topic = Cluster.topic(2), id = group();
        Cluster.send(topic, Cluster.numbers(10));
        try (var c = member(id, "client.id", "me")) {
            c.subscribe(List.of(topic));
            read(c, 10, r -> {});
            ShareGroupDescription d = admin.describeShareGroups(List.of(id)).all().get().get(id);
            Checks.equal(GroupState.STABLE, d.groupState(), "state");
            Checks.equal("me", d.members().iterator().next().clientId(), "client id");
            Checks.equal(2, d.members().iterator().next().assignment().topicPartitions().size(), "assignment");
            var listed = admin.listGroups(new ListGroupsOptions().withTypes(Set.of(GroupType.SHARE))).all().get();
            Checks.holds(listed.stream().anyMatch(g -> g.groupId().equals(id)), "listed");
            Checks.fails(GroupNotEmptyException.class, () -> admin.deleteShareGroups(List.of(id)).all().get());
        }
        Checks.until("empty", Duration.ofSeconds(20), () -> admin.describeShareGroups(List.of(id)).all().get().get(id).groupState() == GroupState.EMPTY);
        admin.deleteShareGroups(List.of(id)).all().get();
        Checks.fails(GroupIdNotFoundException.class, () -> admin.describeShareGroups(List.of(id)).all().get());
    }

    static void offsets() throws Exception {
        Admin admin = Cluster.admin;
        String topic = Cluster.topic(1), id = group();
        TopicPartition tp = new TopicPartition(topic, 0);
        Cluster.send(topic, Cluster.numbers(10));
        try (var c = member(id)) {
            c.subscribe(List.of(topic));
            read(c, 10, r -> {});
        }
        Checks.until("a start is kept", Duration.ofSeconds(20), () -> {
            var o = admin.listShareGroupOffsets(Map.of(id, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(id).get().get(tp);
            return o != null && o.startOffset() >= 0 && o.startOffset() <= 10; // it may be behind
        });
        Checks.until("the group has no members", Duration.ofSeconds(20), () -> admin.describeShareGroups(List.of(id)).all().get().get(id).members().isEmpty());
        admin.alterShareGroupOffsets(id, Map.of(tp, 7L)).all().get();
        try (var c = member(id)) {
            c.subscribe(List.of(topic));
            Checks.equal("7", read(c, 3, r -> {}).get(0).value(), "first value after the offset was set back");
        }
        Checks.until("the group has no members", Duration.ofSeconds(20), () -> admin.describeShareGroups(List.of(id)).all().get().get(id).members().isEmpty());
        admin.deleteShareGroupOffsets(id, Set.of(topic)).all().get();
        Checks.equal(null, admin.listShareGroupOffsets(Map.of(id, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(id).get().get(tp), "offset after its deletion");
    }

    static void otherType() throws Exception {
        String topic = Cluster.topic(1), id = Checks.fresh("g");
        try (var c = Cluster.consumer("group.id", id)) {
            c.subscribe(List.of(topic));
            Checks.until("a classic group", Duration.ofSeconds(20), () -> {
                c.poll(Duration.ofMillis(100));
                return !c.assignment().isEmpty();
            });
            try (var s = member(id)) {
                s.subscribe(List.of(topic));
                Checks.fails(KafkaException.class, () -> {
                    for (int i = 0; i < 20; i++) s.poll(Duration.ofSeconds(1));
                });
            }
        }
    }

    public static void main(String[] args) {
        Cluster.connect(args[0]);
        Checks all = new Checks();
        all.add("implicit acknowledgement", ShareChecks::implicit);
        all.add("begins at the end", ShareChecks::latest);
        all.add("accept and release", ShareChecks::release);
        all.add("reject", ShareChecks::reject);
        all.add("delivery limit", ShareChecks::limit);
        all.add("lock timeout", ShareChecks::lock);
        all.add("closed without acknowledgement", ShareChecks::closed);
        all.add("members share a partition", ShareChecks::shared);
        all.add("read committed", ShareChecks::committed);
        all.add("callback", ShareChecks::callback);
        all.add("describe, list, delete", ShareChecks::describe);
        all.add("offsets of the group", ShareChecks::offsets);
        all.add("a group of another type", ShareChecks::otherType);
        all.run("java share consumer", 90);
    }
}
