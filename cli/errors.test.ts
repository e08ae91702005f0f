import test from 'ava'
import { type ErrorCode, GTStoreError } from '../shared/protocol/errors.js'
import { describeFailure, exitCodes, ofRead, outputLost } from './errors.js'

test('a write that may have happened is not to be tried again unseen', (t) => {
  const unsure = new GTStoreError('TIMEOUT', 'no answer', { definite: false })
  t.like(describeFailure(unsure), { exitCode: exitCodes.outcomeUnknown, definite: false })
  t.regex(describeFailure(unsure).next, /^see what came of it/)
  const sure = new GTStoreError('TIMEOUT', 'no answer', { definite: true })
  t.like(describeFailure(sure), { exitCode: exitCodes.quorumUnavailable, definite: true })
  t.regex(describeFailure(sure).next, /then try again/)
})

test('an unknown outcome has one exit code, whatever it failed with, unless interrupted', (t) => {
  const codeOf = (code: ErrorCode, definite: boolean) =>
    describeFailure(new GTStoreError(code, 'failed', { definite })).exitCode
  for (const code of ['QUORUM_UNAVAILABLE', 'EXPIRED', 'STORAGE_FAILED', 'STOPPING'] as const) {
    t.is(codeOf(code, false), exitCodes.outcomeUnknown, code)
    t.not(codeOf(code, true), exitCodes.outcomeUnknown, code)
  }
  t.is(codeOf('ABORTED', false), exitCodes.interrupted)
})

test('a read leaves nothing in doubt', (t) => {
  const late = new GTStoreError('TIMEOUT', 'no answer', { definite: false })
  const { code, exitCode, message, definite } = describeFailure(ofRead(late))
  t.deepEqual([code, exitCode, message, definite], ['TIMEOUT', 5, 'no answer', true])
  const other = new Error('our own mistake')
  t.is(ofRead(other), other)
})

test('a condition that failed names the version met, null where the key is missing', (t) => {
  const version = '1.5.00000000000000aa'
  t.is(describeFailure(new GTStoreError('CONDITION_FAILED', 'x', { version })).version, version)
  t.is(describeFailure(new GTStoreError('CONDITION_FAILED', 'x')).version, null)
  t.false('version' in describeFailure(new GTStoreError('TIMEOUT', 'x')))
})

test('output that is lost does not undo what was done', (t) => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
  })
  const done = outputLost(full, true)
  t.like(done, { code: 'ENOSPC', exitCode: 1, definite: undefined })
  t.regex(done.message, /^cannot write to stdout: ENOSPC/)
  t.regex(done.next, /^the command has succeeded/)
  t.notRegex(outputLost(full, false).next, /succeeded/)
})
