import test from 'ava'
import { Random } from './random.js'
import { World } from './world.js'

test('events fire in order of time, and of their making where the time is the same', (t) => {
  const world = new World(1)
  const random = new Random(1, 'times')
  const fired: string[] = []
  const planned: [number, number][] = []
  for (let i = 0; i < 2_000; i++) {
    const time = random.below(100)
    planned.push([time, i])
    world.at(time, () => fired.push(`${world.micros} ${i}`))
  }
  while (world.step());
  planned.sort(([a, i], [b, j]) => a - b || i - j)
  t.deepEqual(
    fired,
    planned.map(([time, i]) => `${time} ${i}`),
  )
})

test('a cancelled event does not fire, and one may be made while another fires', (t) => {
  const world = new World(1)
  const fired: string[] = []
  const cancel = world.at(5, () => fired.push('cancelled'))
  world.at(1, () => {
    cancel()
    world.at(0, () => fired.push(`now ${world.micros}`))
    world.at(10, () => fired.push(`later ${world.micros}`))
  })
  t.true(world.runUntil(() => fired.length === 2, 100))
  t.deepEqual(fired, ['now 1', 'later 11'])
})

test('a run ends at its limit of time', (t) => {
  const world = new World(1)
  const again = () => world.at(10, again)
  again()
  t.false(world.runUntil(() => false, 1_000))
  t.is(world.micros, 1_000)
})

test('streams of randomness are repeatable and independent', (t) => {
  const draw = (seed: number, name: string) => {
    const random = new Random(seed, name)
    return Array.from({ length: 5 }, () => random.next())
  }
  t.deepEqual(draw(7, 'a'), draw(7, 'a'))
  t.notDeepEqual(draw(7, 'a'), draw(7, 'b'))
  t.notDeepEqual(draw(7, 'a'), draw(8, 'a'))
})

test('draws are spread evenly', (t) => {
  const random = new Random(3, 'even')
  const counts = Array.from({ length: 10 }, () => 0)
  for (let i = 0; i < 100_000; i++) {
    const drawn = random.below(10)
    counts[drawn] = (counts[drawn] ?? 0) + 1
  }
  for (const count of counts) t.true(Math.abs(count - 10_000) < 500, `${counts}`)
  t.regex(random.hex(16), /^[0-9a-f]{16}$/)
})
