import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { finishRemovals, removeStore } from './store-removal.js'

const root = mkdtempSync(join(tmpdir(), 'gtstore-removal-'))
test.after.always(() => rmSync(root, { recursive: true }))

function makeStore(directory: string, name: string): string {
  const path = join(directory, name)
  mkdirSync(join(path, 'hints'), { recursive: true })
  for (const file of ['CURRENT', '000003.log', 'hints/CURRENT']) writeFileSync(join(path, file), '')
  return path
}

test('a store goes with its hints, the others stay', async (t) => {
  const nodes = mkdtempSync(join(root, 'nodes-'))
  const path = makeStore(nodes, 'n1')
  makeStore(nodes, 'n2')
  await removeStore(path)
  await removeStore(path)
  t.deepEqual(readdirSync(nodes), ['n2'])
})

test('a removal that was cut short leaves nothing under the name of the store', async (t) => {
  t.timeout(20_000)
  const nodes = mkdtempSync(join(root, 'nodes-'))
  const path = makeStore(nodes, 'n1')
  for (let i = 0; i < 2000; i++) writeFileSync(join(path, `${i}.ldb`), '')
  // Killed as soon as it has begun to delete.
  const program = `
    import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    const fsync = fs.fsyncSync
    fs.fsyncSync = (descriptor) => {
      fsync(descriptor)
      setImmediate(() => process.kill(process.pid, 'SIGKILL'))
    }
    syncBuiltinESMExports()
    const { removeStore } = await import(${JSON.stringify(import.meta.resolve('./store-removal.js'))})
    await removeStore(process.argv[1])
  `
  const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', program, path])
  t.is(signal, 'SIGKILL')
  const left = readdirSync(nodes)
  t.is(left.length, 1)
  t.regex(left[0] ?? '', /^removed-n1-\d+$/)
  makeStore(nodes, 'n2')
  await finishRemovals(nodes)
  t.deepEqual(readdirSync(nodes), ['n2'])
})

test('a removal that is under way is left to its process', async (t) => {
  const nodes = mkdtempSync(join(root, 'nodes-'))
  const ours = `removed-n1-${process.ppid}`
  mkdirSync(join(nodes, ours))
  await finishRemovals(nodes)
  t.deepEqual(readdirSync(nodes), [ours])
})
