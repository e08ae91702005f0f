import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { GTStoreError } from '../protocol/errors.js'
import { ringFilesConformance, ringOf } from '../runtime/ring-files.test-suite.js'
import { openRingFiles, removeDeadDrafts } from './ring-files.js'

const root = mkdtempSync(join(tmpdir(), 'gtstore-rings-'))
test.after.always(() => rmSync(root, { recursive: true }))

function freshRun(): string {
  return mkdtempSync(join(root, 'run-'))
}

ringFilesConformance(test, 'link(2)', () => openRingFiles(freshRun()))

test('two managers cannot publish one epoch, and leave no drafts', (t) => {
  const run = freshRun()
  const [a, b] = [openRingFiles(run), openRingFiles(run)]
  t.is(a.publish(ringOf(1, 'a')), 'published')
  t.is(b.publish(ringOf(1, 'b')), 'exists')
  t.deepEqual(b.newest(), ringOf(1, 'a'))
  t.deepEqual(readdirSync(run), ['ring.1'])
})

test('other files are not rings', (t) => {
  const run = freshRun()
  for (const name of ['ring.x', 'ring.12.tmp', 'draft-99.1', 'manager.sock']) {
    writeFileSync(join(run, name), '')
  }
  t.is(openRingFiles(run).newest(), undefined)
})

test('drafts of dead processes are removed, and nothing else', (t) => {
  const run = freshRun()
  const foreign = `draft-8.${process.ppid}`
  const others = ['ring.7', 'draft-x.1', 'manager.sock', 'process.n1.1.json']
  const dead = [`draft-7.${2 ** 22 + 1}`, `draft-12.${2 ** 22 + 2}`, `draft-9.${process.pid}`]
  for (const name of [foreign, ...others, ...dead]) writeFileSync(join(run, name), '')
  removeDeadDrafts(run)
  t.deepEqual(readdirSync(run).sort(), [foreign, ...others].sort())
})

test('a run directory that is gone has no rings', (t) => {
  const files = openRingFiles(join(root, 'missing'))
  t.is(files.newest(), undefined)
  t.false(files.exists(1))
})

test('a damaged ring is named', (t) => {
  const run = freshRun()
  writeFileSync(join(run, 'ring.4'), '')
  const error = t.throws<GTStoreError>(() => openRingFiles(run).newest())
  t.is(error.code, 'STORAGE_FAILED')
  t.regex(error.message, /ring\.4/)
})
