import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { GTStoreError } from '../protocol/errors.js'
import { journalConformance } from '../runtime/journal.test-suite.js'
import type { Journal } from '../runtime/ports.js'
import { openJournal } from './journal.js'
import { openLevel } from './level.js'

const root = mkdtempSync(join(tmpdir(), 'gtstore-journal-'))
test.after.always(() => rmSync(root, { recursive: true }))

function freshPath(): string {
  return join(mkdtempSync(join(root, 'journal-')), 'db')
}

function closed(journal: Journal<unknown>): Promise<void> {
  return new Promise((resolve) => journal.close(() => resolve()))
}

journalConformance(test, 'LevelDB', async () => {
  const path = freshPath()
  let { journal } = await openJournal<unknown>({ path })
  const reopen = async () => {
    await closed(journal)
    const again = await openJournal<unknown>({ path })
    journal = again.journal
    return again
  }
  return { journal, reopen }
})

test('a journal that is held says by whom', async (t) => {
  t.timeout(20_000)
  const path = freshPath()
  const { journal } = await openJournal({ path })
  const error = await t.throwsAsync<GTStoreError>(openJournal({ path }))
  t.is(error.code, 'STORAGE_FAILED')
  t.regex(error.message, /the journal in .* is in use by .*: stop it first/)
  await closed(journal)
})

test('another format is refused with both named', async (t) => {
  t.timeout(20_000)
  const path = freshPath()
  const options = { path, what: 'journal', formatKey: Buffer.from('format'), remedy: '' }
  await (await openLevel({ ...options, format: 7 })).close()
  const error = await t.throwsAsync<GTStoreError>(openJournal({ path }))
  t.is(error.code, 'VERSION_MISMATCH')
  t.regex(error.message, /has format 7, this program reads format 1/)
})

test('a database of someone else is not taken for a journal', async (t) => {
  t.timeout(20_000)
  const path = freshPath()
  await (
    await openLevel({
      path,
      what: 'cache',
      formatKey: Buffer.from('other'),
      format: 1,
      remedy: '',
    })
  ).close()
  const error = await t.throwsAsync<GTStoreError>(openJournal({ path }))
  t.is(error.code, 'VERSION_MISMATCH')
  t.regex(error.message, /has format unknown/)
})

test('a damaged entry is named', async (t) => {
  t.timeout(20_000)
  const path = freshPath()
  const formatKey = Buffer.from('format')
  const options = { path, what: 'journal', formatKey, format: 1, remedy: '' }
  const level = await openLevel(options)
  await level.put(Buffer.from('s0000000000000001'), Buffer.from('{half'))
  await level.close()
  const error = await t.throwsAsync<GTStoreError>(openJournal({ path }))
  t.is(error.code, 'STORAGE_FAILED')
  t.regex(error.message, /damaged at entry s0000000000000001/)
})
