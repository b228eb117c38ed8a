"""What members of groups do with confluent-kafka."""

import threading
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, TopicPartition

from checks import address, check, equal, fresh, holds, raises
from confluent_client import admin, topic, producer, consumer, send, read, is_error


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
