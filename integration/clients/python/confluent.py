"""What users of confluent-kafka (librdkafka) do."""

import threading
import time

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_CREATE_TIME,
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from checks import address, check, equal, fresh, holds, raises, run

admin = AdminClient({"bootstrap.servers": address()})


def topic(partitions=1, **config):
    name = fresh()
    config = {k.replace("_", "."): str(v) for k, v in config.items()}
    admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(30)
    while name not in admin.list_topics(timeout=30).topics:
        time.sleep(0.05)  # a cluster may take a moment to know it
    return name


def producer(**config):
    config = {k.replace("_", "."): v for k, v in config.items()}
    return Producer({"bootstrap.servers": address(), "linger.ms": 5, **config})


def consumer(group=None, **config):
    config = {k.replace("_", "."): v for k, v in config.items()}
    return Consumer({
        "bootstrap.servers": address(), "group.id": group or fresh("g"), "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "session.timeout.ms": 6000, **config})


def send(p, records):
    """Produces dicts of produce's arguments, and returns what was acknowledged."""
    done, failed = [], []

    def told(err, msg):
        (failed if err else done).append(err or msg)

    for r in records:
        p.produce(on_delivery=told, **r)
        p.poll(0)
    equal(p.flush(30), 0, "records left after flush")
    if failed:
        raise KafkaException(failed[0])
    return done


def read(c, n, seconds=30):
    """Reads n records, and makes sure that there are no more at once."""
    got, end = [], time.monotonic() + seconds
    while len(got) < n and time.monotonic() < end:
        m = c.poll(0.2)
        if m is None:
            continue
        if m.error():
            raise KafkaException(m.error())
        got.append(m)
    equal(len(got), n, "records read")
    extra = c.poll(0.3)
    holds(extra is None or extra.error(), "more records than there should be")
    return got


def read_all(name, n, **config):
    c = consumer(**config)
    c.subscribe([name])
    try:
        return read(c, n)
    finally:
        c.close()


def is_error(*codes):
    return lambda e: isinstance(e, KafkaException) and e.args[0].code() in codes


@check
def cluster():
    md = admin.list_topics(timeout=30)
    holds(md.cluster_id and md.brokers and md.controller_id in md.brokers, "cluster id, brokers, controller")
    d = admin.describe_cluster().result(30)
    equal(d.cluster_id, md.cluster_id, "cluster id")
    equal(len(d.nodes), len(md.brokers), "nodes")


@check
def topics():
    name = topic(3, retention_ms=12345)
    t = admin.list_topics(name, timeout=30).topics[name]
    equal(sorted(t.partitions), [0, 1, 2], "partitions")
    d = admin.describe_topics(TopicCollection([name]))[name].result(30)
    equal((d.name, len(d.partitions), d.is_internal), (name, 3, False), "description")
    raises(lambda: topic_again(name), is_error(KafkaError.TOPIC_ALREADY_EXISTS), "creating it again")
    admin.create_partitions([NewPartitions(name, 5)])[name].result(30)
    equal(len(admin.list_topics(name, timeout=30).topics[name].partitions), 5, "partitions after growth")
    raises(lambda: admin.create_partitions([NewPartitions(name, 2)])[name].result(30),
           is_error(KafkaError.INVALID_PARTITIONS), "shrinking it")
    admin.delete_topics([name])[name].result(30)
    raises(lambda: admin.delete_topics([name])[name].result(30), is_error(KafkaError.UNKNOWN_TOPIC_OR_PART), "deleting it again")


def topic_again(name):
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)


@check
def topics_validate_only():
    name = fresh()
    admin.create_topics([NewTopic(name, 1, 1)], validate_only=True)[name].result(30)
    holds(name not in admin.list_topics(timeout=30).topics, "a topic was created")
    raises(lambda: admin.create_topics([NewTopic("no/slash", 1, 1)])["no/slash"].result(30),
           is_error(KafkaError.TOPIC_EXCEPTION), "a bad name")
    raises(lambda: admin.create_topics([NewTopic(name, 1, 1, config={"no.such": "1"})])[name].result(30),
           is_error(KafkaError.INVALID_CONFIG), "an unknown config")
    raises(lambda: admin.create_topics([NewTopic(name, 1, 3)])[name].result(30),
           is_error(KafkaError.INVALID_REPLICATION_FACTOR), "three replicas")


@check
def configs():
    name = topic(1, cleanup_policy="compact")
    res = ConfigResource(ResourceType.TOPIC, name)
    got = admin.describe_configs([res])[res].result(30)
    equal(got["cleanup.policy"].value, "compact", "cleanup.policy")
    holds(not got["cleanup.policy"].is_default and got["retention.ms"].is_default, "which are defaults")
    change = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[
        ConfigEntry("retention.ms", "777", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.APPEND)])
    admin.incremental_alter_configs([change])[change].result(30)
    got = admin.describe_configs([res])[res].result(30)
    equal(got["retention.ms"].value, "777", "retention.ms")
    equal(sorted(got["cleanup.policy"].value.split(",")), ["compact", "delete"], "appended policy")
    change = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE)])
    admin.incremental_alter_configs([change])[change].result(30)
    holds(admin.describe_configs([res])[res].result(30)["retention.ms"].is_default, "a deleted config is the default")


