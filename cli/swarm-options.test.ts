import test from 'ava'
import { describeFailure } from './errors.js'
import { settleOptions } from './swarm-options.js'

test('a new swarm has six nodes, three replicas and majorities as quorums', (t) => {
  t.deepEqual(settleOptions('s', {}, undefined), {
    swarm: 's',
    nodes: 6,
    replicas: 3,
    readQuorum: 2,
    writeQuorum: 2,
    virtualNodes: 3,
    durability: 'sync',
    restart: 'on-failure',
    valueBytesMax: 8 * 1024 * 1024,
    evictAfterMs: 30_000,
    sloppy: false,
    mode: 'latest',
    logOperations: false,
    handoffBytesPerSecond: 0,
  })
  for (const [replicas, majority] of [
    [1, 1],
    [2, 2],
    [4, 3],
    [5, 3],
  ] as const) {
    t.like(settleOptions('s', { replicas }, undefined), {
      readQuorum: majority,
      writeQuorum: majority,
    })
  }
  t.like(settleOptions('s', { readQuorum: 1, writeQuorum: 3 }, undefined), {
    readQuorum: 1,
    writeQuorum: 3,
  })
})

test('stored options stay; asking for the same again is no contradiction', (t) => {
  const stored = settleOptions('s', { replicas: 5, restart: 'never' }, undefined)
  t.is(settleOptions('s', {}, stored), stored)
  t.is(settleOptions('s', { replicas: 5, readQuorum: 3 }, stored), stored)
  const slow = settleOptions(
    's',
    { evictAfter: 5_000, sloppy: true, handoffRate: 4_096 },
    undefined,
  )
  t.like(slow, { evictAfterMs: 5_000, sloppy: true, handoffBytesPerSecond: 4_096 })
  t.is(settleOptions('s', { evictAfter: 5_000, sloppy: true, handoffRate: 4_096 }, slow), slow)
})

test('a contradiction or an impossible quorum is a usage error that names both values', (t) => {
  const stored = settleOptions('s', { replicas: 5 }, undefined)
  const refused = (settle: () => unknown): string => {
    const { exitCode, message } = describeFailure(t.throws(settle))
    t.is(exitCode, 2)
    return message
  }
  t.regex(
    refused(() => settleOptions('s', { replicas: 3 }, stored)),
    /--replicas 5.*--replicas 3/,
  )
  t.regex(
    refused(() => settleOptions('z', {}, stored)),
    /--swarm s.*--swarm z/,
  )
  t.regex(
    refused(() => settleOptions('s', { evictAfter: 5_000 }, stored)),
    /--evict-after 30s.*--evict-after 5s/,
  )
  t.regex(
    refused(() => settleOptions('s', { sloppy: true }, stored)),
    /made without --sloppy, but --sloppy is asked for/,
  )
  t.regex(
    refused(() => settleOptions('s', { handoffRate: 4_096 }, stored)),
    /--handoff-rate 0.*--handoff-rate 4096/,
  )
  t.regex(
    refused(() => settleOptions('s', { writeQuorum: 4 }, undefined)),
    /--write-quorum 4 .*3 replicas/,
  )
})
