/** `npm run nemesis -- --minutes M [--seed S]`: torments a swarm of real processes, and judges. */
import { parseArgs } from 'node:util'
import { runNemesis } from './nemesis.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    nodes: { type: 'string', default: '6' },
    clients: { type: 'string', default: '3' },
    quiet: { type: 'boolean', default: false },
  },
})
const numbers = [values.minutes, values.seed, values.nodes, values.clients].map(Number)
const [minutes, seed, nodes, clients] = numbers as [number, number, number, number]
if (numbers.some((value) => !(value > 0))) {
  console.error('usage: npm run nemesis -- [--minutes M] [--seed S] [--nodes N] [--clients C]')
  process.exitCode = 2
} else {
  const note = (line: string) => values.quiet || console.log(line)
  const verdict = await runNemesis({ seed, seconds: minutes * 60, nodes, clients, note })
  const { failures, ...figures } = verdict
  console.log(JSON.stringify(figures, undefined, 2))
  for (const failure of failures) console.error(failure)
  console.log(failures.length === 0 ? 'PASS' : `FAIL: npm run nemesis -- --seed ${seed}`)
  process.exitCode = failures.length === 0 ? 0 : 1
}
