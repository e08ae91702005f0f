import test from 'ava'
import { huntPlant, replayOf, runSeeds } from './batch.js'
import { plants } from './planted.js'
import { runSeed } from './run.js'

const seeds = 200

test('seeds pass: histories, invariants, rest, and the same trace again', (t) => {
  t.timeout(180_000)
  const totals = runSeeds({ from: 1, count: seeds, told: (line) => t.log(line) })
  t.log(JSON.stringify(totals))
  t.deepEqual(totals.failed, [])
  t.is(totals.seeds, seeds)
})

test('a seed replays byte for byte, and its trace does not change its course', (t) => {
  t.timeout(30_000)
  const trace = (seed: number) => {
    const lines: string[] = []
    const { hash } = runSeed(seed, { sink: (line) => lines.push(line) })
    return { hash, text: lines.join('\n') }
  }
  const first = trace(3)
  t.true(first.text.length > 100_000)
  t.deepEqual(trace(3), first)
  t.is(runSeed(3).hash, first.hash)
  t.not(trace(4).hash, first.hash)
})

for (const [name, { historySeedsMax }] of Object.entries(plants)) {
  test(`a planted bug is found: ${name}`, (t) => {
    t.timeout(60_000)
    const { isFound, byInvariants, byHistories } = huntPlant(name)
    t.true(isFound)
    t.log(`seed ${byInvariants?.seed}: ${byInvariants?.failures[0]}`)
    if (historySeedsMax === undefined) return
    t.regex(byHistories?.failures[0] ?? '', /is not linearizable/)
    t.log(`seed ${byHistories?.seed}: ${byHistories?.failures[0]}`)
  })
}

test('a failure names the command that replays it', (t) => {
  t.is(replayOf(17), 'npm run sim -- --seed 17 --trace')
})
