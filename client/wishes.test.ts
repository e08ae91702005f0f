import test, { type ExecutionContext } from 'ava'
import type { Mode } from '../shared/data/mode.js'
import { encodeContext, encodeSiblings } from '../shared/data/siblings.js'
import type { Message, Write } from '../shared/protocol/messages.js'
import { type FakeSwarm, fakeSwarm } from './fake-swarm.fixture.js'
import { type Client, init, type PutOptions } from './index.js'

test.beforeEach((t) => t.timeout(20_000))

async function openIn(t: ExecutionContext, mode: Mode): Promise<[FakeSwarm, Client]> {
  const swarm = await fakeSwarm(t)
  swarm.mode = mode
  const store = await init({ dir: swarm.run })
  t.teardown(() => store.finalize())
  t.is(store.mode, mode)
  return [swarm, store]
}

/** The writes that reach the nodes from now on. */
function writesOf(swarm: FakeSwarm): Write[] {
  const writes: Write[] = []
  swarm.handler = (_from, message: Message) => {
    if (message.kind === 'write') writes.push(message)
    return true
  }
  return writes
}

const version = '1.5.00000000000000aa'

test('conditions by their names; false asks nothing', async (t) => {
  const [swarm, store] = await openIn(t, 'chain')
  const writes = writesOf(swarm)
  const asked: [PutOptions, Write['condition']][] = [
    [{}, null],
    [{ ifAbsent: true }, { is: 'absent' }],
    [{ ifPresent: true }, { is: 'present' }],
    [{ ifAbsent: false, ifPresent: true }, { is: 'present' }],
    [{ ifAbsent: false }, null],
    [
      { ifVersion: version },
      { is: 'version', version: { boot: 1, micros: 5, writer: '00000000000000aa' } },
    ],
  ]
  for (const [options] of asked) {
    const { version: given } = await store.put('k', 'v', options)
    t.regex(given, /^3\.\d+\.[0-9a-f]{16}$/)
  }
  await store.create('k', 'v')
  await store.update('k', 'v')
  await store.update('k', 'v', { ifVersion: version })
  await store.delete('k')
  await store.delete('k', { ifVersion: version })
  const byVersion = { is: 'version', version: { boot: 1, micros: 5, writer: '00000000000000aa' } }
  t.deepEqual(
    writes.map(({ condition }) => condition),
    [
      ...asked.map(([, condition]) => condition),
      { is: 'absent' },
      { is: 'present' },
      byVersion,
      { is: 'present' },
      byVersion,
    ],
  )
})

test('wishes that make no sense are refused before anything is sent', async (t) => {
  const [swarm, store] = await openIn(t, 'chain')
  const writes = writesOf(swarm)
  const refused = { code: 'INVALID_ARGUMENT' }
  for (const options of [
    { ifAbsent: true, ifPresent: true },
    { ifAbsent: true, ifVersion: version },
    { ifPresent: true, ifVersion: version },
    { ifVersion: 'newest' },
    { ifVersion: 5 as never },
    { ifAbsent: 1 as never },
    { ifAbsent: 'false' as never },
    { ifversion: version } as never,
  ] as PutOptions[]) {
    await t.throwsAsync(store.put('k', 'v', options), refused, JSON.stringify(options))
    await t.throwsAsync(store.delete('k', options), refused, JSON.stringify(options))
  }
  await t.throwsAsync(store.update('k', 'v', null as never), refused)
  await t.throwsAsync(store.create('k', 'v', null as never), refused)
  for (const options of [{ ifVersion: version }, { ifPresent: true }, { context: 'AAAA' }]) {
    await t.throwsAsync(store.create('k', 'v', options as never), refused, JSON.stringify(options))
  }
  await t.throwsAsync(store.delete('k', { ifAbsent: true } as never), {
    ...refused,
    message: /delete has no option "ifAbsent", it has context, ifPresent, ifVersion, signal/,
  })
  const quoted = { ...refused, message: 'ifAbsent is "false", neither true nor false' }
  await t.throwsAsync(store.put('k', 'v', { ifAbsent: 'false' as never }), quoted)
  const empty = { ...refused, message: 'ifVersion is "", not a version of a get' }
  await t.throwsAsync(store.put('k', 'v', { ifVersion: '' }), empty)
  t.deepEqual(writes, [])
  const undefineds = { ifabsent: undefined, condition: undefined } as PutOptions
  await t.notThrowsAsync(store.put('k', 'v', undefineds), 'what is undefined was not given')
})

test('a context that is none, and one in a mode that has none', async (t) => {
  const junk = ['not base64url!', 'AAAA', 7 as never]
  const [swarm, store] = await openIn(t, 'siblings')
  const writes = writesOf(swarm)
  for (const context of junk) {
    const refused = { code: 'INVALID_ARGUMENT', message: /not one that a get gave/ }
    await t.throwsAsync(store.put('k', 'v', { context }), refused)
    await t.throwsAsync(store.delete('k', { context }), refused)
  }
  t.deepEqual(writes, [])
  for (const mode of ['latest', 'chain'] as const) {
    const [, other] = await openIn(t, mode)
    for (const context of junk) {
      const refused = { code: 'UNSUPPORTED', message: new RegExp(`nothing in mode ${mode}`) }
      await t.throwsAsync(other.put('k', 'v', { context }), refused)
      await t.throwsAsync(other.update('k', 'v', { context }), refused)
      await t.throwsAsync(other.delete('k', { context }), refused)
    }
  }
})

