import java.time.Duration;
import java.util.*;
import java.util.concurrent.atomic.*;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.internals.RecordHeader;

/** What users of producers and consumers do. */
final class ClientChecks {
    static void add(Checks c) {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) c.add("produce: " + codec, () -> codec(codec));
        c.add("produce: acks", ClientChecks::acks);
        c.add("produce: headers and nulls", ClientChecks::headersAndNulls);
        c.add("produce: timestamps", ClientChecks::timestamps);
        c.add("produce: large records", ClientChecks::largeRecords);
        c.add("produce: many records in order", ClientChecks::order);
        c.add("produce: unknown topic", ClientChecks::autoCreate);
        c.add("produce: compacted topic", ClientChecks::compacted);
        c.add("transactions: commit and abort", ClientChecks::commitAndAbort);
        c.add("transactions: open", ClientChecks::open);
        c.add("transactions: offsets", ClientChecks::offsetsInTransaction);
        c.add("transactions: fencing", ClientChecks::fencing);
        c.add("transactions: timeout", ClientChecks::timeout);
        for (String protocol : List.of("classic", "consumer")) {
            String in = "consume, " + protocol + ": ";
            c.add(in + "seek, pause, position", () -> seekAndPause(protocol));
            c.add(in + "offsets by time", () -> offsetsByTime(protocol));
            c.add(in + "commit and go on", () -> commitAndGoOn(protocol));
            c.add(in + "auto commit", () -> autoCommit(protocol));
            c.add(in + "reset policies", () -> reset(protocol));
            c.add(in + "rebalance", () -> rebalance(protocol));
            c.add(in + "static member", () -> staticMember(protocol));
            c.add(in + "pattern and new topics", () -> pattern(protocol));
            c.add(in + "new partitions", () -> newPartitions(protocol));
            c.add(in + "fetch after deletion", () -> deletedRecords(protocol));
        }
        c.add("consume: cooperative rebalance", () -> rebalance("classic", "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"));
        c.add("consume: uniform assignor", () -> rebalance("consumer", "group.remote.assignor", "uniform"));
        c.add("consume: from classic to consumer", ClientChecks::upgrade);
    }

    static ProducerRecord<String, String> rec(String topic, String value) {
        return new ProducerRecord<>(topic, value);
    }

    static void codec(String codec) throws Exception {
        String name = Cluster.topic(1);
        List<ProducerRecord<String, String>> in = new ArrayList<>();
        for (int i = 0; i < 300; i++) in.add(new ProducerRecord<>(name, "k" + i, ("x".repeat(i) + i).repeat(3)));
        try (var p = Cluster.producer("compression.type", codec, "linger.ms", 20)) {
            List<RecordMetadata> acks = Cluster.send(p, in);
            for (int i = 0; i < 300; i++) Checks.equal((long) i, acks.get(i).offset(), "offset");
        }
        var got = Cluster.readAll(name, 300);
        for (int i = 0; i < 300; i++) Checks.equal(in.get(i).key() + in.get(i).value(), got.get(i).key() + got.get(i).value(), "record " + i);
    }

    static void acks() throws Exception {
        String name = Cluster.topic(1);
        for (String acks : List.of("0", "1", "all"))
            try (var p = Cluster.producer("acks", acks, "enable.idempotence", acks.equals("all"))) {
                RecordMetadata m = p.send(rec(name, acks)).get();
                Checks.equal(!acks.equals("0"), m.hasOffset(), "an offset with acks=" + acks);
            }
        Checks.equal(List.of("0", "1", "all"), Cluster.values(Cluster.readAll(name, 3)), "values");
    }

    static void headersAndNulls() throws Exception {
        String name = Cluster.topic(1);
        var one = new ProducerRecord<>(name, 0, (String) null, "v", List.of(new RecordHeader("a", new byte[] {1}), new RecordHeader("a", new byte[] {2}), new RecordHeader("b", null)));
        try (var p = Cluster.producer()) {
            Cluster.send(p, List.of(one, new ProducerRecord<>(name, "k", null), new ProducerRecord<>(name, "", "")));
        }
        var got = Cluster.readAll(name, 3);
        List<String> headers = new ArrayList<>();
        got.get(0).headers().forEach(h -> headers.add(h.key() + Arrays.toString(h.value())));
        Checks.equal(List.of("a[1]", "a[2]", "bnull"), headers, "headers");
        Checks.equal(Arrays.asList(null, null, "", ""), Arrays.asList(got.get(0).key(), got.get(1).value(), got.get(2).key(), got.get(2).value()), "nulls");
    }

    static void timestamps() throws Exception {
        String name = Cluster.topic(1), appended = Cluster.topic(1, "message.timestamp.type", "LogAppendTime");
        try (var p = Cluster.producer()) {
            p.send(new ProducerRecord<>(name, 0, 1_500_000_000_000L, null, "v")).get();
            Checks.holds(p.send(new ProducerRecord<>(appended, 0, 1_500_000_000_000L, null, "v")).get().timestamp() > 1_600_000_000_000L, "time of the ack");
            String strict = Cluster.topic(1, "message.timestamp.before.max.ms", "1000");
            Checks.fails(InvalidTimestampException.class, () -> p.send(new ProducerRecord<>(strict, 0, 1_500_000_000_000L, null, "v")).get());
        }
        Checks.equal(1_500_000_000_000L, Cluster.readAll(name, 1).get(0).timestamp(), "create time");
        var r = Cluster.readAll(appended, 1).get(0);
        Checks.equal(org.apache.kafka.common.record.TimestampType.LOG_APPEND_TIME.toString(), r.timestampType().toString(), "type");
    }

    static void largeRecords() throws Exception {
        String name = Cluster.topic(1, "max.message.bytes", "3000000");
        try (var p = Cluster.producer("max.request.size", 8_000_000)) {
            String value = "abc".repeat(800_000);
            p.send(rec(name, value)).get();
            Checks.equal(value, Cluster.readAll(name, 1, "max.partition.fetch.bytes", 1000).get(0).value(), "value, though larger than was asked for");
            Checks.fails(RecordTooLargeException.class, () -> p.send(rec(name, "x".repeat(3_500_000))).get());
        }
    }

    static void order() throws Exception {
        String name = Cluster.topic(3);
        List<ProducerRecord<String, String>> in = new ArrayList<>();
        for (int i = 0; i < 30_000; i++) in.add(new ProducerRecord<>(name, i % 3, null, "" + i));
        try (var p = Cluster.producer("linger.ms", 5, "max.in.flight.requests.per.connection", 5)) {
            Cluster.send(p, in);
        }
        int[] next = {0, 1, 2};
        for (var r : Cluster.readAll(name, 30_000)) {
            Checks.equal("" + next[r.partition()], r.value(), "value in partition " + r.partition());
            next[r.partition()] += 3;
        }
    }

    static void autoCreate() throws Exception {
        String name = Checks.fresh();
        Cluster.send(name, "v");
        Checks.equal(List.of("v"), Cluster.values(Cluster.readAll(name, 1)), "values");
    }

    static void compacted() throws Exception {
        String name = Cluster.topic(1, "cleanup.policy", "compact");
        try (var p = Cluster.producer()) {
            Checks.fails(InvalidRecordException.class, () -> p.send(rec(name, "without a key")).get());
            p.send(new ProducerRecord<>(name, "k", "v")).get();
        }
        Cluster.readAll(name, 1);
    }

    static void commitAndAbort() throws Exception {
        String name = Cluster.topic(2);
        try (var p = Cluster.producer("transactional.id", Checks.fresh("x"))) {
            p.initTransactions();
            for (int i = 0; i < 10; i++) {
                p.beginTransaction();
                for (int n = 0; n < 10; n++) p.send(new ProducerRecord<>(name, n % 2, null, i + "." + n));
                p.flush(); // what isn't sent yet would just be forgotten by an abort
                if (i % 2 == 0) p.commitTransaction();
                else p.abortTransaction();
            }
        }
        for (var r : Cluster.readAll(name, 50, "isolation.level", "read_committed")) Checks.holds((r.value().charAt(0) - '0') % 2 == 0, "an aborted record was read");
        Cluster.readAll(name, 100);
    }

    static void open() throws Exception {
        String name = Cluster.topic(1);
        try (var p = Cluster.producer("transactional.id", Checks.fresh("x")); var c = Cluster.consumer("isolation.level", "read_committed")) {
            p.initTransactions();
            p.beginTransaction();
            p.send(rec(name, "v")).get();
            Cluster.send(name, "behind it");
            c.subscribe(List.of(name));
            Cluster.read(c, 0);
            TopicPartition tp = new TopicPartition(name, 0);
            Checks.equal(0L, c.endOffsets(List.of(tp)).get(tp), "last stable offset");
            p.commitTransaction();
            Checks.equal(List.of("v", "behind it"), Cluster.values(Cluster.read(c, 2)), "values");
        }
    }

    @SuppressWarnings("removal")
    static void offsetsInTransaction() throws Exception {
        String source = Cluster.topic(1), target = Cluster.topic(1), group = Checks.fresh("g");
        Cluster.send(source, Cluster.numbers(20));
        TopicPartition tp = new TopicPartition(source, 0);
        try (var c = Cluster.consumer("group.id", group); var p = Cluster.producer("transactional.id", Checks.fresh("x"))) {
            p.initTransactions();
            c.subscribe(List.of(source));
            var batch = Cluster.read(c, 20);
            for (int half = 0; half < 2; half++) {
                p.beginTransaction();
                for (var r : batch.subList(10 * half, 10 * half + 10)) p.send(rec(target, r.value()));
                p.sendOffsetsToTransaction(Map.of(tp, new OffsetAndMetadata(10L * half + 10)), c.groupMetadata());
                if (half == 0) p.commitTransaction();
                else p.abortTransaction();
            }
            Checks.equal(10L, c.committed(Set.of(tp)).get(tp).offset(), "committed");
            p.beginTransaction();
            var stale = new ConsumerGroupMetadata(group, 77, "nobody", Optional.empty());
            Checks.fails(CommitFailedException.class, () -> {
                p.sendOffsetsToTransaction(Map.of(tp, new OffsetAndMetadata(15)), stale);
                p.commitTransaction();
            });
            p.abortTransaction();
        }
        Cluster.readAll(target, 10, "isolation.level", "read_committed");
    }

    static void fencing() throws Exception {
        String name = Cluster.topic(1), id = Checks.fresh("x");
        try (var a = Cluster.producer("transactional.id", id); var b = Cluster.producer("transactional.id", id)) {
            a.initTransactions();
            a.beginTransaction();
            a.send(rec(name, "old")).get();
            b.initTransactions();
            b.beginTransaction();
            b.send(rec(name, "new"));
            b.commitTransaction();
            Checks.fails(ProducerFencedException.class, a::commitTransaction);
        }
        Checks.equal(List.of("new"), Cluster.values(Cluster.readAll(name, 1, "isolation.level", "read_committed")), "values");
    }

    static void timeout() throws Exception {
        String name = Cluster.topic(1);
        try (var p = Cluster.producer("transactional.id", Checks.fresh("x"), "transaction.timeout.ms", 1000)) {
            p.initTransactions();
            p.beginTransaction();
            p.send(rec(name, "v")).get();
            try (var c = Cluster.consumer()) {
                TopicPartition tp = new TopicPartition(name, 0);
                Checks.until("a marker", Duration.ofSeconds(30), () -> c.endOffsets(List.of(tp)).get(tp) == 2);
            }
            Checks.fails(KafkaException.class, p::commitTransaction);
        }
        Cluster.readAll(name, 0, "isolation.level", "read_committed");
    }

    static void seekAndPause(String protocol) throws Exception {
        String name = Cluster.topic(1);
        TopicPartition tp = new TopicPartition(name, 0);
        Cluster.send(name, Cluster.numbers(10));
        try (var c = Cluster.consumer("group.protocol", protocol)) {
            c.assign(List.of(tp));
            c.seek(tp, 6);
            Checks.equal(List.of("6", "7", "8", "9"), Cluster.values(Cluster.read(c, 4)), "from 6");
            Checks.equal(10L, c.position(tp), "position");
            Checks.equal(OptionalLong.of(0), c.currentLag(tp), "lag");
            c.seekToBeginning(List.of(tp));
            Cluster.read(c, 10);
            c.pause(List.of(tp));
            Cluster.send(name, "10");
            Checks.equal(0, c.poll(Duration.ofSeconds(1)).count(), "records of a paused partition");
            c.resume(List.of(tp));
            Cluster.read(c, 1);
            c.seekToEnd(List.of(tp));
            Checks.equal(11L, c.position(tp), "position at the end");
            Checks.equal(1, c.partitionsFor(name).size(), "partitions");
            Checks.holds(c.listTopics().containsKey(name), "topics");
        }
    }

    static void offsetsByTime(String protocol) throws Exception {
        String name = Cluster.topic(1);
        TopicPartition tp = new TopicPartition(name, 0);
        try (var p = Cluster.producer(); var c = Cluster.consumer("group.protocol", protocol)) {
            for (long t = 1; t <= 10; t++) p.send(new ProducerRecord<>(name, 0, 1000 * t, null, "v"));
            p.flush();
            OffsetAndTimestamp at = c.offsetsForTimes(Map.of(tp, 4500L)).get(tp);
            Checks.equal(List.of(4L, 5000L), List.of(at.offset(), at.timestamp()), "offset by time");
            Checks.equal(null, c.offsetsForTimes(Map.of(tp, 99_999L)).get(tp), "after the last");
            Checks.equal(List.of(0L, 10L), List.of(c.beginningOffsets(List.of(tp)).get(tp), c.endOffsets(List.of(tp)).get(tp)), "bounds");
        }
    }

    static void commitAndGoOn(String protocol) throws Exception {
        String name = Cluster.topic(1), group = Checks.fresh("g");
        TopicPartition tp = new TopicPartition(name, 0);
        Cluster.send(name, Cluster.numbers(10));
        try (var c = Cluster.consumer("group.id", group, "group.protocol", protocol)) {
            c.subscribe(List.of(name));
            Cluster.read(c, 10);
            c.commitSync(Map.of(tp, new OffsetAndMetadata(4, "note")));
            Checks.equal("note", c.committed(Set.of(tp)).get(tp).metadata(), "metadata");
        }
        try (var c = Cluster.consumer("group.id", group, "group.protocol", protocol)) {
            c.subscribe(List.of(name));
            Checks.equal("4", Cluster.read(c, 6).get(0).value(), "first value");
        }
    }

    static void autoCommit(String protocol) throws Exception {
        String name = Cluster.topic(1), group = Checks.fresh("g");
        Cluster.send(name, Cluster.numbers(5));
        try (var c = Cluster.consumer("group.id", group, "group.protocol", protocol, "enable.auto.commit", "true")) {
            c.subscribe(List.of(name));
            Cluster.read(c, 5);
        }
        Checks.equal(5L, Cluster.admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(new TopicPartition(name, 0)).offset(), "committed");
    }

    static void reset(String protocol) throws Exception {
        String name = Cluster.topic(1);
        TopicPartition tp = new TopicPartition(name, 0);
        Cluster.send(name, Cluster.numbers(5));
        try (var c = Cluster.consumer("group.protocol", protocol, "auto.offset.reset", "latest")) {
            c.assign(List.of(tp));
            Checks.equal(5L, c.position(tp), "latest");
        }
        try (var c = Cluster.consumer("group.protocol", protocol, "auto.offset.reset", "none")) {
            c.assign(List.of(tp));
            Checks.fails(NoOffsetForPartitionException.class, () -> c.poll(Duration.ofSeconds(20)));
            c.seek(tp, 99);
            Checks.fails(org.apache.kafka.clients.consumer.OffsetOutOfRangeException.class, () -> c.poll(Duration.ofSeconds(20)));
        }
    }

    /** Polls members in threads of their own, until a condition holds. */
    static void live(String what, java.util.concurrent.Callable<Boolean> f, List<KafkaConsumer<String, String>> members) throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        List<Thread> threads = new ArrayList<>();
        for (var m : members) {
            Thread t = new Thread(() -> {
                while (!over.get()) m.poll(Duration.ofMillis(100));
            });
            t.start();
            threads.add(t);
        }
        try {
            Checks.until(what, Duration.ofSeconds(40), f);
        } finally {
            over.set(true);
            for (Thread t : threads) t.join();
        }
    }

    /** Counts the partitions that a member has. */
    static final class Count implements ConsumerRebalanceListener {
        final Set<TopicPartition> has = java.util.concurrent.ConcurrentHashMap.newKeySet();

        public void onPartitionsAssigned(Collection<TopicPartition> p) {
            has.addAll(p);
        }

        public void onPartitionsRevoked(Collection<TopicPartition> p) {
            has.removeAll(p);
        }
    }

    static void rebalance(String protocol, Object... more) throws Exception {
        String name = Cluster.topic(4), group = Checks.fresh("g");
        Object[] conf = new Object[more.length + 4];
        System.arraycopy(new Object[] {"group.id", group, "group.protocol", protocol}, 0, conf, 0, 4);
        System.arraycopy(more, 0, conf, 4, more.length);
        Count ofA = new Count(), ofB = new Count();
        try (var a = Cluster.consumer(conf)) {
            try (var b = Cluster.consumer(conf)) {
                a.subscribe(List.of(name), ofA);
                b.subscribe(List.of(name), ofB);
                live("two partitions each", () -> ofA.has.size() == 2 && ofB.has.size() == 2, List.of(a, b));
                Set<TopicPartition> all = new HashSet<>(ofA.has);
                all.addAll(ofB.has);
                Checks.equal(4, all.size(), "assigned");
            }
            live("all for the one left", () -> ofA.has.size() == 4, List.of(a));
            Cluster.send(name, Cluster.numbers(20));
            Cluster.read(a, 20);
            a.commitSync();
        }
    }

    static void staticMember(String protocol) throws Exception {
        String name = Cluster.topic(2), group = Checks.fresh("g");
        for (int i = 0; i < 2; i++) {
            Count of = new Count();
            try (var a = Cluster.consumer("group.id", group, "group.protocol", protocol, "group.instance.id", "one")) {
                a.subscribe(List.of(name), of);
                live("all partitions", () -> of.has.size() == 2, List.of(a));
            }
            var members = Cluster.admin.describeConsumerGroups(List.of(group)).all().get().get(group).members();
            Checks.equal(1, members.size(), "a static member stays when it is closed");
            Checks.equal("one", members.iterator().next().groupInstanceId().get(), "its name");
        }
    }

    static void pattern(String protocol) throws Exception {
        String prefix = Checks.fresh("pattern");
        Cluster.create(prefix + "-1", 1);
        Cluster.send(prefix + "-1", "1");
        try (var c = Cluster.consumer("group.protocol", protocol, "metadata.max.age.ms", 500)) {
            if (protocol.equals("consumer")) c.subscribe(new SubscriptionPattern(prefix + "-.*"));
            else c.subscribe(Pattern.compile(prefix + "-.*"));
            Cluster.read(c, 1);
            c.commitSync();
            Cluster.create(prefix + "-2", 1);
            Cluster.send(prefix + "-2", "2");
            Checks.equal(prefix + "-2", Cluster.read(c, 1).get(0).topic(), "topic");
        }
    }

    static void newPartitions(String protocol) throws Exception {
        String name = Cluster.topic(1);
        Count of = new Count();
        try (var c = Cluster.consumer("group.protocol", protocol, "metadata.max.age.ms", 500)) {
            c.subscribe(List.of(name), of);
            live("one partition", () -> of.has.size() == 1, List.of(c));
            Cluster.admin.createPartitions(Map.of(name, org.apache.kafka.clients.admin.NewPartitions.increaseTo(3))).all().get();
            live("three partitions", () -> of.has.size() == 3, List.of(c));
        }
    }

    static void deletedRecords(String protocol) throws Exception {
        String name = Cluster.topic(1);
        TopicPartition tp = new TopicPartition(name, 0);
        Cluster.send(name, Cluster.numbers(10));
        Cluster.admin.deleteRecords(Map.of(tp, org.apache.kafka.clients.admin.RecordsToDelete.beforeOffset(4))).all().get();
        try (var c = Cluster.consumer("group.protocol", protocol)) {
            c.assign(List.of(tp));
            c.seek(tp, 1);
            Checks.equal("4", Cluster.read(c, 6).get(0).value(), "first value after a reset");
        }
    }

    static void upgrade() throws Exception {
        String name = Cluster.topic(4), group = Checks.fresh("g");
        Count ofOld = new Count(), ofNew = new Count();
        try (var next = Cluster.consumer("group.id", group, "group.protocol", "consumer")) {
            try (var old = Cluster.consumer("group.id", group, "group.protocol", "classic", "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor")) {
                old.subscribe(List.of(name), ofOld);
                live("all for the old one", () -> ofOld.has.size() == 4, List.of(old));
                next.subscribe(List.of(name), ofNew);
                live("two partitions each", () -> ofOld.has.size() == 2 && ofNew.has.size() == 2, List.of(old, next));
            }
            live("all for the new one", () -> ofNew.has.size() == 4, List.of(next));
        }
    }

    public static void main(String[] args) {
        Cluster.connect(args[0]);
        Checks all = new Checks();
        AdminChecks.add(all);
        add(all);
        all.run("java clients", 90);
    }
}
