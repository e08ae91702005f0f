/**
 * A transfer keeps to the swarm's rate of handoffs and lets requests pass. How long these take beside it
 * is printed; that their p99 stays under twice its value without is asserted in `npm run test:long`,
 * where nothing else runs.
 */
import { setTimeout as pause } from 'node:timers/promises'
import test from 'ava'
import type { Client } from '../client/index.js'
import { Latencies } from './latencies.js'
import { connect, each, startSwarm } from './swarm.fixture.js'
import { until } from './until.js'

const isLong = process.env.GTSTORE_TEST_ROUNDS !== undefined
const keys = 1_500
const valueBytes = 16 * 1024
const bytesPerSecond = 4 * 1024 * 1024
const inFlight = 8

/** Small puts and gets until told to stop. */
class Foreground {
  readonly latencies = new Latencies()
  #isOver = false
  readonly #workers: Promise<unknown>

  constructor(client: Client) {
    const timed = this.latencies.timed(client)
    const work = async (worker: number): Promise<void> => {
      for (let i = 0; !this.#isOver; i++) {
        await timed.put(`small${worker}/${i % 100}`, 'value')
        await timed.get(`small${worker}/${i % 100}`)
      }
    }
    this.#workers = Promise.all(Array.from({ length: inFlight }, (_, worker) => work(worker)))
  }

  async until(enough: () => boolean): Promise<void> {
    while (!enough()) await pause(20)
  }

  stop(): Promise<unknown> {
    this.#isOver = true
    return this.#workers
  }
}

test.serial('a throttled transfer keeps to its rate and lets requests pass', async (t) => {
  t.timeout(180_000)
  const options = { nodes: 4, durability: 'write', handoffBytesPerSecond: bytesPerSecond } as const
  const swarm = await startSwarm(t, options)
  const client = await connect(t, swarm)
  const value = 'v'.repeat(valueBytes)
  await each(keys, async (index) => {
    await client.put(`large${index}`, value)
  })
  const foreground = new Foreground(client)
  // Compiled by then.
  await foreground.until(() => foreground.latencies.count > 3_000)
  foreground.latencies.clear()
  await foreground.until(() => foreground.latencies.count > 6_000)
  const alone = foreground.latencies.percentile(0.99)

  const { pid } = swarm.spawnNode()
  const { id } = await until('the transfer', 60_000, async () => {
    const { nodes } = await swarm.status()
    return nodes.find((node) => node.pid === pid && (node.handoff?.rangesTotal ?? 0) > 0)
  })
  const began = performance.now()
  foreground.latencies.clear()
  await swarm.settled(5)
  const seconds = (performance.now() - began) / 1000
  const beside = foreground.latencies.percentile(0.99)
  await foreground.stop()

  const bytes = (await swarm.node(id)).bytes ?? 0
  t.true(bytes > (keys * valueBytes) / 4, `${bytes} bytes were copied`)
  // What came before the first look, and a batch for each of the window ahead of the rate.
  const leastSeconds = (bytes - bytesPerSecond / 2 - 4 * 256 * 1024) / bytesPerSecond
  const told = `p99 ${alone.toFixed(2)} ms alone, ${beside.toFixed(2)} ms beside the transfer`
  t.log(`${told} of ${(bytes / 2 ** 20).toFixed(1)} MiB in ${seconds.toFixed(1)} s`)
  t.true(seconds >= leastSeconds * 0.9, `${bytes} bytes in ${seconds} s`)
  if (isLong) t.true(beside < 2 * alone, told)
})
