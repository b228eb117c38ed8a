"""What users of kafka-python do."""

import threading
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import (
    GroupIdNotFoundError,
    InvalidConfigurationError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    NonEmptyGroupError,
    OffsetOutOfRangeError,
    ProducerFencedError,
    InvalidProducerEpochError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)
from kafka.structs import OffsetAndMetadata

from checks import address, check, equal, fresh, holds, raises, run

admin = KafkaAdminClient(bootstrap_servers=address())


def topic(partitions=1, **configs):
    name = fresh()
    configs = {k.replace("_", "."): str(v) for k, v in configs.items()}
    admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}}, wait_for_metadata=True)
    return name


def producer(**config):
    return KafkaProducer(bootstrap_servers=address(), **config)


def send(p, records):
    """Sends dicts of send's arguments, and returns what was acknowledged."""
    futures = [p.send(**r) for r in records]
    p.flush(30)
    return [f.get(30) for f in futures]


def consumer(*topics, **config):
    config = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "session_timeout_ms": 6000,
              "heartbeat_interval_ms": 500, **config}
    return KafkaConsumer(*topics, bootstrap_servers=address(), **config)


# How long a poll of a member takes at most, in milliseconds. kafka-python 3.0.12 forgets
# the answer to its SyncGroup if the poll ends just then: it believes that it has joined,
# sends no heartbeats, and is removed. So polls are few and long.
PATIENT = 3000


def read(c, n, seconds=30):
    got, end = [], time.monotonic() + seconds
    while len(got) < n and time.monotonic() < end:
        for records in c.poll(PATIENT).values():
            got += records
    equal(len(got), n, "records read")
    equal(c.poll(300), {}, "records that shouldn't be there")
    return got


def read_all(name, n, **config):
    c = consumer(name, **config)
    try:
        return read(c, n)
    finally:
        c.close()


def is_error(*kinds):
    return lambda e: isinstance(e, kinds)


@check
def cluster():
    d = admin.describe_cluster()
    holds(d["cluster_id"] and len(d["brokers"]) == 1, "cluster id and brokers")
    holds(admin.api_versions(), "api versions")
    dirs = admin.describe_log_dirs()
    equal(dirs[0]["log_dirs"][0]["error_code"], 0, "log dirs")


@check
def features():
    f = admin.describe_features()
    holds(f, "features of the broker")


@check
def topics():
    name = topic(3)
    holds(name in admin.list_topics(), "listed")
    d = admin.describe_topics([name])[0]
    equal((d["name"], len(d["partitions"])), (name, 3), "description")
    raises(lambda: admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}}),
           is_error(TopicAlreadyExistsError), "creating it again")
    admin.create_partitions({name: 4})
    equal(len(admin.describe_topics([name])[0]["partitions"]), 4, "partitions after growth")
    admin.delete_topics([name])
    raises(lambda: admin.delete_topics([name]), is_error(UnknownTopicOrPartitionError), "deleting it again")


@check
def topics_refused():
    raises(lambda: admin.create_topics({"no/slash": {"num_partitions": 1, "replication_factor": 1}}),
           is_error(InvalidTopicError), "a bad name")
    raises(lambda: topic(1, no_such=1), is_error(InvalidConfigurationError), "an unknown config")


@check
def topic_partitions_paged():
    name = topic(5)
    d = admin.describe_topic_partitions([name], response_partition_limit=2)
    holds(d, "an answer")


@check
def configs():
    name = topic(1, cleanup_policy="compact")
    res = lambda configs=None: [ConfigResource(ConfigResourceType.TOPIC, name, configs=configs)]
    got = lambda: admin.describe_configs(res(), config_filter="all")["topic"][name]
    equal(got()["cleanup.policy"]["value"], "compact", "cleanup.policy")
    admin.alter_configs(res({"retention.ms": "777"}))
    equal(got()["retention.ms"]["value"], "777", "retention.ms")
    equal(got()["cleanup.policy"]["value"], "compact", "cleanup.policy, unchanged")
    admin.reset_configs(res({"retention.ms": None}))
    equal(got()["retention.ms"]["value"], "604800000", "retention.ms by default")
    admin.alter_configs(res({"retention.ms": "888"}), incremental=False)
    equal(got()["retention.ms"]["value"], "888", "retention.ms, the old way")


