import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.errors.InvalidStateStoreException;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/**
 * An app of Kafka Streams: it counts words behind a repartition topic, in all and by the minute, and joins what comes in
 * with a table. Every change of a count goes out, so that one that happens twice or never shows.
 */
final class StreamsChecks {
    private final String protocol, guarantee;
    private final String lines = Checks.fresh("lines"), names = Checks.fresh("names");
    private final String counts = Checks.fresh("counts"), minutes = Checks.fresh("minutes"), joined = Checks.fresh("joined");
    private final String app = Checks.fresh("app");
    private final Path dirs;
    private final Map<String, Integer> want = new TreeMap<>();
    private int batch, keys;
    private KafkaStreams a, b;
    private Process killed;

    StreamsChecks(String protocol, String guarantee) throws Exception {
        this.protocol = protocol;
        this.guarantee = guarantee;
        dirs = Files.createTempDirectory("streams");
    }

    static Topology topology(String lines, String names, String counts, String minutes, String joined) {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> in = builder.stream(lines);
        KGroupedStream<String, String> words = in.flatMapValues(l -> List.of(l.split(" "))).groupBy((k, w) -> w, Grouped.as("words"));
        words.count(Materialized.as("totals")).toStream().mapValues(Object::toString).to(counts);
        words.windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofMinutes(1))).count(Materialized.as("minutes"))
            .toStream((w, n) -> w.key() + "@" + w.window().start()).mapValues(Object::toString).to(minutes);
        in.join(builder.table(names), (l, name) -> name + ": " + l).to(joined);
        return builder.build();
    }

    static KafkaStreams start(Topology t, String app, String dir, String protocol, String guarantee) {
        KafkaStreams s = new KafkaStreams(t, config(app, dir, protocol, guarantee));
        s.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        s.start();
        return s;
    }

    static Properties config(String app, String dir, String protocol, String guarantee) {
        Properties p = new Properties();
        p.putAll(Map.of("application.id", app, "bootstrap.servers", Cluster.address, "state.dir", dir, "group.protocol", protocol,
            "processing.guarantee", guarantee, "commit.interval.ms", 200, "statestore.cache.max.bytes", 0, "num.stream.threads", 2,
            "default.key.serde", Serdes.StringSerde.class, "default.value.serde", Serdes.StringSerde.class));
        p.put("consumer.auto.offset.reset", "earliest");
        p.put("consumer.metadata.max.age.ms", 1000);
        if (protocol.equals("classic")) p.put("consumer.session.timeout.ms", 6000);
        return p;
    }

    KafkaStreams instance(String dir) {
        return start(topology(lines, names, counts, minutes, joined), app, dirs.resolve(dir).toString(), protocol, guarantee);
    }

    void add(Checks c) {
        String in = "streams, " + protocol + ", " + guarantee + ": ";
        c.add(in + "one instance", this::one);
        c.add(in + "internal topics", this::internalTopics);
        c.add(in + "interactive query", this::query);
        c.add(in + "second instance", this::second);
        c.add(in + "first one leaves", this::leave);
        c.add(in + "restart with its state", this::restart);
        c.add(in + "restart without state", this::lostState);
        if (protocol.equals("classic")) c.add(in + "an instance is killed", this::kill);
        else c.add(in + "description of the group", this::describe);
        c.add(in + "every change once", this::exact);
        c.add(in + "windows", this::windows);
        c.add(in + "join", this::join);
    }

    /** Writes lines and waits for their counts. */
    void count() throws Exception {
        Random rng = new Random(++batch);
        try (var p = Cluster.producer()) {
            for (int i = 0; i < 200; i++) {
                String line = IntStream.range(0, 5).mapToObj(n -> "w" + rng.nextInt(20)).collect(Collectors.joining(" "));
                for (String w : line.split(" ")) want.merge(w, 1, Integer::sum);
                p.send(new ProducerRecord<>(lines, "k" + keys++ % 10, line));
            }
        }
        var last = new TreeMap<String, Integer>();
        try (var c = Cluster.consumer("isolation.level", "read_committed")) {
            c.subscribe(List.of(counts));
            Checks.until("the counts of batch " + batch, Duration.ofSeconds(80), () -> {
                c.poll(Duration.ofMillis(100)).forEach(r -> last.merge(r.key(), Integer.valueOf(r.value()), Math::max));
                return last.equals(want);
            });
        }
    }

    void one() throws Exception {
        Cluster.create(lines, 3);
        Cluster.create(names, 3, "cleanup.policy", "compact");
        for (String t : List.of(counts, minutes, joined)) Cluster.create(t, 2);
        try (var p = Cluster.producer()) {
            for (int i = 0; i < 10; i++) p.send(new ProducerRecord<>(names, "k" + i, "name" + i));
        }
        a = instance("a");
        count();
        running(a);
    }

    /** Waits until all threads run: one may have counted everything before another has its tasks. */
    static void running(KafkaStreams s) throws Exception {
        Checks.until("the instance runs", Duration.ofSeconds(60), () -> s.state() == KafkaStreams.State.RUNNING);
    }

    void internalTopics() throws Exception {
        Map<String, TopicDescription> found = new TreeMap<>();
        for (String t : Cluster.admin.listTopics().names().get())
            if (t.startsWith(app)) found.put(t.substring(app.length() + 1), Cluster.admin.describeTopics(List.of(t)).allTopicNames().get().get(t));
        Checks.equal(Set.of("words-repartition", "totals-changelog", "minutes-changelog"),
            found.keySet().stream().filter(t -> !t.contains("STORE")).collect(Collectors.toSet()), "topics");
        found.forEach((t, d) -> Checks.equal(3, d.partitions().size(), "partitions of " + t));
        ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, app + "-minutes-changelog");
        String policy = Cluster.admin.describeConfigs(List.of(r)).all().get().get(r).get("cleanup.policy").value();
        Checks.equal(Set.of("compact", "delete"), Set.of(policy.split(",")), "policy of a window's changelog");
    }

    /**
     * Reads all counts out of the store, and keeps at it for a while: an instance runs as soon as its threads have tasks,
     * and tasks that move from one thread to another at that moment are restored first, without an answer.
     */
    void query() throws Exception {
        running(a);
        var got = new TreeMap<String, Long>();
        Checks.until("the store has all words", Duration.ofSeconds(60), () -> {
            try {
                var store = a.store(StoreQueryParameters.fromNameAndType("totals", QueryableStoreTypes.<String, Long>keyValueStore()));
                for (String w : want.keySet()) {
                    Long n = store.get(w);
                    if (n == null) return false;
                    got.put(w, n);
                }
                return true;
            } catch (InvalidStateStoreException e) {
                return false;
            }
        });
        want.forEach((w, n) -> Checks.equal((long) n, got.get(w), w));
    }

    static int tasks(KafkaStreams s) {
        return s.metadataForLocalThreads().stream().mapToInt(t -> t.activeTasks().size()).sum();
    }

    void second() throws Exception {
        b = instance("b");
        Checks.until("both have tasks", Duration.ofSeconds(60), () -> tasks(a) > 0 && tasks(b) > 0 && tasks(a) + tasks(b) == 6);
        count();
    }

    void leave() throws Exception {
        Checks.holds(a.close(new KafkaStreams.CloseOptions().leaveGroup(true).timeout(Duration.ofSeconds(30))), "closed in time");
        count();
        Checks.until("all tasks are the other's", Duration.ofSeconds(60), () -> tasks(b) == 6);
    }

    void restart() throws Exception {
        a = instance("a");
        Checks.until("both have tasks", Duration.ofSeconds(60), () -> tasks(a) > 0 && tasks(a) + tasks(b) == 6);
        count();
    }

    void lostState() throws Exception {
        b.close(new KafkaStreams.CloseOptions().leaveGroup(true).timeout(Duration.ofSeconds(30)));
        a.close(new KafkaStreams.CloseOptions().leaveGroup(true).timeout(Duration.ofSeconds(30)));
        a = instance("fresh");
        count();
        query();
    }

    void kill() throws Exception {
        ProcessBuilder p = new ProcessBuilder(ProcessHandle.current().info().command().get(), "-Xmx256m", "-cp", System.getProperty("java.class.path"),
            "StreamsChecks", Cluster.address, "instance", lines, names, counts, minutes, joined, app, dirs.resolve("killed").toString(), protocol, guarantee);
        killed = p.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
        Checks.until("the other process has tasks", Duration.ofSeconds(60), () -> tasks(a) < 6);
        count();
        try (var q = Cluster.producer()) {
            for (int i = 0; i < 200; i++) {
                want.merge("last", 1, Integer::sum);
                q.send(new ProducerRecord<>(lines, "k" + keys++ % 10, "last"));
                if (i == 100) killed.destroyForcibly().waitFor();
            }
        }
        count();
    }

    void describe() throws Exception {
        Checks.until("the group is stable", Duration.ofSeconds(60),
            () -> Cluster.admin.describeStreamsGroups(List.of(app)).all().get().get(app).groupState().toString().equals("Stable"));
        StreamsGroupDescription d = Cluster.admin.describeStreamsGroups(List.of(app)).all().get().get(app);
        Checks.equal(2, d.subtopologies().size(), "sub-topologies");
        Checks.equal(2, d.members().size(), "members, one for each thread");
    }

    /** With exactly-once each count of each word goes out once; at least once, none is left out. */
    void exact() throws Exception {
        a.close(Duration.ofSeconds(30));
        Map<String, List<Integer>> got = new TreeMap<>();
        for (ConsumerRecord<String, String> r : readEnd(counts)) got.computeIfAbsent(r.key(), k -> new ArrayList<>()).add(Integer.valueOf(r.value()));
        Checks.equal(want.keySet(), got.keySet(), "words");
        got.forEach((w, n) -> {
            List<Integer> all = IntStream.rangeClosed(1, want.get(w)).boxed().toList();
            if (guarantee.equals("exactly_once_v2")) Checks.equal(all, n, "counts of " + w);
            else Checks.equal(new TreeSet<>(all), new TreeSet<>(n), "counts of " + w);
        });
    }

    void windows() throws Exception {
        Map<String, Integer> last = new HashMap<>(), sums = new TreeMap<>();
        for (var r : readEnd(minutes)) last.merge(r.key(), Integer.valueOf(r.value()), Math::max);
        last.forEach((k, n) -> sums.merge(k.split("@")[0], n, Integer::sum));
        if (guarantee.equals("exactly_once_v2")) Checks.equal(want, sums, "counts by minute");
        else want.forEach((w, n) -> Checks.holds(sums.get(w) >= n, "counts by minute of " + w));
    }

    void join() throws Exception {
        int n = 0;
        for (var r : readEnd(joined)) {
            Checks.holds(r.value().startsWith("name" + r.key().substring(1) + ": "), "joined: " + r.value());
            n++;
        }
        if (guarantee.equals("exactly_once_v2")) Checks.equal(keys, n, "joined records");
        else Checks.holds(n >= keys, "joined records: " + n);
    }

    /** Reads a topic up to its end. */
    static List<ConsumerRecord<String, String>> readEnd(String topic) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        try (var c = Cluster.consumer("isolation.level", "read_committed")) {
            var parts = c.partitionsFor(topic).stream().map(p -> new org.apache.kafka.common.TopicPartition(topic, p.partition())).toList();
            c.assign(parts);
            var ends = c.endOffsets(parts);
            while (parts.stream().anyMatch(p -> c.position(p) < ends.get(p))) c.poll(Duration.ofMillis(200)).forEach(got::add);
        }
        return got;
    }

    public static void main(String[] args) throws Exception {
        Cluster.connect(args[0]);
        if (args.length > 1) { // an instance that is to be killed
            start(topology(args[2], args[3], args[4], args[5], args[6]), args[7], args[8], args[9], args[10]);
            Thread.sleep(600_000);
            return;
        }
        Checks all = new Checks();
        for (String protocol : List.of("classic", "streams"))
            for (String guarantee : List.of("at_least_once", "exactly_once_v2")) new StreamsChecks(protocol, guarantee).add(all);
        all.run("java streams", 120);
    }
}