test('siblings: get decodes all of them, and its context goes back as it came', async (t) => {
  const [swarm, store] = await openIn(t, 'siblings')
  const context = new Map([['n1.1@1.0', 5]])
  const values = ['one', 'two'].map((text, at) => ({
    actor: 'n1.1@1.0',
    micros: at,
    value: Buffer.from(text),
  }))
  const held = { boot: 1, micros: 5, writer: '00000000000000aa' }
  const hold = () =>
    swarm.records.set(Buffer.from('k').toString('hex'), {
      value: encodeSiblings({ values, context }),
      version: held,
    })
  hold()
  const found = await store.get('k')
  t.like(found, { value: 'two', values: ['one', 'two'], version, node: 'n1' })
  const writes = writesOf(swarm)
  const ofAnother = { code: 'INVALID_ARGUMENT', message: /another key/ }
  for (const call of [
    () => store.put('l', 'three', { context: found?.context }),
    () => store.update('l', 'three', { context: found?.context }),
    () => store.delete('l', { context: found?.context }),
  ]) {
    await t.throwsAsync(call, ofAnother, 'it would supersede what nobody has seen')
  }
  t.deepEqual(writes, [])
  await store.put('k', 'three', { context: found?.context })
  await store.put('k', 'four')
  hold()
  await store.put('k', 'five', { ifPresent: true })
  hold()
  await store.update('k', 'six')
  t.deepEqual(
    writes.map((write) => write.context && Buffer.from(write.context)),
    [Buffer.from(encodeContext(context)), null, null, Buffer.from(encodeContext(context))],
    'a put without a context supersedes nothing, an update what it has read',
  )
})

test('create, read, update and delete where a condition cannot be decided in one step', async (t) => {
  const [, store] = await openIn(t, 'latest')
  await t.throwsAsync(store.read('k'), { code: 'NOT_FOUND', message: /"k"/ })
  await t.throwsAsync(store.update('k', 'v'), { code: 'CONDITION_FAILED', message: /missing/ })
  const first = await store.create('k', 'one')
  const twice = await t.throwsAsync(store.create('k', 'two'), { code: 'CONDITION_FAILED' })
  t.like(twice, { definite: true, version: first.version })
  t.like(await store.read('k'), { value: 'one', version: first.version })
  await store.update('k', 'two')
  t.is((await store.read('k')).value, 'two')
  await t.throwsAsync(store.update('k', 'v', { ifVersion: version }), { code: 'UNSUPPORTED' })
  t.deepEqual(await store.delete('k', { ifPresent: true }), { existed: true })
  await t.throwsAsync(store.delete('k', { ifPresent: true }), { code: 'CONDITION_FAILED' })
})

test('explain, in the words of the library', async (t) => {
  const [swarm, store] = await openIn(t, 'latest')
  const held = { boot: 1, micros: 5, writer: '00000000000000aa' }
  const owner = { role: 'owner', isDeleted: false, counted: true, tookMicros: 7 } as const
  const report = {
    mode: 'latest',
    epoch: 2,
    token: 7,
    path: ['n1', 'n2'],
    quorums: { n: 3, r: 2, w: 2 },
    owners: [
      { ...owner, node: 'n2', state: 'current', version: held },
      { ...owner, node: 'n3', state: 'late', version: null, counted: false, tookMicros: null },
    ],
    version: held,
    value: Buffer.from('v'),
    refusal: null,
    reasons: ['n2 has it'],
  } as const
  swarm.handler = (from, message, { runtime }) => {
    if (message.kind !== 'explain') return true
    runtime.send(from, { kind: 'explain.ok', id: message.id, report })
    return false
  }
  const explained = await store.explain('k')
  t.deepEqual(explained.values, ['v'])
  t.is(explained.version, version)
  t.deepEqual(
    explained.owners.map((each) => each.version),
    [version, null],
  )
  t.like(explained, { epoch: 2, path: ['n1', 'n2'], refusal: null, reasons: ['n2 has it'] })
  const bad = { ...report, value: Buffer.from([0xff]) }
  swarm.handler = (from, message, { runtime }) => {
    if (message.kind !== 'explain') return true
    runtime.send(from, { kind: 'explain.ok', id: message.id, report: bad })
    return false
  }
  await t.throwsAsync(store.explain('k'), { code: 'INVALID_ARGUMENT', message: /not UTF-8/ })
  t.deepEqual((await store.explain('k', { valueEncoding: 'buffer' })).values, [Buffer.from([0xff])])
})
