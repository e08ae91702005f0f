import test from 'ava'
import { mergeOf } from '../shared/data/merge.js'
import type { Mode } from '../shared/data/mode.js'
import type { StoredRecord } from '../shared/data/record.js'
import { siblingsMerge, written } from '../shared/data/siblings.js'
import { GTStoreError } from '../shared/protocol/errors.js'
import type { RingDescription } from '../shared/ring/description.js'
import { Ring } from '../shared/ring/ring.js'
import { tokenOf } from '../shared/ring/token.js'
import type { Entry } from '../shared/runtime/ports.js'
import { compareEntries } from './copies.js'
import { type Pair, type ScanSource, scan } from './scan.js'

const ids = ['n1', 'n2', 'n3', 'n4']

/** Three of four own each key; two must be read. */
function ringAt(epoch: number, replicas = 3): RingDescription {
  return {
    epoch,
    swarm: 's',
    boot: 1,
    members: ids.map((id, index) => ({ id, incarnation: 1, pid: 100 + index, startTime: '1' })),
    placement: {
      replicas,
      readQuorum: 2,
      writeQuorum: 2,
      tokens: [2 ** 30, 2 ** 31, 3 * 2 ** 30, 2 ** 32 - 1],
      nodes: [...ids],
    },
  }
}

class Stores implements ScanSource {
  readonly held = new Map(ids.map((id) => [id, new Map<string, Entry>()]))
  readonly down = new Set<string>()
  readonly silent = new Set<string>()
  description: RingDescription | undefined = ringAt(1)
  pages = 0
  /** Called when so many pages were read. */
  onPage = (_pages: number) => {}

  ring() {
    return this.description
  }

  isAlive({ id }: { id: string }) {
    return !this.down.has(id)
  }

  /** Two entries a page. */
  async page(address: string, { cursor }: Parameters<ScanSource['page']>[1]) {
    const id = address.split('.')[0] ?? ''
    if (this.silent.has(id)) throw new GTStoreError('TIMEOUT', `${id} did not answer`)
    const sorted = [...(this.held.get(id)?.values() ?? [])].sort(compareEntries)
    const rest = sorted.filter((entry) => cursor === null || compareEntries(cursor, entry) < 0)
    const entries = rest.slice(0, 2)
    const last = entries.at(-1)
    const next = rest.length > 2 && last ? { token: last.token, key: last.key } : null
    this.onPage(++this.pages)
    return { kind: 'node.dump.ok', id: 1, entries, next } as const
  }

  async *dump(address: string) {
    if (!this.held.has(address.split('.')[0] ?? '')) return
    yield* [...(this.held.get(address.split('.')[0] ?? '')?.values() ?? [])]
  }

  store(key: string, record: StoredRecord, on: readonly string[] = this.ownersOf(key)): void {
    const bytes = Buffer.from(key)
    for (const id of on) this.held.get(id)?.set(key, { token: tokenOf(bytes), key: bytes, record })
  }

  erase(key: string, on: readonly string[]): void {
    for (const id of on) this.held.get(id)?.delete(key)
  }

  ownersOf(key: string): readonly string[] {
    return new Ring(this.description ?? ringAt(1)).arcOf(tokenOf(Buffer.from(key))).owners
  }
}

function value(text: string | null, micros: number): StoredRecord {
  const version = { boot: 1, micros, writer: '00000000000000aa' }
  return { version, value: text === null ? null : Buffer.from(text) }
}

async function all(source: Stores, mode: Mode = 'latest', node?: string): Promise<Pair[]> {
  const pairs: Pair[] = []
  for await (const pair of scan({ source, mode, node })) pairs.push(pair)
  return pairs
}

function shown(pairs: readonly Pair[]): string[] {
  return pairs.map(({ key, value }) => `${Buffer.from(key)}=${Buffer.from(value)}`).sort()
}

const keys = Array.from({ length: 25 }, (_, index) => `k${index}`)

