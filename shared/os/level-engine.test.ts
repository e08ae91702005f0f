import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { mergeOf } from '../data/merge.js'
import { GTStoreError } from '../protocol/errors.js'
import type { Engine, Entry, Mark } from '../runtime/ports.js'
import { openEngine } from './engine.js'
import { type LevelStore, openLevel } from './level.js'
import { LevelEngine } from './level-engine.js'
import { metaKey } from './store-format.js'

const root = mkdtempSync(join(tmpdir(), 'gtstore-level-'))
test.after.always(() => rmSync(root, { recursive: true }))

function freshPath(): string {
  return join(mkdtempSync(join(root, 'store-')), 'db')
}

function entry(token: number, micros: number, value: string): Entry {
  const version = { boot: 1, micros, writer: '00000000000000ff' }
  return { token, key: Buffer.from('k'), record: { version, value: Buffer.from(value) } }
}

function markOf({ token, key, record }: Entry): Mark {
  return { token, key, version: record.version }
}

function closed(engine: Engine): Promise<void> {
  return new Promise((resolve) => engine.close(() => resolve()))
}

/** A store whose writes finish, or fail, when the test says so. */
class SlowStore implements LevelStore {
  readonly stored = new Map<string, Buffer>()
  readonly writes: { keys: string[]; settle: (error?: Error) => void }[] = []

  getSync(key: Buffer): Buffer | undefined {
    return this.stored.get(key.toString('hex'))
  }

  batch() {
    const changes = new Map<string, Buffer | undefined>()
    return {
      put: (key: Buffer, value: Buffer) => changes.set(key.toString('hex'), value),
      del: (key: Buffer) => changes.set(key.toString('hex'), undefined),
      write: () =>
        new Promise<void>((resolve, reject) => {
          const settle = (error?: Error) => {
            if (error !== undefined) return reject(error)
            for (const [key, value] of changes) if (value) this.stored.set(key, value)
            resolve()
          }
          this.writes.push({ keys: [...changes.keys()], settle })
        }),
    }
  }

  iterator(): never {
    throw new Error('the disk is gone')
  }

  async close(): Promise<void> {}
}

function slowEngine(): { store: SlowStore; engine: LevelEngine } {
  const store = new SlowStore()
  return {
    store,
    engine: new LevelEngine(store, { sync: true, meta: new Map(), merge: mergeOf('latest') }),
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)))

test('one write is in flight, the next gathers', async (t) => {
  const { store, engine } = slowEngine()
  const done: number[] = []
  for (let i = 0; i < 3; i++) engine.apply(entry(i, 1, 'a'), () => done.push(i))
  t.is(store.writes.length, 0)
  await turn()
  for (let i = 3; i < 6; i++) engine.apply(entry(i, 1, 'a'), () => done.push(i))
  await turn()
  t.is(store.writes.length, 1)
  t.deepEqual(done, [])
  store.writes[0]?.settle()
  await turn()
  t.deepEqual(done, [0, 1, 2])
  t.is(store.writes.length, 2)
  // Three records and the counts in each.
  t.deepEqual(
    store.writes.map((write) => write.keys.length),
    [4, 4],
  )
  store.writes[1]?.settle()
  await turn()
  t.deepEqual(done, [0, 1, 2, 3, 4, 5])
})

test('nothing is answered before what it rests on is durable', async (t) => {
  const { store, engine } = slowEngine()
  const told: string[] = []
  engine.apply(entry(1, 5, 'new'), () => told.push('applied'))
  await turn()
  // Loses against a record that is not durable yet.
  engine.apply(entry(1, 4, 'old'), () => told.push('lost'))
  engine.read(1, Buffer.from('k'), (_error, record) => told.push(`read ${record?.version.micros}`))
  engine.applyBatch([entry(1, 3, 'older')], {}, () => told.push('batch'))
  await turn()
  t.deepEqual(told, [])
  store.writes[0]?.settle()
  await turn()
  t.deepEqual(told, ['applied', 'lost', 'read 5', 'batch'])
  t.is(store.writes.length, 1)
})

test('a newer version while the older one is written goes with the next write', async (t) => {
  const { store, engine } = slowEngine()
  const told: string[] = []
  engine.apply(entry(1, 5, 'five'), () => told.push('5'))
  await turn()
  engine.apply(entry(1, 6, 'six'), () => told.push('6'))
  engine.read(1, Buffer.from('k'), (_error, record) => told.push(`read ${record?.version.micros}`))
  store.writes[0]?.settle()
  await turn()
  t.deepEqual(told, ['5'])
  store.writes[1]?.settle()
  await turn()
  t.deepEqual(told, ['5', '6', 'read 6'])
})

test('an update is answered once what it made, or left, is durable', async (t) => {
  const { store, engine } = slowEngine()
  const told: string[] = []
  const update = (micros: number | undefined) => {
    const record = micros === undefined ? undefined : entry(1, micros, 'made').record
    const change = () => record
    engine.update(1, Buffer.from('k'), change, (_error, left) => {
      told.push(`${left?.version.micros}`)
    })
  }
  update(5)
  await turn()
  update(undefined)
  update(6)
  t.deepEqual(told, [])
  store.writes[0]?.settle()
  await turn()
  t.deepEqual(told, ['5', '5'])
  store.writes[1]?.settle()
  await turn()
  t.deepEqual(told, ['5', '5', '6'])
})

