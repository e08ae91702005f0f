import test from 'ava'
import type { Mode } from '../shared/data/mode.js'
import { runNemesis } from './nemesis.js'

const minutes = Number(process.env.GTSTORE_NEMESIS_MINUTES ?? 1)
const seed = Number(process.env.GTSTORE_NEMESIS_SEED ?? 1)
const modes = (process.env.GTSTORE_NEMESIS_MODES ?? 'latest').split(',') as Mode[]

for (const mode of modes) {
  test.serial(
    `${minutes} minutes of faults on real processes, mode ${mode}: every answer is right, nothing is lost`,
    async (t) => {
      t.timeout((minutes + 5) * 60_000)
      const verdict = await runNemesis({
        mode,
        seed,
        seconds: minutes * 60,
        nodes: 6,
        clients: 2,
        note: (line) => t.log(line),
      })
      t.log(JSON.stringify(verdict))
      t.deepEqual(verdict.failures, [])
    },
  )
}
