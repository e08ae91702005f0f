/** What the ring files must do: all adapters of the port run this suite. */
import type { TestFn } from 'ava'
import type { RingDescription } from '../ring/description.js'
import type { RingFiles } from './ports.js'

export function ringFilesConformance(test: TestFn, name: string, open: () => RingFiles): void {
  test(`${name}: the newest ring that was published is found`, (t) => {
    const files = open()
    t.is(files.newest(), undefined)
    t.false(files.exists(1))
    for (const epoch of [1, 2, 10]) {
      t.is(files.publish(ringOf(epoch, 'first')), 'published')
      t.true(files.exists(epoch))
      t.deepEqual(files.newest(), ringOf(epoch, 'first'))
    }
    t.false(files.exists(3))
  })

  test(`${name}: an epoch has one ring`, (t) => {
    const files = open()
    files.publish(ringOf(5, 'first'))
    t.is(files.publish(ringOf(5, 'second')), 'exists')
    t.deepEqual(files.newest(), ringOf(5, 'first'))
  })

  test(`${name}: old rings are pruned, the last ones stay`, (t) => {
    const files = open()
    for (let epoch = 8; epoch <= 12; epoch++) files.publish(ringOf(epoch, 'x'))
    files.prune(2)
    t.deepEqual(
      [8, 9, 10, 11, 12, 13].map((epoch) => files.exists(epoch)),
      [false, false, false, true, true, false],
    )
    files.prune(9)
    t.true(files.exists(11))
    t.deepEqual(files.newest(), ringOf(12, 'x'))
  })
}

export function ringOf(epoch: number, swarm: string): RingDescription {
  return {
    epoch,
    swarm,
    boot: 1,
    members: [{ id: 'n1', incarnation: 2, pid: 3, startTime: '4' }],
    placement: { replicas: 1, readQuorum: 1, writeQuorum: 1, tokens: [7], nodes: ['n1'] },
  }
}
