// What users of kafkajs do. The address is the argument. Each check throws when
// it doesn't find what it wants; names are new in each run.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'

// The packages are in a directory of their own, beside which this file isn't.
const { Kafka, CompressionTypes, ConfigResourceTypes, AssignerProtocol, PartitionAssigners, logLevel, Partitioners } =
  createRequire(`${process.env.MODULES ?? '.'}/`)('kafkajs')

const kafka = new Kafka({ brokers: [process.argv[2]], logLevel: logLevel.NOTHING, retry: { retries: 8, initialRetryTime: 100 } })
const admin = kafka.admin()
const run = randomUUID().slice(0, 8)
let names = 0
const fresh = (kind = 't') => `${kind}-${run}-${++names}`
const sleep = ms => new Promise(done => setTimeout(done, ms))
const open = []
const checks = {}

const topic = async (partitions = 1, configs = {}) => {
  const name = fresh()
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  assert.equal(await admin.createTopics({ topics: [{ topic: name, numPartitions: partitions, configEntries }], waitForLeaders: true }), true)
  return name
}

const producer = async (config = {}) => {
  const p = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...config })
  await p.connect()
  open.push(p)
  return p
}

const send = async (topic, messages, options = {}) => (await producer()).send({ topic, messages, ...options })

// Starts a consumer that gathers what it reads.
const consumer = async (topics, config = {}, options = {}) => {
  const c = kafka.consumer({ groupId: fresh('g'), sessionTimeout: 6000, heartbeatInterval: 500, rebalanceTimeout: 10000, maxWaitTimeInMs: 200, ...config })
  c.got = []
  c.joined = []
  c.on(c.events.GROUP_JOIN, e => c.joined.push(e.payload.memberAssignment))
  await c.connect()
  open.push(c)
  await c.subscribe({ topics, fromBeginning: true })
  await c.run({ autoCommit: false, eachMessage: async m => { c.got.push(m) }, ...options })
  return c
}

const until = async (what, f, seconds = 40) => {
  const end = Date.now() + seconds * 1000
  while (!f()) {
    assert.ok(Date.now() < end, what)
    await sleep(50)
  }
}

const reads = async (c, n) => {
  await until(`${n} records`, () => c.got.length >= n)
  await sleep(300)
  assert.equal(c.got.length, n, 'records read')
  return c.got.splice(0)
}

const readAll = async (name, n, config) => {
  const c = await consumer([name], config)
  const got = await reads(c, n)
  await c.disconnect()
  return got
}

const fails = (promise, type) => assert.rejects(promise, e => {
  const told = JSON.stringify([e.type, e.name, e.message, e.errors?.map(e => e.type), e.groups?.map(g => g.errorType ?? g.error?.type), e.partitions?.map(p => p.error?.message)])
  assert.ok(told.includes(type), `want ${type}, got ${told}`)
  return true
})

checks.cluster = async () => {
  const d = await admin.describeCluster()
  assert.ok(d.clusterId && d.brokers.length === 1 && d.controller === d.brokers[0].nodeId)
}

checks.topics = async () => {
  const name = await topic(2)
  assert.ok((await admin.listTopics()).includes(name))
  const d = await admin.fetchTopicMetadata({ topics: [name] })
  assert.equal(d.topics[0].partitions.length, 2)
  assert.equal(await admin.createTopics({ topics: [{ topic: name }] }), false, 'creating it again')
  await admin.createPartitions({ topicPartitions: [{ topic: name, count: 5 }] })
  assert.equal((await admin.fetchTopicMetadata({ topics: [name] })).topics[0].partitions.length, 5)
  await admin.deleteTopics({ topics: [name] })
  await fails(admin.deleteTopics({ topics: [name] }), 'This server does not host this topic-partition')
}

checks.refusedTopics = async () => {
  await fails(admin.createTopics({ topics: [{ topic: fresh(), configEntries: [{ name: 'no.such', value: '1' }] }] }), 'INVALID_CONFIG')
  await fails(admin.createTopics({ topics: [{ topic: fresh(), replicationFactor: 3 }] }), 'INVALID_REPLICATION_FACTOR')
}

