import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { openLog } from './log.js'

const root = mkdtempSync(join(tmpdir(), 'gtstore-log-'))
test.after.always(() => rmSync(root, { recursive: true }))

function logged(name: string, fields: object): Record<string, { message: string; stack: string }> {
  const file = join(root, name)
  const log = openLog({ file, level: 'info', name: 'n1' })
  log.error(fields, 'it failed')
  log.close()
  return JSON.parse(readFileSync(file, 'utf8'))
}

const cause = new Error('IO error: 3.log: Input/output error')

test('an error that names its cause is logged with it once', (t) => {
  const err = new Error(`the store failed: ${cause.message}`, { cause })
  const line = logged('once.log', { err, error: err })
  t.is(line.err?.message, err.message)
  t.is(line.error?.message, err.message)
  t.regex(line.err?.stack ?? '', /caused by: Error: IO error/)
})

test('an error that does not name its causes is logged with them', (t) => {
  const middle = new Error('the batch failed', { cause })
  const err = new Error('the store failed', { cause: middle })
  const { message } = logged('all.log', { err }).err ?? {}
  t.is(message, `the store failed: the batch failed: ${cause.message}`)
})

test('what is no error is logged as it is', (t) => {
  t.is(logged('none.log', { err: 'no error' }).err as unknown, 'no error')
})
