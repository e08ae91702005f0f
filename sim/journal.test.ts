import test from 'ava'
import { replay, SimJournal } from './journal.js'
import { World } from './world.js'

function openJournal(lines: string[], world: World) {
  return new SimJournal<{ n: number }>({
    lines,
    random: world.random('journal'),
    later: (delay, fire) => {
      world.at(delay, fire)
    },
    syncMicrosMax: 500,
  })
}

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