test('each key once, in its newest version; what was deleted is left out', async (t) => {
  const stores = new Stores()
  for (const key of keys) stores.store(key, value('old', 1))
  const [stale] = stores.ownersOf('k3')
  stores.store('k3', value('new', 2), stores.ownersOf('k3').slice(1))
  stores.store('k4', value(null, 2), stores.ownersOf('k4').slice(0, 2))
  t.truthy(stale)
  t.deepEqual(
    shown(await all(stores)),
    keys
      .filter((key) => key !== 'k4')
      .map((key) => `${key}=${key === 'k3' ? 'new' : 'old'}`)
      .sort(),
  )
  const [pair] = (await all(stores)).filter(({ key }) => String(key) === 'k3')
  t.is(pair?.version, '1.2.00000000000000aa')
  t.is(pair?.values, undefined)
})

test('what lies where it does not belong is not told', async (t) => {
  const stores = new Stores()
  const stranger = ids.find((id) => !stores.ownersOf('k1').includes(id)) ?? ''
  stores.store('k1', value('erased soon', 1), [stranger])
  t.deepEqual(await all(stores), [])
  t.deepEqual(shown(await all(stores, 'latest', stranger)), ['k1=erased soon'])
})

test('siblings are merged as the owners would merge them', async (t) => {
  const stores = new Stores()
  const write = (held: StoredRecord | undefined, text: string, actor: string, micros: number) => {
    const draw = () => ({ actor, micros })
    const bytes = Buffer.from(text)
    const made = written(held, { value: bytes, context: new Map(), draw, boot: 1, at: micros })
    if (made === undefined) throw new Error('refused')
    return made
  }
  const one = write(undefined, 'one', 'n1.1', 1)
  const two = write(undefined, 'two', 'n2.1', 2)
  const [first = '', ...rest] = stores.ownersOf('k')
  stores.store('k', one, [first])
  stores.store('k', two, rest)
  const [pair] = await all(stores, 'siblings')
  t.deepEqual(pair?.values?.map(String), ['one', 'two'])
  t.is(String(pair?.value), 'two')
  t.is(mergeOf('siblings'), siblingsMerge)
})

test('the ring changes on the way: it goes on behind the last key, under the new ring', async (t) => {
  const stores = new Stores()
  for (const key of keys) stores.store(key, value('v', 1))
  const before = new Map(keys.map((key) => [key, stores.ownersOf(key)]))
  stores.onPage = (pages) => {
    if (pages !== 9) return
    // Every node owns every key, then: one of them gains each, and a former owner gives it away.
    stores.description = ringAt(3, 4)
    for (const key of keys) {
      stores.store(key, value('v', 1), ids)
      stores.erase(key, (before.get(key) ?? []).slice(0, 1))
    }
  }
  const pairs = await all(stores)
  t.deepEqual(shown(pairs), keys.map((key) => `${key}=v`).sort())
  t.true(stores.pages > 9)
})

test('so many owners must be read that none can hide a write', async (t) => {
  const stores = new Stores()
  for (const key of keys) stores.store(key, value('v', 1))
  stores.down.add('n2')
  t.is((await all(stores)).length, keys.length)
  stores.silent.add('n3')
  await t.throwsAsync(all(stores), {
    instanceOf: GTStoreError,
    code: 'QUORUM_UNAVAILABLE',
    message: /2 must be read.*n2: it is down; n3: n3 did not answer/,
  })
})

test('of a chain any full member will do', async (t) => {
  const stores = new Stores()
  const members = ['n3', 'n1', 'n2', 'n4']
  const chain = { from: 0, to: 0, members, full: 3, reader: 'n2' }
  stores.description = { ...ringAt(1), chains: [chain] }
  for (const key of keys) stores.store(key, value('v', 1), ['n3', 'n1', 'n2'])
  stores.down.add('n3').add('n1')
  t.is((await all(stores, 'chain')).length, keys.length)
  stores.down.add('n2')
  await t.throwsAsync(all(stores, 'chain'), { code: 'QUORUM_UNAVAILABLE', message: /1 must be/ })
})

test('no ring, no such node', async (t) => {
  const stores = new Stores()
  await t.throwsAsync(all(stores, 'latest', 'n9'), { code: 'NOT_FOUND' })
  stores.description = undefined
  await t.throwsAsync(all(stores), { code: 'FORMING' })
})
