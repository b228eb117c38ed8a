import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

/** What several sets of checks do with a cluster. */
final class Cluster {
    static String address;
    static Admin admin;

    static void connect(String at) {
        address = at;
        admin = Admin.create(Map.of("bootstrap.servers", at, "default.api.timeout.ms", "30000"));
    }

    static String topic(int partitions, String... configs) throws Exception {
        return create(Checks.fresh(), partitions, configs);
    }

    static String create(String name, int partitions, String... configs) throws Exception {
        Map<String, String> c = new HashMap<>();
        for (int i = 0; i < configs.length; i += 2) c.put(configs[i], configs[i + 1]);
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(c))).all().get();
        Checks.until("the topic is known", Duration.ofSeconds(10), () -> {
            try {
                return admin.describeTopics(List.of(name)).allTopicNames().get().get(name).partitions().size() == partitions;
            } catch (ExecutionException e) {
                return false;
            }
        });
        return name;
    }

    static KafkaProducer<String, String> producer(Object... configs) {
        return new KafkaProducer<>(with(configs, "bootstrap.servers", address), new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(Object... configs) {
        return new KafkaConsumer<>(with(configs, "bootstrap.servers", address, "group.id", Checks.fresh("g"),
            "auto.offset.reset", "earliest", "enable.auto.commit", "false"),
            new StringDeserializer(), new StringDeserializer());
    }

    static Map<String, Object> with(Object[] configs, Object... defaults) {
        Map<String, Object> all = new HashMap<>();
        for (Object[] some : new Object[][] {defaults, configs})
            for (int i = 0; i < some.length; i += 2) all.put((String) some[i], some[i + 1]);
        return all;
    }

    static List<RecordMetadata> send(KafkaProducer<String, String> p, List<ProducerRecord<String, String>> records) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (ProducerRecord<String, String> r : records) sent.add(p.send(r));
        p.flush();
        List<RecordMetadata> acked = new ArrayList<>();
        for (Future<RecordMetadata> f : sent) acked.add(f.get());
        return acked;
    }

    static void send(String topic, String... values) throws Exception {
        try (KafkaProducer<String, String> p = producer()) {
            List<ProducerRecord<String, String>> records = new ArrayList<>();
            for (String v : values) records.add(new ProducerRecord<>(topic, v));
            send(p, records);
        }
    }

    static String[] numbers(int n) {
        String[] s = new String[n];
        for (int i = 0; i < n; i++) s[i] = "" + i;
        return s;
    }

    /** Reads n records and makes sure that there are no more at once. */
    static List<ConsumerRecord<String, String>> read(Consumer<String, String> c, int n) {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        long end = System.nanoTime() + 40_000_000_000L;
        while (got.size() < n && System.nanoTime() < end) c.poll(Duration.ofMillis(200)).forEach(got::add);
        c.poll(Duration.ofMillis(300)).forEach(got::add);
        Checks.equal(n, got.size(), "records read");
        return got;
    }

    static List<ConsumerRecord<String, String>> readAll(String topic, int n, Object... configs) {
        try (KafkaConsumer<String, String> c = consumer(configs)) {
            c.subscribe(List.of(topic));
            return read(c, n);
        }
    }

    static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }
}
