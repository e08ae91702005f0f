/** Chains under chaos: whatever happens, each key is linearizable and each request has one result. */
import test from 'ava'
import { Chaos } from './chaos.fixture.js'
import { isLinearizable } from './linear.fixture.js'

const seeds = Number(process.env.GTSTORE_CHAIN_SEEDS ?? 25)
const first = Number(process.env.GTSTORE_CHAIN_SEED ?? 1)

test('under crashes, pauses, drops and rejoins every key is linearizable', (t) => {
  let answered = 0
  let rings = 0
  for (let seed = first; seed < first + seeds; seed++) {
    const chaos = new Chaos(seed)
    chaos.run(1_200)
    chaos.end()
    const replay = `replay with GTSTORE_CHAIN_SEED=${seed} GTSTORE_CHAIN_SEEDS=1`
    t.deepEqual(chaos.contradictions, [], replay)
    t.true(chaos.isWhole, replay)
    t.deepEqual(chaos.differences, [], replay)
    t.is(chaos.uncommitted, 0, replay)
    for (const [key, operations] of chaos.history) {
      t.true(isLinearizable(operations, chaos.versions), `key ${key}: ${replay}`)
      answered += operations.filter(({ ended }) => ended !== Number.POSITIVE_INFINITY).length
    }
    rings += chaos.rings
  }
  t.true(answered > 30 * seeds, `only ${answered} operations were answered`)
  t.true(rings > 10 * seeds, `only ${rings} rings were published`)
})
