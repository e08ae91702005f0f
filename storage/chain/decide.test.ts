/** What a head decides, and what it forgets. */
import test from 'ava'
import { type DecidedRequest, requestsOf } from '../../shared/data/chain-record.js'
import type { StoredRecord } from '../../shared/data/record.js'
import { compareVersions } from '../../shared/data/version.js'
import { chainRequestsMax } from '../../shared/runtime/limits.js'
import { type Decision, decide, type Standpoint, withoutExpired } from './decide.js'

const standpoint: Standpoint = { boot: 1, epoch: 7, now: 1_000_000, isCommitted: () => true }

function ask(held: StoredRecord | undefined, micros: number, at = standpoint): Decision {
  const stamp = { boot: 1, micros, writer: 'c' }
  const write = { stamp, deadline: 9_000_000, value: Buffer.from(`${micros}`), condition: null }
  return decide(held, write, at)
}

function recordOf(decision: Decision): StoredRecord {
  if (decision.is !== 'new') throw new Error(`the request was ${decision.is}`)
  return decision.record
}

test('versions rise whatever the clock, and name the epoch of the head', (t) => {
  let held: StoredRecord | undefined
  for (let i = 0; i < 5; i++) {
    const next = recordOf(ask(held, i))
    if (held !== undefined) t.true(compareVersions(next.version, held.version) > 0)
    held = next
  }
  t.deepEqual(held?.version, { boot: 1, micros: 1_000_004, writer: '0000000000000007' })
  const later = recordOf(ask(held, 9, { ...standpoint, boot: 2, now: 5 }))
  t.deepEqual(later.version, { boot: 2, micros: 5, writer: '0000000000000007' })
  t.throws(() => ask(later, 10))
})

test('a request that is known is not decided again', (t) => {
  const first = ask(undefined, 1)
  const again = ask(recordOf(ask(recordOf(first), 2)), 1)
  t.is(again.is, 'known')
  if (again.is === 'known' && first.is === 'new') t.deepEqual(again.request, first.request)
})

test('only what is committed and past its deadline is dropped', (t) => {
  const request = (deadline: number): DecidedRequest => {
    return { stamp: { boot: 1, micros: deadline, writer: 'c' }, deadline, version: null, met: null }
  }
  const requests = [request(1), request(2), request(2_000_000)]
  const isCommitted = ({ micros }: { micros: number }) => micros !== 2
  t.deepEqual(withoutExpired(requests, { now: 1_000_000, isCommitted }), requests.slice(1))
})

test('of a key that is written all the time the oldest are forgotten, and not done again', (t) => {
  let held: StoredRecord | undefined
  for (let i = 1; i <= 3 * chainRequestsMax; i++) {
    held = recordOf(ask(held, i))
    t.true(requestsOf(held).length <= chainRequestsMax)
  }
  t.is(ask(held, 1).is, 'forgotten')
  t.is(ask(held, 0).is, 'forgotten')
  t.is(ask(held, 3 * chainRequestsMax).is, 'known')
  t.is(ask(held, 3 * chainRequestsMax - 100).is, 'known')
  t.is(ask(held, 3 * chainRequestsMax + 1).is, 'new')
  const late = { ...standpoint, now: 10_000_000 }
  t.deepEqual(withoutExpired(requestsOf(held), late), [])
})

test('what is not committed is never forgotten: more of it is refused', (t) => {
  const uncommitted = { ...standpoint, isCommitted: () => false }
  let held: StoredRecord | undefined
  for (let i = 1; i <= chainRequestsMax; i++) held = recordOf(ask(held, i, uncommitted))
  t.is(ask(held, chainRequestsMax + 1, uncommitted).is, 'crowded')
  t.is(ask(held, 1, uncommitted).is, 'known')
})
