import test from 'ava'
import fc from 'fast-check'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { NodeDumpOk } from '../shared/protocol/messages.js'
import type { RingDescription } from '../shared/ring/description.js'
import { tokenOf } from '../shared/ring/token.js'
import type { Entry } from '../shared/runtime/ports.js'
import type { DumpFrom } from './admin.js'
import { compareEntries } from './copies.js'
import { type VerifyReport, type VerifySource, verify } from './verify.js'

const ids = ['n1', 'n2', 'n3', 'n4'] as const
type Id = (typeof ids)[number]

/** Three owners a key; n4 owns a quarter of the ring, too. */
const ring: RingDescription = {
  epoch: 7,
  swarm: 's',
  boot: 1,
  members: ids.map((id, index) => ({ id, incarnation: 1, pid: 100 + index, startTime: '1' })),
  placement: {
    replicas: 4,
    readQuorum: 2,
    writeQuorum: 3,
    tokens: [2 ** 30, 2 ** 31, 3 * 2 ** 30, 2 ** 32 - 1],
    nodes: [...ids],
  },
}

interface FakeStores extends VerifySource {
  readonly stores: Record<Id, Map<string, Entry>>
  epochs: number[]
  dead: Set<string>
  silent: Set<string>
  /** Called before each page is read. */
  onPage: (from: DumpFrom) => void
}

function fakeStores(entriesAPage = 3): FakeStores {
  const empty = () => new Map<string, Entry>()
  const fake: FakeStores = {
    stores: { n1: empty(), n2: empty(), n3: empty(), n4: empty() },
    epochs: [],
    dead: new Set(),
    silent: new Set(),
    onPage: () => {},
    ring: () => ({ ...ring, epoch: fake.epochs.shift() ?? ring.epoch }),
    isAlive: ({ id }) => !fake.dead.has(id),
    async page(address, from): Promise<NodeDumpOk> {
      const id = address.split('.')[0] as Id
      if (fake.silent.has(id)) throw new GTStoreError('TIMEOUT', `${id} did not answer`)
      fake.onPage(from)
      const { cursor } = from
      const sorted = [...fake.stores[id].values()].sort(compareEntries)
      const rest = sorted.filter((entry) => cursor === null || compareEntries(cursor, entry) < 0)
      const entries = rest.slice(0, entriesAPage)
      const last = entries.at(-1)
      const next =
        rest.length > entries.length && last !== undefined
          ? { token: last.token, key: last.key }
          : null
      return { kind: 'node.dump.ok', id: 1, entries, next }
    },
  }
  return fake
}

function entry(key: string, micros: number, value: Uint8Array | null = Buffer.of()): Entry {
  const version = { boot: 1, micros, writer: '00000000000000aa' }
  return { token: tokenOf(Buffer.from(key)), key: Buffer.from(key), record: { version, value } }
}

function store(fake: FakeStores, key: string, micros: number, on: readonly Id[] = ids): void {
  for (const id of on) fake.stores[id].set(key, entry(key, micros))
}

async function look(source: FakeStores): Promise<VerifyReport> {
  const report = await verify({ source, pause: () => Promise.resolve() })
  if (report === undefined) throw new Error('there is a ring')
  return report
}

test('a store whose copies are all equal is clean, and counted', async (t) => {
  const fake = fakeStores()
  for (let key = 0; key < 50; key++) store(fake, `k${key}`, key + 1)
  for (const id of ids.slice(0, 2)) fake.stores[id].set('gone', entry('gone', 99, null))
  const { examples, ...report } = await look(fake)
  t.deepEqual(examples, [])
  t.deepEqual(report, {
    epoch: 7,
    changing: false,
    members: 4,
    unread: [],
    keys: 50,
    tombstones: 1,
    copies: 202,
    missing: 0,
    misplaced: 0,
    divergent: 0,
    beyond: 0,
    short: 0,
    clean: true,
  })
})

