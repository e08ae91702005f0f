/** Two of a key's three owners die at once: strict quorums wait, and nothing that was acknowledged is given up. */
import test, { type ExecutionContext } from 'ava'
import { type Client, init } from '../client/index.js'
import { killProcess } from '../shared/os/linux.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import type { StatusReport } from '../shared/protocol/messages.js'
import { Ring } from '../shared/ring/ring.js'
import { tokenOf } from '../shared/ring/token.js'
import { Victim } from './victim.js'

/** What must fail does so after this time, before the dead are started again. */
const hastyMs = 1_000

async function start(t: ExecutionContext, nodes: number, evictAfter: string): Promise<Victim> {
  const victim = new Victim(nodes, ['--restart', 'never', '--evict-after', evictAfter])
  t.teardown(() => victim.end())
  await victim.up()
  return victim
}

async function connect(t: ExecutionContext, victim: Victim, via?: string): Promise<Client> {
  const client = await init({ dir: victim.run, timeoutMs: 20_000, via })
  t.teardown(() => client.finalize())
  return client
}

function ownersOf(victim: Victim, key: string): readonly string[] {
  const newest = openRingFiles(victim.run).newest()
  if (newest === undefined) throw new Error('no ring is published')
  return new Ring(newest).arcOf(tokenOf(Buffer.from(key))).owners
}

function kill(victim: Victim, ...ids: readonly string[]): void {
  for (const entry of victim.nodes()) {
    if (ids.includes(entry.address.split('.')[0] as string)) killProcess(entry)
  }
}

async function statusOf(victim: Victim): Promise<StatusReport> {
  return JSON.parse((await victim.gtstore('status', '--json')).output)
}

/** All nodes that are left serve, and every copy is where it belongs. */
async function stabilized(t: ExecutionContext, victim: Victim): Promise<void> {
  const { exitCode, output } = await victim.gtstore('verify', '--wait', '90')
  t.is(exitCode, 0, `${output}\n${(await victim.gtstore('status')).output}`)
}

test.serial('seven nodes, two killed at once: the newest values are all there again', async (t) => {
  t.timeout(180_000)
  const victim = await start(t, 7, '4s')
  const client = await connect(t, victim)
  const keys = Array.from({ length: 20 }, (_, index) => `key${index}`)
  const expected = new Map(keys.map((key) => [key, `${key}-1`]))
  for (const key of keys) await client.put(key, `${key}-1`)
  for (const key of keys.slice(0, 3)) {
    await client.put(key, `${key}-2`)
    expected.set(key, `${key}-2`)
  }
  const dead = ownersOf(victim, 'key0').slice(0, 2)
  kill(victim, ...dead)
  for (const key of keys) {
    const living = ownersOf(victim, key).filter((owner) => !dead.includes(owner))
    if (living.length >= 2) t.is((await client.get(key))?.value, expected.get(key))
  }
  await stabilized(t, victim)
  for (const key of keys) t.is((await client.get(key))?.value, expected.get(key))
})

test.serial(
  'ten nodes, reads and updates: one dead replica, two, after stabilization',
  async (t) => {
    t.timeout(240_000)
    const victim = await start(t, 10, '8s')
    const { nodes } = await statusOf(victim)
    const clients = await Promise.all(nodes.map(({ id }) => connect(t, victim, id)))
    const keys = Array.from({ length: 100 }, (_, index) => `k${1000 + index}`)
    for (const [index, key] of keys.entries()) {
      await clients[index % clients.length]?.put(key, `first-${index}`)
    }
    const client = await connect(t, victim)
    const key = keys[0] as string
    const operations = [
      (timeoutMs: number) => client.get(key, { timeoutMs }),
      (timeoutMs: number) => client.put(key, `again-${key}`, { timeoutMs }),
    ]
    const succeed = async () => {
      for (const operate of operations) await t.notThrowsAsync(() => operate(5_000))
    }
    const [, second, third] = ownersOf(victim, key) as [string, string, string]
    kill(victim, third)
    await succeed()
    kill(victim, second)
    for (const operate of operations) {
      const error = await t.throwsAsync(() => operate(hastyMs))
      t.regex(String((error as { code?: string }).code), /QUORUM_UNAVAILABLE|TIMEOUT/)
    }
    await stabilized(t, victim)
    await succeed()
    const stranger = nodes.map(({ id }) => id).find((id) => !ownersOf(victim, key).includes(id))
    kill(victim, stranger as string)
    await succeed()
    t.is(await client.get('invalidKey'), undefined)
    await stabilized(t, victim)
    for (const [index, each] of keys.entries()) {
      const expected = each === key ? `again-${key}` : `first-${index}`
      t.is((await client.get(each))?.value, expected)
    }
  },
)
