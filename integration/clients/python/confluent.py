"""What users of confluent-kafka (librdkafka) do."""

import time

from confluent_kafka import OFFSET_BEGINNING, TIMESTAMP_CREATE_TIME, KafkaError, TopicPartition
from confluent_kafka.admin import NewTopic

import confluent_admin  # noqa: F401 (its checks)
import confluent_groups  # noqa: F401
from checks import check, equal, fresh, holds, raises, run
from confluent_client import admin, topic, producer, consumer, send, read, read_all, is_error


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