checks.configs = async () => {
  const name = await topic(1, { 'cleanup.policy': 'compact' })
  const resource = { type: ConfigResourceTypes.TOPIC, name }
  const config = async which => {
    const d = await admin.describeConfigs({ resources: [resource], includeSynonyms: true })
    return d.resources[0].configEntries.find(e => e.configName === which)
  }
  assert.equal((await config('cleanup.policy')).configValue, 'compact')
  assert.equal((await config('retention.ms')).isDefault, true)
  await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '777' }] }] })
  assert.equal((await config('retention.ms')).configValue, '777')
  assert.equal((await config('cleanup.policy')).configValue, 'delete', 'what is left out takes its default')
}

checks.codecNone = async () => roundTrip(CompressionTypes.None)
checks.codecGZIP = async () => roundTrip(CompressionTypes.GZIP)
const roundTrip = async compression => {
  const name = await topic()
  const messages = [...Array(200).keys()].map(i => ({ key: `k${i}`, value: ('x'.repeat(i) + i).repeat(3) }))
  const acks = await send(name, messages, { compression })
  assert.equal(acks[0].baseOffset, '0')
  const got = await readAll(name, 200)
  assert.deepEqual(got.map(g => ({ key: `${g.message.key}`, value: `${g.message.value}` })), messages)
}

checks.acks = async () => {
  const name = await topic()
  for (const acks of [0, 1, -1]) await send(name, [{ value: `${acks}` }], { acks })
  assert.deepEqual((await readAll(name, 3)).map(g => `${g.message.value}`), ['0', '1', '-1'])
}

checks.headersAndNulls = async () => {
  const name = await topic()
  await send(name, [{ value: 'v', headers: { a: ['1', '2'], c: '' } }, { key: 'k', value: null }, { key: '', value: '' }])
  const [one, two, three] = (await readAll(name, 3)).map(g => g.message)
  assert.deepEqual([one.headers.a.map(String), String(one.headers.c), one.key], [['1', '2'], '', null])
  assert.deepEqual([two.value, String(three.key), String(three.value)], [null, '', ''])
}

checks.timestamps = async () => {
  const created = await topic()
  await send(created, [{ value: 'v', timestamp: '1500000000000' }])
  assert.equal((await readAll(created, 1))[0].message.timestamp, '1500000000000')
  const appended = await topic(1, { 'message.timestamp.type': 'LogAppendTime' })
  await send(appended, [{ value: 'v', timestamp: '1500000000000' }])
  assert.ok(Number((await readAll(appended, 1))[0].message.timestamp) > 1600000000000)
}

checks.largeRecords = async () => {
  const name = await topic(1, { 'max.message.bytes': '3000000' })
  const value = Buffer.alloc(2500000, 'abc')
  await send(name, [{ value }])
  assert.ok((await readAll(name, 1, { maxBytesPerPartition: 4000000 }))[0].message.value.equals(value))
  await fails(send(name, [{ value: Buffer.alloc(3500000) }]), 'MESSAGE_TOO_LARGE')
}

checks.idempotence = async () => {
  const name = await topic(3)
  const p = await producer({ idempotent: true, maxInFlightRequests: 1 })
  for (let i = 0; i < 300; i += 10) {
    await p.send({ topic: name, messages: [...Array(10).keys()].map(n => ({ partition: (i + n) % 3, value: `${i + n}` })) })
  }
  const got = await readAll(name, 300)
  for (const part of [0, 1, 2]) {
    assert.deepEqual(got.filter(g => g.partition === part).map(g => Number(g.message.value)), [...Array(100).keys()].map(n => n * 3 + part))
  }
}

checks.batchOfTopics = async () => {
  const a = await topic(), b = await topic()
  await (await producer()).sendBatch({ topicMessages: [{ topic: a, messages: [{ value: '1' }] }, { topic: b, messages: [{ value: '2' }] }] })
  assert.equal((await readAll(a, 1)).length + (await readAll(b, 1)).length, 2)
}

checks.autoCreate = async () => {
  const name = fresh()
  await send(name, [{ value: 'v' }])
  assert.equal(`${(await readAll(name, 1))[0].message.value}`, 'v')
}

