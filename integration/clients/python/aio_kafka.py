"""What users of aiokafka do."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    IllegalStateError,
    MessageSizeTooLargeError,
    OffsetOutOfRangeError,
    ProducerFenced,
)
from aiokafka.structs import OffsetAndMetadata

from checks import address, check, equal, fresh, holds, run

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
admin = None


def topic(partitions=1, **configs):
    return create(fresh(), partitions, **configs)


async def create(name, partitions, **configs):
    configs = {k.replace("_", "."): str(v) for k, v in configs.items()}
    r = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
    equal([e[1] for e in r.topic_errors], [0], "creation")
    while (await admin.describe_topics([name]))[0]["error_code"]:
        await asyncio.sleep(0.05)  # a cluster may take a moment to know it
    return name


class client:
    """Starts a producer or consumer and stops it."""

    def __init__(self, c):
        self.c = c

    async def __aenter__(self):
        await self.c.start()
        return self.c

    async def __aexit__(self, *_):
        await self.c.stop()


def producer(**config):
    return client(AIOKafkaProducer(bootstrap_servers=address(), **config))


def consumer(*topics, **config):
    config = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "session_timeout_ms": 6000,
              "heartbeat_interval_ms": 500, **config}
    return client(AIOKafkaConsumer(*topics, bootstrap_servers=address(), **config))


async def send(p, records):
    return [await f for f in [await p.send(**r) for r in records]]


async def read(c, n, seconds=30):
    got, end = [], time.monotonic() + seconds
    while len(got) < n and time.monotonic() < end:
        for records in (await c.getmany(timeout_ms=200)).values():
            got += records
    equal(len(got), n, "records read")
    equal(await c.getmany(timeout_ms=300), {}, "records that shouldn't be there")
    return got


async def read_all(name, n, **config):
    async with consumer(name, **config) as c:
        return await read(c, n)


async def fails(awaitable, kinds, what):
    try:
        await awaitable
    except kinds:
        return
    raise AssertionError(f"{what}: no error")


@check
async def cluster():
    d = await admin.describe_cluster()
    equal(len(d["brokers"]), 1, "brokers")
    holds(d["cluster_id"], "cluster id")


@check
async def topics():
    name = await topic(2)
    holds(name in await admin.list_topics(), "listed")
    d = (await admin.describe_topics([name]))[0]
    equal((d["topic"], len(d["partitions"])), (name, 2), "description")
    await admin.create_partitions({name: NewPartitions(3)})
    equal(len((await admin.describe_topics([name]))[0]["partitions"]), 3, "partitions after growth")
    r = await admin.create_topics([NewTopic(name, 1, 1)])
    equal([e[1] for e in r.topic_errors], [36], "creating it again")
    await admin.delete_topics([name])
    holds(name not in await admin.list_topics(), "deleted")


@check
async def configs():
    name = await topic(1, retention_ms=777)
    res = ConfigResource(ConfigResourceType.TOPIC, name)

    async def retention():
        r = (await admin.describe_configs([res]))[0]
        return {c[0]: c[1] for c in r.resources[0][4]}["retention.ms"]

    equal(await retention(), "777", "retention.ms")
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, configs={"retention.ms": "888"})])
    equal(await retention(), "888", "retention.ms, altered")


async def round_trip(codec):
    name = await topic()
    values = [(f"k{i}".encode(), (b"x" * i + str(i).encode()) * 3) for i in range(200)]
    async with producer(compression_type=codec) as p:
        acks = await send(p, [dict(topic=name, key=k, value=v) for k, v in values])
    equal([a.offset for a in acks], list(range(200)), "offsets")
    equal([(r.key, r.value) for r in await read_all(name, 200)], values, "records")


@check
async def codec_none():
    await round_trip(None)


@check
async def codec_gzip():
    await round_trip("gzip")


@check
async def acks():
    name = await topic()
    for n in (0, 1, "all"):
        async with producer(acks=n) as p:
            await p.send(name, str(n).encode())
    equal([r.value for r in await read_all(name, 3)], [b"0", b"1", b"all"], "values")


@check
async def headers_and_nulls():
    name = await topic()
    async with producer() as p:
        await send(p, [
            dict(topic=name, value=b"v", headers=[("a", b"1"), ("a", b"2"), ("c", b"")]),
            dict(topic=name, key=b"k", value=None), dict(topic=name, key=b"", value=b"")])
    one, two, three = await read_all(name, 3)
    equal(list(one.headers), [("a", b"1"), ("a", b"2"), ("c", b"")], "headers")
    equal((one.key, two.value, three.key, three.value), (None, None, b"", b""), "nulls and empties")


@check
async def timestamps():
    for kind, want in (("CreateTime", 0), ("LogAppendTime", 1)):
        name = await topic(1, message_timestamp_type=kind)
        async with producer() as p:
            await send(p, [dict(topic=name, value=b"v", timestamp_ms=1_500_000_000_000)])
        r = (await read_all(name, 1))[0]
        equal(r.timestamp_type, want, "timestamp type")
        equal(r.timestamp == 1_500_000_000_000, want == 0, "whether the time is the producer's")


@check
async def large_records():
    name = await topic(1, max_message_bytes=3_000_000)
    value = bytes(range(256)) * 10_000
    async with producer(max_request_size=8_000_000) as p:
        await send(p, [dict(topic=name, value=value)])
        equal((await read_all(name, 1))[0].value, value, "value")
        await fails(p.send_and_wait(name, b"x" * 3_500_000), MessageSizeTooLargeError, "a record that is too large")


@check
async def idempotence():
    name = await topic(3)
    async with producer(enable_idempotence=True, linger_ms=5) as p:
        await send(p, [dict(topic=name, value=str(i).encode(), partition=i % 3) for i in range(3000)])
    got = await read_all(name, 3000)
    for part in range(3):
        equal([int(r.value) for r in got if r.partition == part], list(range(part, 3000, 3)), f"partition {part}")


@check
async def auto_create():
    name = fresh()
    async with producer() as p:
        await p.send_and_wait(name, b"v")
    equal((await read_all(name, 1))[0].value, b"v", "value")


@check
async def offsets_by_time():
    name = await topic()
    async with producer() as p:
        await send(p, [dict(topic=name, value=b"v", timestamp_ms=1000 * i) for i in range(1, 11)])
    tp = TopicPartition(name, 0)
    async with consumer() as c:
        equal((await c.beginning_offsets([tp]), await c.end_offsets([tp])), ({tp: 0}, {tp: 10}), "bounds")
        at = (await c.offsets_for_times({tp: 4500}))[tp]
        equal((at.offset, at.timestamp), (4, 5000), "offset by time")
        holds((await c.offsets_for_times({tp: 99_999}))[tp] is None, "after the last time")


@check
async def delete_records():
    name = await topic()
    async with producer() as p:
        await send(p, [dict(topic=name, value=str(i).encode()) for i in range(10)])
    await admin.delete_records({TopicPartition(name, 0): RecordsToDelete(before_offset=4)})
    equal((await read_all(name, 6))[0].value, b"4", "first value")


@check
async def assign_and_seek():
    name = await topic()
    async with producer() as p:
        await send(p, [dict(topic=name, value=str(i).encode()) for i in range(10)])
    tp = TopicPartition(name, 0)
    async with consumer() as c:
        c.assign([tp])
        c.seek(tp, 6)
        equal([r.value for r in await read(c, 4)], [b"6", b"7", b"8", b"9"], "from 6")
        equal((await c.position(tp), c.highwater(tp), c.last_stable_offset(tp)), (10, 10, 10), "position and ends")
        await c.seek_to_beginning(tp)
        equal(len(await read(c, 10)), 10, "from the beginning")


@check
async def pause_and_resume():
    name = await topic()
    tp = TopicPartition(name, 0)
    async with producer() as p, consumer() as c:
        c.assign([tp])
        await p.send_and_wait(name, b"1")
        await read(c, 1)
        c.pause(tp)
        await p.send_and_wait(name, b"2")
        equal(await c.getmany(timeout_ms=1000), {}, "a paused partition was read")
        c.resume(tp)
        equal((await read(c, 1))[0].value, b"2", "after resume")


@check
async def out_of_range():
    name = await topic()
    async with producer() as p:
        await p.send_and_wait(name, b"v")
    tp = TopicPartition(name, 0)
    async with consumer(auto_offset_reset="none") as c:
        c.assign([tp])
        c.seek(tp, 99)
        await fails(asyncio.wait_for(c.getone(), 20), OffsetOutOfRangeError, "an offset that isn't there")


@check
async def commit_and_go_on():
    name, group = await topic(), fresh("g")
    tp = TopicPartition(name, 0)
    async with producer() as p:
        await send(p, [dict(topic=name, value=str(i).encode()) for i in range(10)])
    async with consumer(name, group_id=group) as c:
        await read(c, 10)
        await c.commit({tp: OffsetAndMetadata(4, "note")})
        equal(await c.committed(tp), 4, "committed")
    got = await admin.list_consumer_group_offsets(group)
    equal(got[tp][:2], (4, "note"), "committed, with metadata")
    async with consumer(name, group_id=group) as c:
        equal((await read(c, 6))[0].value, b"4", "first after the commit")


@check
async def auto_commit():
    name, group = await topic(), fresh("g")
    async with producer() as p:
        await send(p, [dict(topic=name, value=b"v")] * 5)
    async with consumer(name, group_id=group, enable_auto_commit=True) as c:
        await read(c, 5)
    async with consumer(name, group_id=group) as c:
        equal(len(await read(c, 0)), 0, "records after the commit")


@check
async def rebalance():
    name, group = await topic(4), fresh("g")
    async with consumer(name, group_id=group) as a:
        async with consumer(name, group_id=group) as b:
            await until("two partitions each", lambda: len(a.assignment()) == 2 and len(b.assignment()) == 2)
            equal(len(a.assignment() | b.assignment()), 4, "assigned")
        await until("four partitions for the one left", lambda: len(a.assignment()) == 4)
        async with producer() as p:
            await send(p, [dict(topic=name, value=str(i).encode(), partition=i) for i in range(4)])
        equal(sorted(r.value for r in await read(a, 4)), [b"0", b"1", b"2", b"3"], "records")


async def until(what, f):
    end = time.monotonic() + 40
    while not f():
        holds(time.monotonic() < end, what)
        await asyncio.sleep(0.1)


@check
async def static_member():
    name, group = await topic(2), fresh("g")
    for _ in range(2):
        async with consumer(name, group_id=group, group_instance_id="one", session_timeout_ms=30000) as c:
            await until("assigned", lambda: len(c.assignment()) == 2)


@check
async def subscribe_by_pattern():
    prefix = fresh("pattern")
    names = [await create(f"{prefix}-{i}", 1) for i in (1, 2)]
    async with producer() as p:
        await send(p, [dict(topic=n, value=n.encode()) for n in names])
    async with consumer(group_id=fresh("g")) as c:
        c.subscribe(pattern=f"^{prefix}-.*")
        equal(sorted(r.topic for r in await read(c, 2)), names, "topics")


@check
async def groups():
    name, group = await topic(), fresh("g")
    async with consumer(name, group_id=group) as c:
        await until("assigned", lambda: len(c.assignment()) == 1)
        r = (await admin.describe_consumer_groups([group]))[0]
        g = r.groups[0]
        equal((g[0], g[1], g[2], len(g[5])), (0, group, "Stable", 1), "description")
        holds((group, "consumer") in [tuple(g[:2]) for g in await admin.list_consumer_groups()], "listed")
    holds(await admin.find_coordinator(group) > 0, "coordinator")


@check
async def batches():
    name = await topic()
    async with producer() as p:
        batch = p.create_batch()
        for i in range(5):
            batch.append(key=None, value=str(i).encode(), timestamp=None)
        m = await (await p.send_batch(batch, name, partition=0))
        equal(m.offset, 0, "offset")
    equal(len(await read_all(name, 5)), 5, "records")


@check
async def transaction():
    source, target, group = await topic(), await topic(), fresh("g")
    tp = TopicPartition(source, 0)
    async with producer() as p:
        await send(p, [dict(topic=source, value=str(i).encode()) for i in range(20)])
    async with consumer(source, group_id=group) as c, producer(transactional_id=fresh("x")) as p:
        batch = await read(c, 20)
        async with p.transaction():
            await send(p, [dict(topic=target, value=r.value) for r in batch[:10]])
            await p.send_offsets_to_transaction({tp: batch[10].offset}, group)
        await p.begin_transaction()
        await send(p, [dict(topic=target, value=r.value) for r in batch[10:]])
        await p.send_offsets_to_transaction({tp: 20}, group)
        await p.abort_transaction()
        equal(await c.committed(tp), 10, "committed offset")
    equal(len(await read_all(target, 10, isolation_level="read_committed")), 10, "committed records")
    equal(len(await read_all(target, 20)), 20, "uncommitted records")


@check
async def transaction_fencing():
    name, xid = await topic(), fresh("x")
    async with producer(transactional_id=xid) as a:
        await a.begin_transaction()
        await a.send_and_wait(name, b"old")
        async with producer(transactional_id=xid) as b:
            async with b.transaction():
                await b.send_and_wait(name, b"new")
        await fails(a.commit_transaction(), (ProducerFenced, IllegalStateError), "a fenced producer")
    equal([r.value for r in await read_all(name, 1, isolation_level="read_committed")], [b"new"], "committed")


async def begin():
    global admin
    admin = AIOKafkaAdminClient(bootstrap_servers=address())
    await admin.start()


loop.run_until_complete(begin())
run("aiokafka", lambda f: loop.run_until_complete(asyncio.wait_for(f(), 80)))
