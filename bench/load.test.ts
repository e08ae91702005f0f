import test from 'ava'
import { runLoad } from './load.js'

/** Remembers what was put and how many calls were in flight at once. */
class Recorder {
  readonly held = new Map<string, Uint8Array>()
  inFlight = 0
  inFlightMax = 0
  misses = 0

  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#pass()
    this.held.set(key, value)
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    await this.#pass()
    if (!this.held.has(key)) this.misses += 1
    return this.held.get(key)
  }

  async #pass(): Promise<void> {
    this.inFlight += 1
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight)
    await new Promise((resolve) => setImmediate(resolve))
    this.inFlight -= 1
  }
}

const options = { operations: 2000, inFlight: 16, valueBytes: 100, putShare: 0.5, keys: 50 }

test('runs every operation, with as many in flight as asked', async (t) => {
  const client = new Recorder()
  const progress: number[] = []
  const report = await runLoad({ client, ...options, onProgress: (done) => progress.push(done) })
  t.is(report.ops, 2000)
  t.is(report.errors, 0)
  t.is(report.latency.put.count + report.latency.get.count, 2000)
  t.true(Math.abs(report.latency.put.count - 1000) < 150)
  t.is(client.inFlightMax, 16)
  t.is(client.held.size, 50)
  t.is(client.held.get('bench/0')?.length, 100)
  t.is(client.misses, 0)
  t.is(progress.at(-1), 2000)
})

test('reports percentiles in microseconds, in order', async (t) => {
  const { latency, opsPerSecond, seconds } = await runLoad({ client: new Recorder(), ...options })
  const { p50, p90, p99, max } = latency.put
  t.true(p50 > 0 && p50 <= p90 && p90 <= p99 && p99 <= max)
  t.true(max < seconds * 1e6 * 1.01)
  t.true(Math.abs(opsPerSecond * seconds - 2000) < 1)
})

test('failures are counted with their messages and leave no latency', async (t) => {
  const client = new Recorder()
  client.get = () => Promise.reject(new Error('no quorum'))
  const report = await runLoad({ client, ...options, putShare: 0 })
  t.is(report.ops, 0)
  t.is(report.errors, 2000)
  t.deepEqual(report.errorMessages, ['Error: no quorum'])
  t.is(report.latency.get.count, 0)
})

test('ends early on its signal', async (t) => {
  const stop = new AbortController()
  const { ops } = await runLoad({
    client: new Recorder(),
    ...options,
    signal: stop.signal,
    onProgress: (done) => done === 100 && stop.abort(),
  })
  t.true(ops >= 100 && ops < 100 + options.inFlight)
})

test('the same seed asks for the same keys in the same order', async (t) => {
  const keysAsked = async (seed: number) => {
    const keys: string[] = []
    const client = new Recorder()
    client.get = async (key) => {
      keys.push(key)
      return undefined
    }
    await runLoad({ client, ...options, putShare: 0, keysHeld: 50, inFlight: 1, seed })
    return keys
  }
  t.deepEqual(await keysAsked(7), await keysAsked(7))
  t.notDeepEqual(await keysAsked(7), await keysAsked(8))
})
