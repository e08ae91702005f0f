import test from 'ava'
import { describeFailure } from './errors.js'
import { type SwarmFlags, settleOptions } from './swarm-options.js'

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

test('replication and conflicts choose the mode; a chain has no quorums to choose', (t) => {
  const modeOf = (flags: SwarmFlags) => settleOptions('s', flags, undefined).mode
  t.is(modeOf({ replication: 'quorum' }), 'latest')
  t.is(modeOf({ conflicts: 'siblings' }), 'siblings')
  t.is(modeOf({ replication: 'quorum', conflicts: 'siblings' }), 'siblings')
  t.is(modeOf({ replication: 'chain', conflicts: 'latest' }), 'chain')
  const chain = settleOptions('s', { replication: 'chain', replicas: 4 }, undefined)
  t.like(chain, { mode: 'chain', replicas: 4, readQuorum: 1, writeQuorum: 4 })
  t.is(settleOptions('s', { replication: 'chain', conflicts: 'latest' }, chain), chain)
  const siblings = settleOptions('s', { conflicts: 'siblings', logOperations: true }, undefined)
  t.is(settleOptions('s', { replication: 'quorum', logOperations: true }, siblings), siblings)
  for (const [flags, stored, message] of [
    [{ replication: 'chain', conflicts: 'siblings' }, undefined, /no siblings/],
    [{ replication: 'chain', readQuorum: 1 }, undefined, /--read-quorum .*every member/],
    [
      { replication: 'chain', writeQuorum: 3, sloppy: true },
      undefined,
      /--write-quorum and --sloppy/,
    ],
    [{ writeQuorum: 4 }, chain, /--write-quorum .*every member/],
    [{ replication: 'quorum' }, chain, /with --replication chain, but --replication quorum/],
    [{ replication: 'quorum', readQuorum: 2 }, chain, /with --replication chain, but/],
    [{ conflicts: 'siblings' }, chain, /with --conflicts latest, but --conflicts siblings/],
    [{ replication: 'chain' }, siblings, /with --replication quorum, but --replication chain/],
    [{ conflicts: 'latest' }, siblings, /with --conflicts siblings, but --conflicts latest/],
    [{ logOperations: true }, chain, /made without --log-operations, but --log-operations/],
  ] as const) {
    const { exitCode, message: said } = describeFailure(
      t.throws(() => settleOptions('s', flags, stored)),
    )
    t.is(exitCode, 2)
    t.regex(said, message)
  }
  // What was made as a chain stays one.
  const { next } = describeFailure(t.throws(() => settleOptions('s', { writeQuorum: 2 }, chain)))
  t.is(next, 'leave --write-quorum out')
})
