import test from 'ava'
import type { StoredRecord } from '../shared/data/record.js'
import { type Dot, siblingsMerge, siblingsOf, written } from '../shared/data/siblings.js'
import type { Message } from '../shared/protocol/messages.js'
import { SiblingRecords } from './sibling-records.js'

function put(
  held: StoredRecord | undefined,
  value: string,
  dot: Dot,
  hasSeen: boolean,
  at = dot.micros,
) {
  const context = hasSeen ? siblingsOf(held).context : new Map()
  const record = written(held, {
    value: Buffer.from(value),
    context,
    draw: () => dot,
    boot: 1,
    at,
  })
  if (record === undefined) throw new Error('no limit was given')
  return record
}

function sent(record: StoredRecord): Message {
  const { version, value, attached = null } = record
  const key = Buffer.from('k')
  return { kind: 'replica.put', id: 1, epoch: 1, token: 1, key, value, version, attached, born: 1 }
}

const a = put(undefined, 'a', { actor: 'n1.1@1.0', micros: 10 }, false)
const b = put(undefined, 'b', { actor: 'n2.1@1.0', micros: 20 }, false)

function records(...seen: StoredRecord[]): SiblingRecords {
  const all = new SiblingRecords((detail) => {
    throw new Error(detail)
  })
  for (const record of seen) all.sent(sent(record))
  return all
}

test('a concurrent record covers nothing of another, however new it is', (t) => {
  const seen = records(a, b)
  t.false(seen.covers(b, a.version))
  t.false(seen.covers(a, b.version))
  t.true(seen.covers(a, a.version))
})

test('a merged record, and one that superseded it, cover both', (t) => {
  const both = siblingsMerge(a, b)
  const next = put(both, 'c', { actor: 'n1.1@1.0', micros: 30 }, true)
  const seen = records(a, b, both)
  for (const { version } of [a, b, both]) {
    t.true(seen.covers(both, version))
    t.true(seen.covers(next, version))
  }
  t.false(seen.covers(a, both.version))
})

test('of what was never seen the time decides', (t) => {
  const seen = records()
  t.true(seen.covers(b, a.version))
  t.false(seen.covers(a, b.version))
})

test('a dot that is drawn twice is told', (t) => {
  const told: string[] = []
  const seen = new SiblingRecords((detail) => told.push(detail))
  seen.sent(sent(a))
  seen.sent(sent(siblingsMerge(a, b)))
  t.deepEqual(told, [])
  seen.sent(sent(put(undefined, 'other', { actor: 'n1.1@1.0', micros: 10 }, false)))
  t.deepEqual(told, [])
  seen.sent(sent(put(b, 'other', { actor: 'n1.1@1.0', micros: 10 }, false, 30)))
  t.deepEqual(told, ['n1.1@1.0 10 wrote a and other'])
})
