/** `npm run nemesis -- --minutes M [--seed S] [--mode m]`: torments a swarm of processes, and judges. */
import { parseArgs } from 'node:util'
import type { Mode } from '../shared/data/mode.js'
import { runNemesis } from './nemesis.js'

const modes: readonly Mode[] = ['latest', 'siblings', 'chain']
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    mode: { type: 'string', default: 'latest' },
    nodes: { type: 'string', default: '6' },
    clients: { type: 'string', default: '3' },
    quiet: { type: 'boolean', default: false },
  },
})
const numbers = [values.minutes, values.seed, values.nodes, values.clients].map(Number)
const [minutes, seed, nodes, clients] = numbers as [number, number, number, number]
const mode = modes.find((name) => name === values.mode)
if (mode === undefined || numbers.some((value) => !(value > 0))) {
  const usage = `[--minutes M] [--seed S] [--mode ${modes.join('|')}] [--nodes N] [--clients C]`
  console.error(`usage: npm run nemesis -- ${usage}`)
  process.exitCode = 2
} else {
  const note = (line: string) => values.quiet || console.log(line)
  const verdict = await runNemesis({ mode, seed, seconds: minutes * 60, nodes, clients, note })
  const { failures, ...figures } = verdict
  console.log(JSON.stringify(figures, undefined, 2))
  for (const failure of failures) console.error(failure)
  console.log(
    failures.length === 0 ? 'PASS' : `FAIL: npm run nemesis -- --mode ${mode} --seed ${seed}`,
  )
  process.exitCode = failures.length === 0 ? 0 : 1
}