checks.offsets = async () => {
  const name = await topic()
  await send(name, [...Array(10).keys()].map(i => ({ value: 'v', timestamp: `${1000 * (i + 1)}` })))
  assert.deepEqual(await admin.fetchTopicOffsets(name), [{ partition: 0, offset: '10', high: '10', low: '0' }])
  assert.deepEqual(await admin.fetchTopicOffsetsByTimestamp(name, 4500), [{ partition: 0, offset: '4' }])
  assert.deepEqual(await admin.fetchTopicOffsetsByTimestamp(name, 99999), [{ partition: 0, offset: '10' }])
}

checks.deleteRecords = async () => {
  const name = await topic()
  await send(name, [...Array(10).keys()].map(i => ({ value: `${i}` })))
  await admin.fetchTopicOffsets(name) // the client deletes only in topics that it knows
  await admin.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: '4' }] })
  assert.equal(`${(await readAll(name, 6))[0].message.value}`, '4')
  await fails(admin.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: '40' }] }), 'Error while deleting records')
}

checks.seekPauseResume = async () => {
  const name = await topic()
  await send(name, [...Array(10).keys()].map(i => ({ value: `${i}` })))
  const c = await consumer([name])
  await reads(c, 10)
  c.seek({ topic: name, partition: 0, offset: '7' })
  assert.deepEqual((await reads(c, 3)).map(g => `${g.message.value}`), ['7', '8', '9'])
  c.pause([{ topic: name }])
  await sleep(500)
  await send(name, [{ value: '10' }])
  await sleep(1500)
  assert.equal(c.got.length, 0, 'a paused topic was read')
  c.resume([{ topic: name }])
  assert.equal((await reads(c, 1))[0].message.offset, '10')
}

checks.commitAndGoOn = async () => {
  const name = await topic(), groupId = fresh('g')
  await send(name, [...Array(10).keys()].map(i => ({ value: `${i}` })))
  const a = await consumer([name], { groupId })
  await reads(a, 10)
  await a.commitOffsets([{ topic: name, partition: 0, offset: '4', metadata: 'note' }])
  await a.disconnect()
  const [got] = await admin.fetchOffsets({ groupId, topics: [name] })
  assert.deepEqual(got.partitions, [{ partition: 0, offset: '4', metadata: 'note' }])
  const b = await consumer([name], { groupId })
  assert.equal((await reads(b, 6))[0].message.offset, '4')
}

checks.autoCommit = async () => {
  const name = await topic(), groupId = fresh('g')
  await send(name, [{ value: 'a' }, { value: 'b' }])
  const a = await consumer([name], { groupId }, { autoCommit: true })
  await reads(a, 2)
  await a.disconnect()
  const [got] = await admin.fetchOffsets({ groupId, topics: [name] })
  assert.equal(got.partitions[0].offset, '2')
}

checks.eachBatch = async () => {
  const name = await topic(), sizes = []
  await send(name, [...Array(50).keys()].map(i => ({ value: `${i}` })))
  await consumer([name], {}, { eachMessage: undefined, eachBatch: async ({ batch }) => { sizes.push(batch.messages.length); assert.equal(batch.highWatermark, '50') } })
  await until('a batch', () => sizes.reduce((a, b) => a + b, 0) === 50)
}

checks.rebalance = async () => {
  const name = await topic(4), groupId = fresh('g')
  const held = c => c.joined.at(-1)?.[name]?.length
  const a = await consumer([name], { groupId, partitionAssigners: [PartitionAssigners.roundRobin] })
  await until('the first has all', () => held(a) === 4)
  const b = await consumer([name], { groupId, partitionAssigners: [PartitionAssigners.roundRobin] })
  await until('two each', () => held(a) === 2 && held(b) === 2)
  await b.disconnect()
  await until('the one left has all', () => held(a) === 4)
  await send(name, [0, 1, 2, 3].map(partition => ({ partition, value: `${partition}` })))
  assert.deepEqual((await reads(a, 4)).map(g => g.partition).sort(), [0, 1, 2, 3])
}

checks.pattern = async () => {
  const prefix = fresh('pattern'), topics = [`${prefix}-1`, `${prefix}-2`]
  await admin.createTopics({ topics: topics.map(topic => ({ topic })), waitForLeaders: true })
  for (const t of topics) await send(t, [{ value: t }])
  const c = await consumer([new RegExp(`^${prefix}-.*`)])
  assert.deepEqual((await reads(c, 2)).map(g => g.topic).sort(), topics)
}