@check
def config_resources():
    name = topic()
    listed = admin.list_config_resources(["topic"])
    holds(name in listed.get("topic", []), "the topic is among the resources")


def round_trip(codec):
    name = topic()
    values = [(f"k{i}".encode(), (b"x" * i + str(i).encode()) * 3) for i in range(200)]
    p = producer(compression_type=codec)
    acks = send(p, [dict(topic=name, key=k, value=v) for k, v in values])
    equal([a.offset for a in acks], list(range(200)), "offsets")
    equal([(r.key, r.value) for r in read_all(name, 200)], values, "records")


@check
def codec_none():
    round_trip(None)


@check
def codec_gzip():
    round_trip("gzip")


@check
def acks():
    name = topic()
    for n in (0, 1, "all"):
        p = producer(acks=n, enable_idempotence=n == "all")
        p.send(name, str(n).encode())
        p.flush(30)
    equal([r.value for r in read_all(name, 3)], [b"0", b"1", b"all"], "values")


@check
def headers_and_nulls():
    name = topic()
    send(producer(), [
        dict(topic=name, value=b"v", headers=[("a", b"1"), ("a", b"2"), ("c", b"")]),
        dict(topic=name, key=b"k", value=None), dict(topic=name, key=b"", value=b"")])
    one, two, three = read_all(name, 3)
    equal(list(one.headers), [("a", b"1"), ("a", b"2"), ("c", b"")], "headers")
    equal((one.key, two.value, three.key, three.value), (None, None, b"", b""), "nulls and empties")


@check
def timestamps():
    name = topic()
    send(producer(), [dict(topic=name, value=b"v", timestamp_ms=1_500_000_000_000)])
    r = read_all(name, 1)[0]
    equal((r.timestamp, r.timestamp_type), (1_500_000_000_000, 0), "create time")
    name = topic(1, message_timestamp_type="LogAppendTime")
    send(producer(), [dict(topic=name, value=b"v", timestamp_ms=1_500_000_000_000)])
    r = read_all(name, 1)[0]
    equal(r.timestamp_type, 1, "timestamp type")
    holds(r.timestamp > 1_600_000_000_000, "append time")


@check
def large_records():
    name = topic(1, max_message_bytes=3_000_000)
    value = bytes(range(256)) * 10_000
    p = producer(max_request_size=8_000_000)
    send(p, [dict(topic=name, value=value)])
    equal(read_all(name, 1)[0].value, value, "value")
    raises(lambda: send(p, [dict(topic=name, value=b"x" * 3_500_000)]), is_error(MessageSizeTooLargeError), "a record that is too large")


@check
def many_records():
    name = topic(3)
    p = producer(linger_ms=5)
    send(p, [dict(topic=name, value=str(i).encode(), partition=i % 3) for i in range(3000)])
    got = read_all(name, 3000)
    for part in range(3):
        equal([int(r.value) for r in got if r.partition == part], list(range(part, 3000, 3)), f"partition {part}")


@check
def auto_create():
    name = fresh()
    send(producer(), [dict(topic=name, value=b"v")])
    equal(read_all(name, 1)[0].value, b"v", "value")


@check
def offsets_by_time():
    name = topic()
    send(producer(), [dict(topic=name, value=b"v", timestamp_ms=1000 * i) for i in range(1, 11)])
    tp = TopicPartition(name, 0)
    c = consumer()
    equal((c.beginning_offsets([tp])[tp], c.end_offsets([tp])[tp]), (0, 10), "bounds")
    at = c.offsets_for_times({tp: 4500})[tp]
    equal((at.offset, at.timestamp), (4, 5000), "offset by time")
    holds(c.offsets_for_times({tp: 99_999})[tp] is None, "after the last time")
    c.close()
    for spec, want in ((OffsetSpec.EARLIEST, 0), (OffsetSpec.LATEST, 10), (OffsetSpec.MAX_TIMESTAMP, 9)):
        equal(admin.list_partition_offsets({tp: spec})[tp].offset, want, str(spec))


@check
def delete_records():
    name = topic()
    tp = TopicPartition(name, 0)
    send(producer(), [dict(topic=name, value=str(i).encode()) for i in range(10)])
    admin.delete_records({tp: 4})
    equal(read_all(name, 6)[0].value, b"4", "first value")


