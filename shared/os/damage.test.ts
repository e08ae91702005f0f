/** Stores and journals whose files were torn or damaged: what may go unsaid, and what must be told. */
import { execFile } from 'node:child_process'
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { GTStoreError } from '../protocol/errors.js'
import type { Engine } from '../runtime/ports.js'
import { DamagedError } from './damage.js'
import { openEngine } from './engine.js'
import { openJournal } from './journal.js'

const root = mkdtempSync(join(tmpdir(), 'gtstore-damage-'))
test.after.always(() => rmSync(root, { recursive: true }))

const records = 400

/** What a killed process leaves: records 1 to `records`, durable, all in the log. */
async function killedStore(): Promise<string> {
  const path = join(mkdtempSync(join(root, 'store-')), 'n7')
  const program = `
    import { openEngine } from ${JSON.stringify(import.meta.resolve('./engine.js'))}
    const engine = await openEngine({ path: process.argv[1], durability: 'write' })
    const write = (i) => {
      const version = { boot: 1, micros: i, writer: 'ff' }
      const record = { version, value: Buffer.alloc(500, i) }
      const next = () => i === ${records} ? process.kill(process.pid, 'SIGKILL') : write(i + 1)
      engine.apply({ token: i, key: Buffer.from('k'), record }, next)
    }
    write(1)
  `
  await new Promise<void>((resolve) => {
    execFile(process.execPath, ['--input-type=module', '-e', program, path], () => resolve())
  })
  return path
}

function logOf(path: string): string {
  const name = readdirSync(path).find((each) => each.endsWith('.log') && sizeOf(path, each) > 0)
  if (name === undefined) throw new Error(`no log in ${path}`)
  return join(path, name)
}

function sizeOf(path: string, name: string): number {
  return statSync(join(path, name)).size
}

function tokensIn(engine: Engine): Promise<number[]> {
  return new Promise((resolve, reject) => {
    engine.scan({ from: 0, to: 0 }, undefined, 1 << 24, (error, page) => {
      if (page === undefined) reject(error)
      else resolve(page.entries.map(({ token }) => token))
    })
  })
}

function closed(engine: Engine): Promise<void> {
  return new Promise((resolve) => engine.close(() => resolve()))
}

function flipByte(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = (bytes[at] as number) ^ 0xff
  writeFileSync(file, bytes)
}

test('a torn end of the log costs the writes that were torn, no other', async (t) => {
  t.timeout(60_000)
  const origin = await killedStore()
  const size = statSync(logOf(origin)).size
  for (const cut of [1, 7, 100, 530, 600, 1200]) {
    const path = join(mkdtempSync(join(root, 'torn-')), 'n7')
    cpSync(origin, path, { recursive: true })
    truncateSync(logOf(path), size - cut)
    const engine = await openEngine({ path, durability: 'write' })
    const tokens = await tokensIn(engine)
    // A record takes some 600 bytes with its counts.
    const kept = tokens.length
    t.true(
      kept >= records - Math.ceil(cut / 550) && kept < records,
      `${kept} after a cut of ${cut}`,
    )
    t.deepEqual(
      tokens,
      Array.from({ length: kept }, (_, i) => i + 1),
    )
    await closed(engine)
  }
})

test('pages of the last write that a dead host did not write cost that write alone', async (t) => {
  t.timeout(60_000)
  const origin = await killedStore()
  const { size } = statSync(logOf(origin))
  for (const zeros of [1, 100, 500]) {
    const path = join(mkdtempSync(join(root, 'zeros-')), 'n7')
    cpSync(origin, path, { recursive: true })
    const bytes = readFileSync(logOf(path))
    writeFileSync(logOf(path), bytes.fill(0, size - zeros))
    for (let attempt = 0; attempt < 2; attempt++) {
      const engine = await openEngine({ path, durability: 'write' })
      t.is((await tokensIn(engine)).length, records - 1)
      await closed(engine)
    }
  }
})

test('zeros in the middle of a log are told', async (t) => {
  t.timeout(60_000)
  const path = await killedStore()
  const bytes = readFileSync(logOf(path))
  writeFileSync(logOf(path), bytes.fill(0, 49_152, 53_248))
  const error = await t.throwsAsync<GTStoreError>(openEngine({ path, durability: 'write' }))
  t.true(error instanceof DamagedError)
})

test('a log that is damaged in the middle is told, now and at every later start', async (t) => {
  t.timeout(60_000)
  const path = await killedStore()
  flipByte(logOf(path), 50_000)
  for (let attempt = 0; attempt < 3; attempt++) {
    const error = await t.throwsAsync<GTStoreError>(openEngine({ path, durability: 'write' }))
    t.true(error instanceof DamagedError)
    t.is(error.code, 'STORAGE_FAILED')
    t.regex(error.message, /the store in .*n7 is damaged: .*checksums at byte \d+/)
    t.regex(error.message, /gtstore node remove n7 --force/)
  }
})

test('missing files are told', async (t) => {
  t.timeout(60_000)
  const path = await killedStore()
  // Opened once, the log has become a table.
  await closed(await openEngine({ path, durability: 'write' }))
  const damages: Record<string, (copy: string) => void> = {
    table: (copy) => rmSync(join(copy, tableIn(copy))),
    'table cut': (copy) => truncateSync(join(copy, tableIn(copy)), 100),
    current: (copy) => rmSync(join(copy, 'CURRENT')),
    manifest: (copy) => rmSync(join(copy, manifestIn(copy))),
    'manifest damaged': (copy) => flipByte(join(copy, manifestIn(copy)), 20),
  }
  for (const [name, damage] of Object.entries(damages)) {
    const copy = join(mkdtempSync(join(root, 'missing-')), 'n7')
    cpSync(path, copy, { recursive: true })
    damage(copy)
    const error = await t.throwsAsync<GTStoreError>(
      openEngine({ path: copy, durability: 'write' }),
      undefined,
      name,
    )
    t.regex(error.message, /the store in .*n7 is damaged: /, name)
    // The second attempt finds no other answer.
    await t.throwsAsync(openEngine({ path: copy, durability: 'write' }), undefined, name)
  }
})

function tableIn(path: string): string {
  return readdirSync(path).find((name) => name.endsWith('.ldb')) ?? ''
}

function manifestIn(path: string): string {
  return readdirSync(path).find((name) => name.startsWith('MANIFEST')) ?? ''
}

test('a creation that was cut short begins anew', async (t) => {
  t.timeout(20_000)
  const path = join(mkdtempSync(join(root, 'half-')), 'n7')
  await closed(await openEngine({ path, durability: 'write' }))
  for (const name of readdirSync(path)) {
    if (!name.startsWith('MANIFEST') && name !== 'LOCK') rmSync(join(path, name))
  }
  const engine = await openEngine({ path, durability: 'write' })
  t.deepEqual(await tokensIn(engine), [])
  await closed(engine)
})

test('a damaged journal names its remedy', async (t) => {
  t.timeout(20_000)
  const path = join(mkdtempSync(join(root, 'journal-')), 'manager')
  const { journal } = await openJournal<string>({ path })
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => journal.append('x'.repeat(4000), resolve))
  }
  await new Promise((resolve) => journal.close(resolve))
  flipByte(logOf(path), 40_000)
  const error = await t.throwsAsync<GTStoreError>(openJournal({ path }))
  t.regex(error.message, /the journal in .* is damaged: .*; restore the directory from a copy/)
})