test('a chain that lacks a member is not clean, though the copies there are are equal', async (t) => {
  const fake = fakeStores()
  store(fake, 'k', 5, ['n1', 'n2', 'n3'])
  const chain = { from: 0, to: 0, members: ['n1', 'n2', 'n3'], full: 3, reader: 'n3' }
  fake.ring = () => ({ ...ring, chains: [chain] })
  t.like(await look(fake), { clean: false, short: 1, missing: 0, copies: 3 })
  store(fake, 'k', 5)
  fake.ring = () => ({ ...ring, chains: [{ ...chain, members: [...ids], full: 4, reader: 'n4' }] })
  t.like(await look(fake), { clean: true, short: 0, copies: 4 })
})

test('what is wrong is counted and named', async (t) => {
  const fake = fakeStores()
  for (let key = 0; key < 20; key++) store(fake, `k${key}`, 5)
  fake.stores.n2.delete('k3')
  fake.stores.n4.delete('k3')
  fake.stores.n1.set('k7', entry('k7', 4))
  const report = await look(fake)
  t.like(report, { clean: false, keys: 20, missing: 2, divergent: 1, misplaced: 0, beyond: 0 })
  const faults = report.examples.map(({ key, missing, divergent }) => [
    `${Buffer.from(key)}`,
    ...[...missing, ...divergent].sort(),
  ])
  t.deepEqual(faults.sort(), [
    ['k3', 'n2', 'n4'],
    ['k7', 'n1'],
  ])
})

test('a key that is being written is looked at again, and does not count', async (t) => {
  const fake = fakeStores()
  for (let key = 0; key < 10; key++) store(fake, `k${key}`, 5)
  fake.stores.n1.set('k4', entry('k4', 6))
  let looks = 0
  fake.onPage = ({ limitBytes }) => {
    if (limitBytes !== 1) return
    // Once more newer on one owner alone, then everywhere.
    if (++looks === 1) fake.stores.n2.set('k4', entry('k4', 7))
    if (looks > ids.length) store(fake, 'k4', 7)
  }
  const report = await look(fake)
  t.true(report.clean)
  t.is(report.keys, 10)
  t.true(looks > ids.length)
})

test('nobody who is down or silent is counted, and the report is not clean', async (t) => {
  const fake = fakeStores()
  for (let key = 0; key < 10; key++) store(fake, `k${key}`, 5, ['n1', 'n2'])
  fake.dead.add('n3')
  fake.silent.add('n4')
  const report = await look(fake)
  t.like(report, { clean: false, missing: 0, keys: 10, copies: 20 })
  t.deepEqual(report.unread, [
    { node: 'n3', reason: 'down' },
    { node: 'n4', reason: 'not answering' },
  ])
})

test('a walk during which the ring changed is repeated; without an end it is not clean', async (t) => {
  const fake = fakeStores()
  store(fake, 'k', 5)
  fake.epochs = [7, 8, 9]
  t.like(await look(fake), { clean: true, changing: false, epoch: 7 })
  fake.epochs = [1, 2, 3, 4, 5, 6]
  t.like(await look(fake), { clean: false, changing: true, epoch: 5, missing: 0 })
})

test('looking again finds exactly the key meant, between any others', async (t) => {
  const aKey = fc.uint8Array({ minLength: 1, maxLength: 3, max: 2 })
  const someKeys = fc.uniqueArray(aKey, { selector: String, minLength: 1, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(someKeys, fc.nat(), async (keys, chosen) => {
      const fake = fakeStores()
      const record = entry('', 5).record
      for (const id of ids) {
        for (const key of keys) fake.stores[id].set(`${key}`, { token: 9, key, record })
      }
      const key = keys[chosen % keys.length] as Uint8Array
      fake.stores.n3.delete(`${key}`)
      const report = await look(fake)
      t.like(report, { missing: 1, divergent: 0, misplaced: 0, keys: keys.length })
      t.deepEqual(
        report.examples.map((faulty) => `${faulty.key}`),
        [`${key}`],
      )
    }),
    { numRuns: 50 },
  )
})