@check
def assign_and_seek():
    name = topic()
    send(producer(), [dict(topic=name, value=str(i).encode()) for i in range(10)])
    tp = TopicPartition(name, 0)
    c = consumer()
    c.assign([tp])
    c.seek(tp, 6)
    equal([r.value for r in read(c, 4)], [b"6", b"7", b"8", b"9"], "from 6")
    equal(c.position(tp), 10, "position")
    c.seek_to_beginning(tp)
    equal(len(read(c, 10)), 10, "from the beginning")
    c.seek_to_end(tp)
    equal(c.position(tp), 10, "position at the end")
    c.close()


@check
def pause_and_resume():
    name = topic()
    tp = TopicPartition(name, 0)
    p = producer()
    c = consumer()
    c.assign([tp])
    send(p, [dict(topic=name, value=b"1")])
    read(c, 1)
    c.pause(tp)
    send(p, [dict(topic=name, value=b"2")])
    equal(c.poll(1500), {}, "a paused partition was read")
    c.resume(tp)
    equal(read(c, 1)[0].value, b"2", "after resume")
    c.close()


@check
def out_of_range():
    name = topic()
    send(producer(), [dict(topic=name, value=b"v")])
    c = consumer(auto_offset_reset="none")
    tp = TopicPartition(name, 0)
    c.assign([tp])
    c.seek(tp, 99)
    raises(lambda: [c.poll(500) for _ in range(20)], is_error(OffsetOutOfRangeError), "an offset that isn't there")
    c.close()


@check
def commit_and_go_on():
    name, group = topic(), fresh("g")
    tp = TopicPartition(name, 0)
    send(producer(), [dict(topic=name, value=str(i).encode()) for i in range(10)])
    c = consumer(name, group_id=group)
    read(c, 10)
    c.commit({tp: OffsetAndMetadata(4, "note", -1)})
    equal(c.committed(tp, metadata=True)[:2], (4, "note"), "committed")
    c.close()
    c = consumer(name, group_id=group)
    equal(read(c, 6)[0].value, b"4", "first after the commit")
    c.close()


@check
def auto_commit():
    name, group = topic(), fresh("g")
    send(producer(), [dict(topic=name, value=b"v")] * 5)
    c = consumer(name, group_id=group, enable_auto_commit=True, auto_commit_interval_ms=100)
    read(c, 5)
    c.close()
    got = admin.list_group_offsets({group: None})[group]
    equal(got[TopicPartition(name, 0)].offset, 5, "committed")


@check
def rebalance():
    for last in False, False, True:  # for what is said at PATIENT
        try:
            return two_members()
        except AssertionError:
            if last:
                raise


def two_members():
    name, group = topic(4), fresh("g")
    a, b = consumer(name, group_id=group), consumer(name, group_id=group)
    end = time.monotonic() + 25

    def until(what, f, *members):
        # Each member waits for the others, so they have to go on side by side.
        over = threading.Event()

        def live(m):
            while not over.is_set():
                m.poll(PATIENT)

        threads = [threading.Thread(target=live, args=(m,)) for m in members]
        for t in threads:
            t.start()
        try:
            while not f():
                holds(time.monotonic() < end, what)
                time.sleep(0.1)
        finally:
            over.set()
            for t in threads:
                t.join()

    until("two partitions each", lambda: len(a.assignment()) == 2 and len(b.assignment()) == 2, a, b)
    equal(len(a.assignment() | b.assignment()), 4, "assigned")
    b.close()
    until("four partitions for the one left", lambda: len(a.assignment()) == 4, a)
    send(producer(), [dict(topic=name, value=str(i).encode(), partition=i) for i in range(4)])
    equal(sorted(r.value for r in read(a, 4)), [b"0", b"1", b"2", b"3"], "records")
    a.close()


@check
def static_member():
    name, group = topic(2), fresh("g")
    a = consumer(name, group_id=group, group_instance_id="one", session_timeout_ms=30000)
    end = time.monotonic() + 30
    while len(a.assignment()) != 2:
        holds(time.monotonic() < end, "assigned")
        a.poll(PATIENT)
    d = admin.describe_groups([group])[group]
    equal([m["group_instance_id"] for m in d["members"]], ["one"], "instance id")
    a.close()


