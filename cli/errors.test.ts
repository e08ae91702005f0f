import test from 'ava'
import { GTStoreError } from '../shared/protocol/errors.js'
import { describeFailure, exitCodes } from './errors.js'

test('a write that may have happened is not to be tried again unseen', (t) => {
  const unsure = new GTStoreError('TIMEOUT', 'no answer', { definite: false })
  t.like(describeFailure(unsure), { exitCode: exitCodes.timeout, definite: false })
  t.regex(describeFailure(unsure).next, /^see what came of it/)
  const sure = new GTStoreError('TIMEOUT', 'no answer', { definite: true })
  t.like(describeFailure(sure), { exitCode: exitCodes.timeout, definite: true })
  t.regex(describeFailure(sure).next, /then try again/)
})
