/** Swarms in mode `chain`: who is where in a key's chain, and whether all chains are whole. */
import { setTimeout as pause } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { verify } from '../client/verify.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import type { Chain, NodeId } from '../shared/ring/description.js'
import { Ring } from '../shared/ring/ring.js'
import { tokenOf } from '../shared/ring/token.js'
import { RecordedLoad } from './recorded-load.js'
import { connect, startSwarm } from './swarm.fixture.js'
import type { Swarm, SwarmSetup } from './swarm.js'
import { until } from './until.js'

export const waitMs = 60_000

export function startChains(t: ExecutionContext, setup: Omit<SwarmSetup, 'mode'>): Promise<Swarm> {
  const { replicas = 3 } = setup
  // Every member confirms a write, one answers a get.
  return startSwarm(t, { ...setup, mode: 'chain', readQuorum: 1, writeQuorum: replicas })
}

/** Head first. */
export function chainOf(swarm: Swarm, key: string): Chain {
  const { chain } = newestRing(swarm).arcOf(tokenOf(Buffer.from(key)))
  if (chain === undefined) throw new Error('the ring has no chains')
  return chain
}

export const places = ['head', 'middle', 'tail'] as const

export function memberAt(swarm: Swarm, key: string, place: (typeof places)[number]): NodeId {
  return chainOf(swarm, key).members[places.indexOf(place)] as NodeId
}

/** Waits until these many nodes serve and every chain has all its members. */
export async function whole(swarm: Swarm, nodes: number): Promise<void> {
  await swarm.settled(nodes)
  await until('whole chains', waitMs, async () => {
    const { arcs, description } = newestRing(swarm)
    const { replicas } = description.placement
    const areWhole = arcs.every(
      ({ chain }) => chain?.members.length === replicas && chain.full === replicas,
    )
    return areWhole && description.change === undefined
  })
}

/** Clients that meet on a few keys, the first of which is `k0`, until the test ends. */
export async function startTraffic(t: ExecutionContext, swarm: Swarm): Promise<RecordedLoad> {
  const clients = [await connect(t, swarm), await connect(t, swarm), await connect(t, swarm)]
  // Not so few that most of the time goes into the requests beside each of them.
  const keys = Array.from({ length: 16 }, (_, index) => `k${index}`)
  const load = new RecordedLoad({ clients, keys, inFlight: 3 })
  // Before the clients end: it would go on for ever without them.
  t.teardown(() => load.stop())
  load.start()
  await moreOf(load, 'k0')
  return load
}

/** Waits until a key was asked for again, and answered, a good many times. */
export async function moreOf(load: RecordedLoad, key: string): Promise<void> {
  const before = load.answered(key)
  await until(`answers for ${key}`, waitMs, async () => load.answered(key) > before + 25)
}

/** Ends the traffic: no call failed, no answer was wrong, every copy is where it belongs. */
export async function allIsWell(
  t: ExecutionContext,
  swarm: Swarm,
  load: RecordedLoad,
): Promise<void> {
  await load.stop()
  t.deepEqual(load.failures, [])
  t.deepEqual(load.judge(), [])
  t.log(`${load.answered()} calls answered, of ${load.refused} the condition failed`)
  await verifiedClean(t, swarm)
}

export async function verifiedClean(t: ExecutionContext, swarm: Swarm): Promise<void> {
  const source = await swarm.admin()
  const report = await verify({ source, pause })
  t.true(report?.clean, JSON.stringify(report))
}

function newestRing(swarm: Swarm): Ring {
  const newest = openRingFiles(swarm.run).newest()
  if (newest === undefined) throw new Error('no ring is published')
  return new Ring(newest)
}