@check
def configs_of_broker():
    node = next(iter(admin.list_topics(timeout=30).brokers))
    res = ConfigResource(ResourceType.BROKER, str(node))
    got = admin.describe_configs([res])[res].result(30)
    for name in ("log.retention.ms", "message.max.bytes", "num.partitions", "auto.create.topics.enable"):
        holds(name in got, f"{name} is not among the broker's configs")


def round_trip(codec):
    name = topic(1)
    values = [(f"k{i}", ("x" * i + str(i)) * 3) for i in range(200)]
    p = producer(compression_type=codec)
    acks = send(p, [dict(topic=name, key=k, value=v) for k, v in values])
    equal([a.offset() for a in acks], list(range(200)), "offsets")
    got = read_all(name, 200)
    equal([(m.key().decode(), m.value().decode()) for m in got], values, "records")


@check
def codec_none():
    round_trip("none")


@check
def codec_gzip():
    round_trip("gzip")


@check
def codec_snappy():
    round_trip("snappy")


@check
def codec_lz4():
    round_trip("lz4")


@check
def codec_zstd():
    round_trip("zstd")


@check
def acks():
    name = topic(1)
    for n in (0, 1, -1):
        p = producer(acks=n)
        send(p, [dict(topic=name, value=f"{n}")])
    equal([m.value() for m in read_all(name, 3)], [b"0", b"1", b"-1"], "values")


@check
def headers_and_nulls():
    name = topic(1)
    send(producer(), [
        dict(topic=name, key=None, value=b"v", headers=[("a", b"1"), ("a", b"2"), ("b", None), ("c", b"")]),
        dict(topic=name, key=b"k", value=None), dict(topic=name, key=b"", value=b"")])
    one, two, three = read_all(name, 3)
    equal(one.headers(), [("a", b"1"), ("a", b"2"), ("b", None), ("c", b"")], "headers")
    equal((one.key(), two.value(), three.key(), three.value()), (None, None, b"", b""), "nulls and empties")


@check
def timestamps():
    name = topic(1)
    at = 1_500_000_000_000
    send(producer(), [dict(topic=name, value=b"v", timestamp=at)])
    equal(read_all(name, 1)[0].timestamp(), (TIMESTAMP_CREATE_TIME, at), "timestamp")
    name = topic(1, message_timestamp_type="LogAppendTime")
    before = time.time() * 1000 - 60_000
    send(producer(), [dict(topic=name, value=b"v", timestamp=at)])
    kind, ms = read_all(name, 1)[0].timestamp()
    equal(kind, 2, "timestamp type")
    holds(ms > before, f"append time {ms}")


@check
def large_records():
    name = topic(1, max_message_bytes=3_000_000)
    value = bytes(range(256)) * 10_000
    send(producer(message_max_bytes=4_000_000), [dict(topic=name, value=value)])
    equal(read_all(name, 1)[0].value(), value, "value")
    raises(lambda: send(producer(message_max_bytes=8_000_000), [dict(topic=name, value=b"x" * 3_500_000)]),
           is_error(KafkaError.MSG_SIZE_TOO_LARGE), "a record that is too large")


@check
def idempotence():
    name = topic(2)
    p = producer(enable_idempotence=True)
    acked = send(p, [dict(topic=name, value=str(i), partition=i % 2) for i in range(2000)])
    equal(len(acked), 2000, "acknowledged")
    got = read_all(name, 2000)
    for part in (0, 1):
        equal([int(m.value()) for m in got if m.partition() == part], list(range(part, 2000, 2)), f"partition {part}")


