import test from 'ava'
import { journalConformance } from '../shared/runtime/journal.test-suite.js'
import { replay, SimJournal } from './journal.js'
import { World } from './world.js'

function openJournal(lines: string[], world: World) {
  return new SimJournal<unknown>({
    file: { lines, slowMicros: 0 },
    random: world.random('journal'),
    later: (delay, fire) => {
      world.at(delay, fire)
    },
    syncMicrosMax: 500,
  })
}

journalConformance(test, 'simulated', async () => {
  const world = new World(1)
  const lines: string[] = []
  const reopen = async () => ({ journal: openJournal(lines, world), steps: replay(lines) })
  const pump = () => {
    while (world.step());
  }
  return { journal: openJournal(lines, world), reopen, pump }
})

test('entries are durable in order before they are acknowledged, and replay as they were', (t) => {
  const world = new World(1)
  const lines: string[] = []
  const journal = openJournal(lines, world)
  const durable: number[] = []
  for (let n = 1; n <= 20; n++) {
    world.at(n * 40, () => {
      journal.append({ n }, () => {
        t.true(lines.length >= n)
        durable.push(n)
      })
    })
  }
  let isClosed = false
  world.at(810, () => journal.close(() => (isClosed = true)))
  while (world.step());
  t.deepEqual(
    durable,
    Array.from({ length: 20 }, (_, i) => i + 1),
  )
  t.deepEqual(
    replay(lines),
    durable.map((n) => ({ n })),
  )
  t.true(isClosed)
})

test('what was not synced is not there', (t) => {
  const world = new World(1)
  const lines: string[] = []
  openJournal(lines, world).append({ n: 1 }, () => t.fail())
  t.deepEqual(replay(lines), [])
})

test('a crash leaves all, none or the first entries of the sync under way', (t) => {
  const seen = new Set<number>()
  for (let seed = 1; seed <= 60; seed++) {
    const world = new World(seed)
    const lines: string[] = []
    const journal = openJournal(lines, world)
    journal.append({ n: 0 }, () => {})
    for (const n of [1, 2]) journal.append({ n }, () => t.fail('it was never synced'))
    world.step()
    journal.crash()
    while (world.step());
    t.deepEqual(
      replay(lines),
      lines.map((_, n) => ({ n })),
    )
    seen.add(lines.length)
  }
  t.deepEqual([...seen].sort(), [1, 2, 3])
})

test('a crash leaves what is older than a step for all of it, or the step alone', (t) => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 30; seed++) {
    const world = new World(seed)
    const lines = ['1', '2']
    const journal = openJournal(lines, world)
    journal.compact('both', () => t.fail('it was never synced'))
    journal.crash()
    while (world.step());
    seen.add(lines.join())
  }
  t.deepEqual([...seen].sort(), ['"both"', '1,2'])
})

test('a failed disk fails what waits and all that follows', (t) => {
  const world = new World(1)
  const journal = openJournal([], world)
  const errors: (string | undefined)[] = []
  journal.append({ n: 1 }, (error) => errors.push(error?.message))
  journal.append({ n: 2 }, (error) => errors.push(error?.message))
  journal.fail(new Error('EIO'))
  journal.append({ n: 3 }, (error) => errors.push(error?.message))
  while (world.step());
  t.deepEqual(errors, ['EIO', 'EIO', 'EIO'])
})

test('what is on its way to the disk counts among the lines to come, until it is lost', (t) => {
  const world = new World(1)
  const lines: string[] = []
  const journal = openJournal(lines, world)
  journal.append('first', () => {})
  journal.append('second', () => {})
  t.deepEqual([replay(lines), replay(journal.lines)], [[], ['first', 'second']])
  while (world.step());
  journal.compact('both', () => {})
  t.deepEqual([replay(lines), replay(journal.lines)], [['first', 'second'], ['both']])
  journal.append('third', () => {})
  journal.fail(new Error('EIO'))
  t.deepEqual(journal.lines, lines)
})