@check
def subscribe_by_pattern():
    prefix = fresh("pattern")
    names = [f"{prefix}-{i}" for i in (1, 2)]
    admin.create_topics({n: {"num_partitions": 1, "replication_factor": 1} for n in names})
    p = producer()
    send(p, [dict(topic=n, value=n.encode()) for n in names])
    c = consumer(group_id=fresh("g"))
    c.subscribe(pattern=f"^{prefix}-.*")
    equal(sorted(r.topic for r in read(c, 2)), names, "topics")
    c.close()


@check
def groups():
    name, group = topic(), fresh("g")
    tp = TopicPartition(name, 0)
    send(producer(), [dict(topic=name, value=b"v")])
    c = consumer(name, group_id=group)
    read(c, 1)
    c.commit()
    d = admin.describe_groups([group])[group]
    equal((d["group_state"], d["protocol_type"], len(d["members"])), ("Stable", "consumer", 1), "description")
    holds(group in [g["group_id"] for g in admin.list_groups()], "listed")
    holds(group in [g["group_id"] for g in admin.list_groups(states_filter=["Stable"])], "listed by state")
    holds(group not in [g["group_id"] for g in admin.list_groups(states_filter=["Empty"])], "not listed by another state")
    raises(lambda: check_deleted(group), is_error(NonEmptyGroupError), "deleting a live group")
    c.close()
    admin.alter_group_offsets(group, {tp: OffsetAndMetadata(0, "", -1)})
    equal(admin.list_group_offsets({group: [tp]})[group][tp].offset, 0, "altered offset")
    admin.delete_group_offsets(group, [tp])
    equal(admin.list_group_offsets({group: None})[group], {}, "offsets after their deletion")
    check_deleted(group)
    raises(lambda: check_deleted(group), is_error(GroupIdNotFoundError), "deleting it again")


def check_deleted(group):
    """Deletes a group; the client tells of errors as values."""
    for got in admin.delete_groups([group]).values():
        if got is None or got == "OK":
            continue
        if isinstance(got, type) and issubclass(got, Exception):
            if got.errno:
                raise got()
        elif isinstance(got, Exception):
            raise got
        elif isinstance(got, str):
            for kind in (NonEmptyGroupError, GroupIdNotFoundError):
                if kind.__name__.removesuffix("Error") in got or kind.__name__ in got:
                    raise kind(got)
            raise AssertionError(got)


@check
def transaction():
    source, target, group, xid = topic(), topic(), fresh("g"), fresh("x")
    send(producer(), [dict(topic=source, value=str(i).encode()) for i in range(20)])
    c = consumer(source, group_id=group)
    batch = read(c, 20)
    p = producer(transactional_id=xid)
    p.init_transactions()
    for part, end in ((batch[:10], p.commit_transaction), (batch[10:], p.abort_transaction)):
        p.begin_transaction()
        for r in part:
            p.send(target, r.value)
        p.send_offsets_to_transaction({TopicPartition(source, 0): OffsetAndMetadata(part[-1].offset + 1, "", -1)}, c.group_metadata())
        p.flush(30)
        end()
    equal(c.committed(TopicPartition(source, 0)), 10, "committed offset")
    c.close()
    equal(len(read_all(target, 10, isolation_level="read_committed")), 10, "committed records")
    equal(len(read_all(target, 20)), 20, "uncommitted records")
    listed = [t for ts in admin.list_transactions().values() for t in ts if t.transactional_id == xid]
    equal([t.state.value for t in listed], ["CompleteAbort"], "state in the list")
    equal(admin.describe_transactions([xid])[xid].state.value, "CompleteAbort", "state in the description")


@check
def transaction_fencing():
    name, xid = topic(), fresh("x")
    a, b = producer(transactional_id=xid), producer(transactional_id=xid)
    a.init_transactions()
    a.begin_transaction()
    a.send(name, b"old")
    a.flush(30)
    b.init_transactions()
    b.begin_transaction()
    b.send(name, b"new")
    b.commit_transaction()
    raises(a.commit_transaction, is_error(ProducerFencedError, InvalidProducerEpochError), "a fenced producer")
    equal([r.value for r in read_all(name, 1, isolation_level="read_committed")], [b"new"], "committed")


@check
def producers():
    name = topic()
    p = producer(enable_idempotence=True)
    send(p, [dict(topic=name, value=b"v")] * 3)
    holds(admin.describe_producers([TopicPartition(name, 0)]), "state of the producer")


run("kafka-python")