@check
def partitioner():
    name = topic(4)
    send(producer(partitioner="murmur2"), [dict(topic=name, key=f"key-{i % 20}", value=b"v") for i in range(200)])
    where = {}
    for m in read_all(name, 200):
        where.setdefault(m.key(), set()).add(m.partition())
    holds(all(len(p) == 1 for p in where.values()), "a key is in two partitions")
    holds(len(set.union(*where.values())) > 1, "all keys are in one partition")


@check
def unknown_topic():
    c = consumer(allow_auto_create_topics=False)
    c.subscribe([fresh("missing")])
    err = None
    for _ in range(50):
        m = c.poll(0.2)
        if m is not None and m.error():
            err = m.error().code()
            break
    c.close()
    equal(err, KafkaError.UNKNOWN_TOPIC_OR_PART, "error")


@check
def auto_create():
    name = fresh()
    send(producer(), [dict(topic=name, value=b"v")])
    equal(read_all(name, 1)[0].value(), b"v", "value")


@check
def watermarks_and_times():
    name = topic(1)
    send(producer(), [dict(topic=name, value=b"v", timestamp=1000 * i) for i in range(1, 11)])
    c = consumer()
    equal(c.get_watermark_offsets(TopicPartition(name, 0), timeout=30), (0, 10), "watermarks")
    at = lambda ms: c.offsets_for_times([TopicPartition(name, 0, ms)], timeout=30)[0].offset
    equal([at(0), at(1000), at(4500), at(10_000)], [0, 0, 4, 9], "offsets by time")
    equal(at(99_999), -1, "offset after the last time")
    c.close()


