/** Swarms and clients of real processes for one test: gone when it ends, however it ends. */
import type { ExecutionContext } from 'ava'
import { type Client, type InitOptions, init } from '../client/index.js'
import { Swarm, type SwarmSetup } from './swarm.js'

export async function startSwarm(t: ExecutionContext, setup: SwarmSetup): Promise<Swarm> {
  const swarm = await Swarm.start(setup)
  t.teardown(() => swarm.destroy())
  return swarm
}

export async function connect(
  t: ExecutionContext,
  swarm: Swarm,
  options: Omit<InitOptions<'utf8'>, 'dir'> = {},
): Promise<Client> {
  const client = await init({ timeoutMs: 20_000, ...options, dir: swarm.run })
  t.teardown(() => client.finalize())
  return client
}

/** Calls in flight of helpers that work through a list. */
const inFlight = 64

/** Works through `count` numbers with many in flight. */
export async function each(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
}

/** Keys among the first `count` whose value is not the expected one. */
export async function differing(
  client: Client,
  count: number,
  keyOf: (index: number) => string,
  expected: (index: number) => string | undefined,
): Promise<string[]> {
  const wrong: string[] = []
  await each(count, async (index) => {
    const found = await client.get(keyOf(index))
    if (found?.value !== expected(index)) wrong.push(`${keyOf(index)}: ${found?.value}`)
  })
  return wrong
}
