"""What the checks of confluent-kafka share: clients, and short ways to use them."""

import time

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from checks import address, equal, fresh, holds

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