@check
def list_offsets():
    name = topic(1)
    send(producer(), [dict(topic=name, value=b"v", timestamp=t) for t in (100, 900, 500)])
    tp = TopicPartition(name, 0)
    for spec, want in ((OffsetSpec.earliest(), 0), (OffsetSpec.latest(), 3), (OffsetSpec.max_timestamp(), 1),
                       (OffsetSpec.for_timestamp(200), 1)):
        r = admin.list_offsets({tp: spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)[tp].result(30)
        equal(r.offset, want, f"{spec}")


@check
def delete_records():
    name = topic(1)
    send(producer(), [dict(topic=name, value=str(i)) for i in range(10)])
    r = admin.delete_records([TopicPartition(name, 0, 4)])
    for f in r.values():
        equal(f.result(30).low_watermark, 4, "low watermark")
    equal([m.value() for m in read_all(name, 6)][0], b"4", "first value")
    r = admin.delete_records([TopicPartition(name, 0, 40)])
    raises(lambda: [f.result(30) for f in r.values()], is_error(KafkaError.OFFSET_OUT_OF_RANGE), "deleting what isn't there")


@check
def assign_and_seek():
    name = topic(1)
    send(producer(), [dict(topic=name, value=str(i)) for i in range(10)])
    c = consumer()
    c.assign([TopicPartition(name, 0, 6)])
    equal([m.value() for m in read(c, 4)], [b"6", b"7", b"8", b"9"], "from 6")
    c.seek(TopicPartition(name, 0, 2))
    equal(read(c, 8)[0].value(), b"2", "after seek")
    c.seek(TopicPartition(name, 0, OFFSET_BEGINNING))
    equal(len(read(c, 10)), 10, "from the beginning")
    c.close()


@check
def pause_and_resume():
    name = topic(1)
    p = producer()
    c = consumer()
    c.assign([TopicPartition(name, 0, 0)])
    send(p, [dict(topic=name, value=b"1")])
    read(c, 1)
    c.pause([TopicPartition(name, 0)])
    send(p, [dict(topic=name, value=b"2")])
    holds(c.poll(2) is None, "a paused partition was read")
    c.resume([TopicPartition(name, 0)])
    equal(read(c, 1)[0].value(), b"2", "after resume")
    c.close()


@check
def commit_and_go_on():
    name, group = topic(1), fresh("g")
    send(producer(), [dict(topic=name, value=str(i)) for i in range(10)])
    c = consumer(group)
    c.subscribe([name])
    m = read(c, 10)[3]
    c.commit(m, asynchronous=False)
    equal(c.committed([TopicPartition(name, 0)], timeout=30)[0].offset, 4, "committed")
    c.close()
    c = consumer(group)
    c.subscribe([name])
    equal([m.value() for m in read(c, 6)][0], b"4", "first after the commit")
    c.commit(offsets=[TopicPartition(name, 0, 9, metadata="note")], asynchronous=False)
    got = c.committed([TopicPartition(name, 0)], timeout=30)[0]
    equal((got.offset, got.metadata), (9, "note"), "committed with metadata")
    c.close()


@check
def reset_latest():
    name = topic(1)
    p = producer()
    send(p, [dict(topic=name, value=b"old")])
    c = consumer(auto_offset_reset="latest")
    ready = threading.Event()
    c.subscribe([name], on_assign=lambda c, p: ready.set())
    while not ready.is_set():
        c.poll(0.2)
    end = time.monotonic() + 30
    m = None
    while m is None and time.monotonic() < end:
        # The position is only known once the end was asked for.
        send(p, [dict(topic=name, value=b"new")])
        m = c.poll(0.5)
    equal(m and m.value(), b"new", "first value")
    c.close()


@check
def reset_error():
    name = topic(1)
    send(producer(), [dict(topic=name, value=b"v")])
    c = consumer(auto_offset_reset="error")
    c.assign([TopicPartition(name, 0, 77)])
    err, end = None, time.monotonic() + 30
    while err is None and time.monotonic() < end:
        m = c.poll(0.2)
        err = m and m.error() and m.error().code()
    equal(err, KafkaError._AUTO_OFFSET_RESET, "error")
    c.close()


def rebalance(**config):
    """Two members share four partitions, and one has them all when the other leaves."""
    name, group = topic(4), fresh("g")
    a, b = consumer(group, **config), consumer(group, **config)
    a.subscribe([name])
    b.subscribe([name])

    def until(what, f, *members):
        end = time.monotonic() + 40
        while not f():
            holds(time.monotonic() < end, what)
            for m in members:
                m.poll(0.1)

    until("two partitions each", lambda: len(a.assignment()) == 2 and len(b.assignment()) == 2, a, b)
    ours = {t.partition for t in a.assignment()} | {t.partition for t in b.assignment()}
    equal(ours, {0, 1, 2, 3}, "assigned")
    b.close()
    until("four partitions for the one left", lambda: len(a.assignment()) == 4, a)
    send(producer(), [dict(topic=name, value=str(i), partition=i) for i in range(4)])
    equal(sorted(m.value() for m in read(a, 4)), [b"0", b"1", b"2", b"3"], "records")
    a.close()


@check
def rebalance_range():
    rebalance(**{"partition.assignment.strategy": "range"})


@check
def rebalance_roundrobin():
    rebalance(**{"partition.assignment.strategy": "roundrobin"})


@check
def rebalance_cooperative():
    rebalance(**{"partition.assignment.strategy": "cooperative-sticky"})


@check
def rebalance_consumer_protocol():
    c = {"group.protocol": "consumer"}
    name, group = topic(4), fresh("g")
    conf = {"bootstrap.servers": address(), "group.id": group, "auto.offset.reset": "earliest", **c}
    a, b = Consumer(conf), Consumer(conf)
    a.subscribe([name])
    b.subscribe([name])
    end = time.monotonic() + 40
    while not (len(a.assignment()) == 2 and len(b.assignment()) == 2):
        holds(time.monotonic() < end, "two partitions each")
        a.poll(0.1)
        b.poll(0.1)
    b.close()
    while len(a.assignment()) != 4:
        holds(time.monotonic() < end, "four partitions for the one left")
        a.poll(0.1)
    a.close()


@check
def static_member():
    name, group = topic(2), fresh("g")
    a = consumer(group, group_instance_id="one", session_timeout_ms=30000)
    a.subscribe([name])
    end = time.monotonic() + 30
    while len(a.assignment()) != 2:
        holds(time.monotonic() < end, "assigned at first")
        a.poll(0.1)
    a.close()  # a static member doesn't leave
    d = admin.describe_consumer_groups([group])[group].result(30)
    equal([(m.group_instance_id, len(m.assignment.topic_partitions)) for m in d.members], [("one", 2)], "members after close")
    a = consumer(group, group_instance_id="one", session_timeout_ms=30000)
    a.subscribe([name])
    while len(a.assignment()) != 2:
        holds(time.monotonic() < end, "assigned when it is back")
        a.poll(0.1)
    a.close()


@check
def groups():
    name, group = topic(1), fresh("g")
    send(producer(), [dict(topic=name, value=b"v")])
    c = consumer(group)
    c.subscribe([name])
    read(c, 1)
    c.commit(asynchronous=False)
    d = admin.describe_consumer_groups([group])[group].result(30)
    equal((d.group_id, d.state.name, len(d.members), d.partition_assignor), (group, "STABLE", 1, "range"), "description")
    listed = {g.group_id: g for g in admin.list_consumer_groups().result(30).valid}
    equal(listed[group].state.name, "STABLE", "state in the list")
    raises(lambda: admin.delete_consumer_groups([group])[group].result(30), is_error(KafkaError.NON_EMPTY_GROUP), "deleting a live group")
    c.close()
    got = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(30)
    equal([(t.topic, t.offset) for t in got.topic_partitions], [(name, 1)], "offsets")
    alter = ConsumerGroupTopicPartitions(group, [TopicPartition(name, 0, 0)])
    admin.alter_consumer_group_offsets([alter])[group].result(30)
    c = consumer(group)
    c.subscribe([name])
    equal(read(c, 1)[0].offset(), 0, "after the offset was set back")
    c.close()
    admin.delete_consumer_groups([group])[group].result(30)
    raises(lambda: admin.delete_consumer_groups([group])[group].result(30), is_error(KafkaError.GROUP_ID_NOT_FOUND), "deleting it again")


@check
def transaction_commit_and_abort():
    name = topic(2)
    p = producer(transactional_id=fresh("x"))
    p.init_transactions(30)
    p.begin_transaction()
    send(p, [dict(topic=name, value=f"yes{i}", partition=i % 2) for i in range(10)])
    p.commit_transaction(30)
    p.begin_transaction()
    send(p, [dict(topic=name, value=f"no{i}", partition=i % 2) for i in range(10)])
    p.abort_transaction(30)
    p.begin_transaction()
    send(p, [dict(topic=name, value="last", partition=0)])
    p.commit_transaction(30)
    got = read_all(name, 11, isolation_level="read_committed")
    equal(sorted(m.value() for m in got), sorted([f"yes{i}".encode() for i in range(10)] + [b"last"]), "committed")
    equal(len(read_all(name, 21, isolation_level="read_uncommitted")), 21, "uncommitted")


@check
def transaction_open():
    name = topic(1)
    p = producer(transactional_id=fresh("x"))
    p.init_transactions(30)
    p.begin_transaction()
    send(p, [dict(topic=name, value="open")])
    c = consumer(isolation_level="read_committed")
    c.subscribe([name])
    equal(len(read(c, 0)), 0, "before the commit")
    holds(c.poll(2) is None, "a record of an open transaction was read")
    p.commit_transaction(30)
    equal(read(c, 1)[0].value(), b"open", "after the commit")
    c.close()


@check
def transaction_offsets():
    source, target, group = topic(1), topic(1), fresh("g")
    send(producer(), [dict(topic=source, value=str(i)) for i in range(20)])
    c = consumer(group)
    c.subscribe([source])
    p = producer(transactional_id=fresh("x"))
    p.init_transactions(30)
    batch = read(c, 20)
    for part, end in ((batch[:10], p.commit_transaction), (batch[10:], p.abort_transaction)):
        p.begin_transaction()
        send(p, [dict(topic=target, value=m.value()) for m in part])
        p.send_offsets_to_transaction([TopicPartition(source, 0, part[-1].offset() + 1)], c.consumer_group_metadata(), 30)
        end(30)
    equal(c.committed([TopicPartition(source, 0)], timeout=30)[0].offset, 10, "committed")
    c.close()
    equal(len(read_all(target, 10, isolation_level="read_committed")), 10, "copied")


@check
def transaction_fencing():
    name, xid = topic(1), fresh("x")
    a, b = producer(transactional_id=xid), producer(transactional_id=xid)
    a.init_transactions(30)
    a.begin_transaction()
    a.produce(name, b"old")
    a.flush(30)
    b.init_transactions(30)
    b.begin_transaction()
    b.produce(name, b"new")
    b.commit_transaction(30)
    raises(lambda: a.commit_transaction(30), lambda e: e.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED), "a fenced producer")
    equal([m.value() for m in read_all(name, 1, isolation_level="read_committed")], [b"new"], "committed")


@check
def subscribe_by_pattern():
    prefix = fresh("pattern")
    names = [f"{prefix}-{i}" for i in (1, 2)]
    for f in admin.create_topics([NewTopic(n, 1, 1) for n in names]).values():
        f.result(30)
    send(producer(), [dict(topic=n, value=n) for n in names])
    c = consumer()
    c.subscribe([f"^{prefix}-.*"])
    equal(sorted(m.topic() for m in read(c, 2)), names, "topics")
    c.close()


run("confluent-kafka")
