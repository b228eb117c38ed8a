"""What administrators do with confluent-kafka."""

from confluent_kafka import IsolationLevel, KafkaError, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from checks import check, equal, fresh, holds, raises
from confluent_client import admin, topic, producer, send, read_all, is_error


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
