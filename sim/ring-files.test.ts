import test from 'ava'
import type { RingDescription } from '../shared/ring/description.js'
import { SimRingFiles } from './ring-files.js'

function ringOf(epoch: number, boot = 1): RingDescription {
  const placement = { replicas: 1, readQuorum: 1, writeQuorum: 1, tokens: [], nodes: [] }
  return { epoch, swarm: 's', boot, members: [], placement }
}

test('an epoch is published once, and the newest is what was published', (t) => {
  const told: number[] = []
  const files = new SimRingFiles(({ epoch }) => told.push(epoch))
  t.is(files.newest(), undefined)
  t.is(files.publish(ringOf(1)), 'published')
  t.is(files.publish(ringOf(2)), 'published')
  t.is(files.publish(ringOf(2, 9)), 'exists')
  t.deepEqual(files.newest(), ringOf(2))
  t.deepEqual(told, [1, 2])
})

test('readers get copies, as from a file', (t) => {
  const files = new SimRingFiles(() => {})
  files.publish(ringOf(1))
  t.not(files.newest(), files.newest())
})

test('pruning keeps the newest', (t) => {
  const files = new SimRingFiles(() => {})
  for (let epoch = 1; epoch <= 12; epoch++) files.publish(ringOf(epoch))
  files.prune(3)
  t.deepEqual(
    [8, 9, 10, 11, 12].map((epoch) => files.exists(epoch)),
    [false, false, true, true, true],
  )
  t.is(files.published.length, 12)
})
