/** With `--log-operations` every replica and every coordinator says what became of each operation. */
import test from 'ava'
import { init } from '../client/index.js'
import { Victim } from '../nemesis/victim.js'
import { each } from './swarm.fixture.js'
import { until } from './until.js'

interface Line {
  readonly part: 'coordinated' | 'replicated'
  readonly operation: 'put' | 'delete' | 'get'
  readonly key: string
  readonly refusal?: string
}

async function linesOf(swarm: Victim): Promise<Line[]> {
  const { output } = await swarm.gtstore('logs', '--json')
  return output
    .split('\n')
    .filter((line) => line.includes('"part"'))
    .map((line) => JSON.parse(line))
}

const keys = 100

/** How often each key's operation was logged by this part, as `successes/failures`, and for how many keys. */
function tally(
  lines: readonly Line[],
  part: Line['part'],
  operation: Line['operation'],
): Record<string, number> {
  const each = new Map<string, { good: number; bad: number }>()
  for (const line of lines) {
    if (line.part !== part || line.operation !== operation || !line.key.startsWith('key')) continue
    const counts = each.get(line.key) ?? { good: 0, bad: 0 }
    if (line.refusal === undefined) counts.good++
    else counts.bad++
    each.set(line.key, counts)
  }
  const tallied: Record<string, number> = {}
  for (const { good, bad } of each.values()) {
    tallied[`${good}/${bad}`] = (tallied[`${good}/${bad}`] ?? 0) + 1
  }
  return tallied
}

const exactly = { replicated: { '3/0': keys }, coordinated: { '1/0': keys } }

const flagsOf = { latest: [], chain: ['--replication', 'chain'] }

for (const mode of ['latest', 'chain'] as const) {
  test.serial(
    `${mode}: three replicas and one coordinator log a create, and a delete`,
    async (t) => {
      t.timeout(120_000)
      const swarm = new Victim(10, ['--durability', 'write', '--log-operations', ...flagsOf[mode]])
      t.teardown(() => swarm.end())
      await swarm.up()
      const client = await init({ dir: swarm.run, timeoutMs: 20_000 })
      t.teardown(() => client.finalize())
      const logged = async (operation: 'put' | 'delete') => {
        const what = async () => {
          const lines = await linesOf(swarm)
          const replicated = tally(lines, 'replicated', operation)
          return { replicated, coordinated: tally(lines, 'coordinated', operation) }
        }
        // The third replica may say so after the answer.
        return until('the log', 30_000, async () => {
          const found = await what()
          return found.replicated['3/0'] === keys && found
        })
      }
      await each(keys, async (index) => {
        await client.create(`key${index}`, 'value')
      })
      t.deepEqual(await logged('put'), exactly)
      await each(keys, async (index) => {
        await client.delete(`key${index}`)
      })
      t.deepEqual(await logged('delete'), exactly)
      t.deepEqual(await client.delete('invalidKey'), { existed: false })
      const lines = await linesOf(swarm)
      const failed = lines.filter(({ key, refusal }) => key === 'invalidKey' && refusal)
      t.true(failed.some(({ part }) => part === 'coordinated'))
      t.true(failed.some(({ part }) => part === 'replicated'))
    },
  )
}