test('a discard is answered once the removal is durable', async (t) => {
  const { store, engine } = slowEngine()
  const told: string[] = []
  engine.apply(entry(1, 5, 'five'), () => told.push('applied'))
  await turn()
  engine.discard([markOf(entry(1, 5, ''))], () => told.push('discarded'))
  engine.read(1, Buffer.from('k'), (_error, record) => told.push(`read ${record}`))
  store.writes[0]?.settle()
  await turn()
  t.deepEqual(told, ['applied'])
  store.writes[1]?.settle()
  await turn()
  t.deepEqual(told, ['applied', 'discarded', 'read undefined'])
})

test('meta values are there once durable', async (t) => {
  const { store, engine } = slowEngine()
  engine.applyBatch([], { plan: '7' }, () => {})
  await turn()
  t.is(engine.meta('plan'), undefined)
  store.writes[0]?.settle()
  await turn()
  t.is(engine.meta('plan'), '7')
})

test('a failed write fails all that rests on it and all that follows', async (t) => {
  const { store, engine } = slowEngine()
  const errors: (Error | undefined)[] = []
  const note = (error: Error | undefined) => void errors.push(error)
  engine.apply(entry(1, 5, 'a'), note)
  engine.read(1, Buffer.from('k'), note)
  await turn()
  engine.apply(entry(1, 6, 'b'), note)
  engine.erase([{ from: 0, to: 9 }], {}, note)
  engine.scan({ from: 0, to: 9 }, undefined, 1, note)
  store.writes[0]?.settle(new Error('EIO: i/o error'))
  await turn()
  t.is(errors.length, 5)
  for (const call of [
    () => engine.apply(entry(2, 1, 'c'), note),
    () => engine.applyBatch([], { a: 'b' }, note),
    () => engine.read(9, Buffer.from('k'), note),
    () => engine.scan({ from: 0, to: 9 }, undefined, 1, note),
    () => engine.erase([], {}, note),
    () => engine.discard([markOf(entry(1, 5, ''))], note),
    () => engine.stats(note),
  ]) {
    call()
  }
  t.is(errors.length, 12)
  for (const [i, error] of errors.entries()) {
    t.true(error instanceof GTStoreError)
    if (!(error instanceof GTStoreError)) continue
    t.is(error.code, 'STORAGE_FAILED')
    t.regex(error.message, /EIO/)
    // What was on its way may be on the disk; what came later surely is not.
    t.is(error.definite, i >= 5)
  }
  await turn()
  t.is(store.writes.length, 1)
  await closed(engine)
})

test('a scan that fails says so, and the engine refuses what follows', async (t) => {
  const { engine } = slowEngine()
  const error = await new Promise<Error | undefined>((resolve) =>
    engine.scan({ from: 0, to: 9 }, undefined, 1, resolve),
  )
  t.regex(error?.message ?? '', /the disk is gone/)
  engine.read(1, Buffer.from('k'), (refusal) => t.truthy(refusal))
})

test('a store in use says by whom', async (t) => {
  t.timeout(20_000)
  const path = freshPath()
  const engine = await openEngine({ path, durability: 'write' })
  const program = `
    import { openEngine } from ${JSON.stringify(import.meta.resolve('./engine.js'))}
    await openEngine({ path: process.argv[1], durability: 'write' }).catch((e) => console.log(e.code, e.message))
  `
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, ['--input-type=module', '-e', program, path], (_error, stdout) =>
      resolve(stdout),
    )
  })
  t.regex(
    output,
    new RegExp(`^STORAGE_FAILED the store in .* is in use by process ${process.pid}: `),
  )
  await closed(engine)
})

test('another format is refused with both named', async (t) => {
  t.timeout(20_000)
  const path = freshPath()
  const formatKey = metaKey('engine.format')
  await (await openLevel({ path, what: 'store', formatKey, format: 9, remedy: '' })).close()
  const error = await t.throwsAsync<GTStoreError>(openEngine({ path, durability: 'sync' }))
  t.is(error.code, 'VERSION_MISMATCH')
  t.regex(error.message, /the store in .* has format 9, this program reads format 1/)
})

test('what was acknowledged survives kill -9', async (t) => {
  t.timeout(30_000)
  const program = `
    import { openEngine } from ${JSON.stringify(import.meta.resolve('./engine.js'))}
    const [path, durability] = process.argv.slice(1)
    const engine = await openEngine({ path, durability })
    let acknowledged = 0
    let written = 0
    const write = () => {
      const version = { boot: 1, micros: ++written, writer: 'ff' }
      engine.apply({ token: written, key: Buffer.from('k'), record: { version, value: Buffer.alloc(50) } }, () => {
        if (++acknowledged === 500) process.kill(process.pid, 'SIGKILL')
        write()
      })
    }
    for (let i = 0; i < 100; i++) write()
  `
  for (const durability of ['sync', 'write'] as const) {
    const path = freshPath()
    await new Promise<void>((resolve) => {
      execFile(process.execPath, ['--input-type=module', '-e', program, path, durability], () =>
        resolve(),
      )
    })
    const engine = await openEngine({ path, durability })
    const stats = await new Promise<{ keys: number } | undefined>((resolve) =>
      engine.stats((_error, found) => resolve(found)),
    )
    const scanned = await new Promise<number>((resolve) =>
      engine.scan({ from: 0, to: 0 }, undefined, 1 << 24, (_error, page) =>
        resolve(page?.entries.length ?? 0),
      ),
    )
    t.true(scanned >= 500 && scanned < 600, `${scanned} keys`)
    t.is(stats?.keys, scanned)
    await closed(engine)
  }
})