checks.groups = async () => {
  const name = await topic(), groupId = fresh('g')
  await send(name, [{ value: 'v' }])
  const c = await consumer([name], { groupId })
  await reads(c, 1)
  const { groups: [d] } = await admin.describeGroups([groupId])
  assert.deepEqual([d.state, d.protocolType, d.members.length], ['Stable', 'consumer', 1])
  assert.deepEqual(Object.keys(AssignerProtocol.MemberAssignment.decode(d.members[0].memberAssignment).assignment), [name])
  assert.ok((await admin.listGroups()).groups.some(g => g.groupId === groupId))
  await fails(admin.deleteGroups([groupId]), 'NON_EMPTY_GROUP')
  await c.disconnect()
  await admin.setOffsets({ groupId, topic: name, partitions: [{ partition: 0, offset: '1' }] })
  assert.equal((await admin.fetchOffsets({ groupId, topics: [name] }))[0].partitions[0].offset, '1')
  await admin.resetOffsets({ groupId, topic: name, earliest: true })
  assert.equal((await admin.fetchOffsets({ groupId, topics: [name], resolveOffsets: true }))[0].partitions[0].offset, '0')
  await admin.deleteGroups([groupId])
  await fails(admin.deleteGroups([groupId]), 'GROUP_ID_NOT_FOUND')
}

checks.transactions = async () => {
  const source = await topic(), target = await topic(2), groupId = fresh('g')
  const p = await producer({ transactionalId: fresh('x'), maxInFlightRequests: 1, idempotent: true })
  let t = await p.transaction()
  await t.send({ topic: target, messages: [{ value: 'a', partition: 0 }, { value: 'b', partition: 1 }] })
  await t.sendOffsets({ consumerGroupId: groupId, topics: [{ topic: source, partitions: [{ partition: 0, offset: '5' }] }] })
  await t.commit()
  t = await p.transaction()
  await t.send({ topic: target, messages: [{ value: 'no', partition: 0 }] })
  await t.sendOffsets({ consumerGroupId: groupId, topics: [{ topic: source, partitions: [{ partition: 0, offset: '9' }] }] })
  await t.abort()
  t = await p.transaction()
  await t.send({ topic: target, messages: [{ value: 'c', partition: 0 }] })
  await t.commit()
  assert.deepEqual((await readAll(target, 3)).map(g => `${g.message.value}`).sort(), ['a', 'b', 'c'])
  assert.equal((await readAll(target, 4, { readUncommitted: true })).length, 4)
  assert.equal((await admin.fetchOffsets({ groupId, topics: [source] }))[0].partitions[0].offset, '5')
}

checks.fencing = async () => {
  const name = await topic(), transactionalId = fresh('x')
  const config = { transactionalId, maxInFlightRequests: 1, idempotent: true, retry: { retries: 1 } }
  const a = await producer(config)
  const t = await a.transaction()
  await t.send({ topic: name, messages: [{ value: 'old' }] })
  const b = await producer(config)
  const u = await b.transaction().catch(() => null) ?? await (await sleep(1000), b.transaction())
  await u.send({ topic: name, messages: [{ value: 'new' }] })
  await u.commit()
  await assert.rejects(t.commit(), e => ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_TXN_STATE'].includes(e.type))
  assert.deepEqual((await readAll(name, 1)).map(g => `${g.message.value}`), ['new'])
}

const limit = (promise, seconds) => {
  let timer
  const late = new Promise((_, no) => { timer = setTimeout(() => no(new Error(`took more than ${seconds} s`)), seconds * 1000) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// Clients that a failed check has left behind fail by themselves later.
process.on('unhandledRejection', () => {})

await admin.connect()
let passed = 0
const todo = Object.entries(checks).filter(([name]) => !process.env.ONLY || name.includes(process.env.ONLY))
for (const [name, check] of todo) {
  try {
    await limit(check(), 90)
    passed++
    console.log(`ok    ${name}`)
  } catch (e) {
    console.log(`FAIL  ${name}: ${e.message}`)
    if (process.env.TRACE) console.log(e)
  }
  await Promise.all(open.splice(0).map(c => limit(c.disconnect(), 10).catch(() => {})))
}
console.log(`kafkajs: ${passed} of ${todo.length} checks passed`)
process.exit(passed === todo.length && passed > 0 ? 0 : 1)
