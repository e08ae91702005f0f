/**
 * What goes wrong in a run, and when: kills, pauses, disks, cuts and the like, one after another at
 * random times, until enough of them had an effect. A fault counts once it changed something: a cut
 * that no message met, or a pause of a process that was dead, does not.
 */
import type { Micros } from '../shared/data/version.js'
import type { RingDescription } from '../shared/ring/description.js'
import type { Address } from '../shared/runtime/runtime.js'
import type { FaultKind, FaultSettings } from './fault-settings.js'
import type { CutManner } from './interference.js'
import { isExempt } from './interference.js'
import type { Load } from './load.js'
import type { NodeProcess } from './node-process.js'
import type { Random } from './random.js'
import { isNeeded } from './survivors.js'
import type { Swarm } from './swarm.js'

export type FaultCounts = Partial<Record<FaultKind, number>>

export interface FaultsOptions {
  readonly swarm: Swarm
  readonly load: Load
  readonly settings: FaultSettings
}

/** The shortest time that a pause or the like lasts. */
const shortestMicros = 100_000

/** Share of those that last as long as they may. */
const longestShare = 0.15

const triesFactor = 2
const plainKinds: readonly FaultKind[] = ['node killed', 'manager killed']

export class Faults {
  readonly #swarm: Swarm
  readonly #load: Load
  readonly #settings: FaultSettings
  readonly #random: Random
  readonly #counts: FaultCounts = {}
  #total = 0
  #tried = 0
  #isOver = false
  /** Lost nodes that will be started again after all. */
  #returning = 0
  /** Set off by the next entry of the journal, or the next ring. */
  #atJournal = 0
  #atRing = 0

  constructor({ swarm, load, settings }: FaultsOptions) {
    this.#swarm = swarm
    this.#load = load
    this.#settings = settings
    this.#random = swarm.host.world.random('faults')
  }

  get counts(): FaultCounts {
    return this.#counts
  }

  get total(): number {
    return this.#total
  }

  get areEnough(): boolean {
    return this.#total >= this.#settings.count
  }

  /** Nothing goes wrong any more, and who is to come back was started. */
  get areMended(): boolean {
    return this.#isOver && this.#returning === 0
  }

  start(): void {
    this.#swarm.atBoundary = () => this.#killAtJournal()
    this.#swarm.host.watchRings((ring) => this.#killInChange(ring))
    this.#next()
  }

  /** Nothing goes wrong any more, and what went wrong is mended: the processes run, the cuts heal. */
  stop(): void {
    this.#isOver = true
    const { host, manager, nodes, kept, journal } = this.#swarm
    host.interference.heal()
    journal.slowMicros = 0
    for (const { id, process } of kept) this.#mendDisk(process?.id ?? id)
    manager?.resume()
    for (const node of nodes) {
      node.resume()
      if (node.hasFailedDisk) node.kill()
    }
    for (const client of this.#load.clients) {
      client.runtime.resume()
      client.start()
    }
    this.#swarm.startAll()
    this.#returnSomeOfTheLost()
  }

  #next(): void {
    const { world } = this.#swarm.host
    world.at(this.#random.between(1, this.#settings.pauseMs) * 1_000, () => {
      if (this.#isOver) return
      if (!this.areEnough) this.#inject(this.#random.pick(this.#kinds()))
      this.#next()
    })
  }

  /** Where the seed's own kinds find nothing to hit, plain kills make up the number. */
  #kinds(): readonly FaultKind[] {
    const { kinds, count } = this.#settings
    return this.#tried++ < triesFactor * count ? kinds : plainKinds
  }

  #inject(kind: FaultKind): void {
    const { nodes, manager } = this.#swarm
    const node = nodes.length === 0 ? undefined : this.#random.pick(nodes)
    const hit = this.#counting(kind)
    switch (kind) {
      case 'node killed':
        return this.#kill(kind, node)
      case 'nodes killed':
        return this.#kill(kind, ...nodes.filter(() => this.#random.chance(0.5)))
      case 'manager killed':
        return this.#kill(kind, manager)
      case 'manager and node killed':
        return this.#kill(kind, manager, node)
      case 'all killed':
        return this.#kill(kind, manager, ...nodes)
      case 'manager killed at its journal':
        this.#atJournal++
        return
      case 'killed in a change':
        this.#atRing++
        return
      case 'node lost':
        return this.#lose(hit)
      case 'client killed':
        return this.#killClient(hit)
      case 'supervisor killed':
        return this.#killSupervisor(hit)
      case 'host rebooted':
        return this.#reboot(hit)
      case 'node paused':
        return this.#pause(kind, node)
      case 'manager paused':
        return this.#pause(kind, manager)
      case 'client paused':
        return this.#pause(kind, this.#random.pick(this.#load.clients).runtime)
      case 'disk slow':
        return this.#slowDisk(hit)
      case 'disk failed':
        return this.#failDisk(hit, node)
      case 'disk full':
        return this.#fillDisk(hit, node)
      case 'messages lost':
        return this.#swarm.host.interference.lose(this.#share(), this.#lasting(), hit)
      case 'messages duplicated':
        return this.#swarm.host.interference.duplicate(this.#share(), this.#lasting(), hit)
      case 'messages delayed':
        return this.#delay(hit)
      case 'cut one way':
        return this.#cut(hit, true)
      case 'cut':
        return this.#cut(hit, false)
    }
  }

  /** What to call when it has an effect; counts once. */
  #counting(kind: FaultKind): () => void {
    let isCounted = false
    return () => {
      if (isCounted || this.#isOver) return
      isCounted = true
      this.#total++
      this.#counts[kind] = (this.#counts[kind] ?? 0) + 1
      const { world } = this.#swarm.host
      world.trace.event(world.micros, 'fault', kind, this.#total)
    }
  }

  #kill(kind: FaultKind, ...victims: readonly ({ kill(): void } | undefined)[]): void {
    const living = victims.filter((victim) => victim !== undefined)
    if (living.length === 0) return
    this.#counting(kind)()
    for (const victim of living) victim.kill()
  }

  /** True: the manager dies here, before or after its entry is durable or had its effect. */
  #killAtJournal(): boolean {
    const { manager, host } = this.#swarm
    if (this.#atJournal === 0 || this.#isOver || manager === undefined) return false
    if (!this.#random.chance(0.3)) return false
    this.#atJournal--
    this.#counting('manager killed at its journal')()
    if (this.#random.chance(0.5)) {
      manager.kill()
      return true
    }
    host.world.at(0, () => manager.kill())
    return false
  }

  #killInChange({ change }: RingDescription): void {
    const { host, nodes, manager } = this.#swarm
    if (this.#atRing === 0 || this.#isOver || change === undefined) return
    this.#atRing--
    const gainers = change.transfers.map(({ gainer }) => gainer)
    const donors = change.transfers.flatMap(({ sources }) => sources)
    const isIn = (group: readonly string[]) => nodes.filter(({ id }) => group.includes(id))
    const groups = [isIn(gainers), isIn(donors), manager === undefined ? [] : [manager]]
    const victims = groups
      .filter(() => this.#random.chance(0.5))
      .flatMap((group) => (group.length === 0 ? [] : [this.#random.pick<{ kill(): void }>(group)]))
    host.world.at(this.#random.below(this.#random.pick([100, 5_000, 50_000])), () => {
      if (!this.#isOver) this.#kill('killed in a change', ...victims)
    })
  }

  /** Only as many as the swarm can do without: it never goes below N members. */
  #lose(hit: () => void): void {
    const { kept, host } = this.#swarm
    const members = new Set(host.ringFiles.newest()?.placement.nodes ?? [])
    const living = kept.filter(({ process }) => process?.node?.state === 'active')
    const candidates = living.filter(({ process }) => members.has(process?.id ?? ''))
    const { replicas, mayForm } = host.settings
    if (mayForm || candidates.length <= replicas) return
    const lost = this.#random.pick(candidates)
    lost.keeper.isAbandoned = true
    lost.process?.kill()
    hit()
  }

  /** With its old data; by now it may be evicted, or about to be. */
  #returnSomeOfTheLost(): void {
    const { kept, host } = this.#swarm
    const newest = host.ringFiles.newest()
    const chains = newest?.chains ?? []
    const isGone = (node: string) =>
      kept.some(({ id, keeper }) => id === node && keeper.isAbandoned)
    for (const { id, keeper } of kept) {
      if (!keeper.isAbandoned) continue
      if (!this.#random.chance(0.5) && !isNeeded(chains, id, isGone)) continue
      this.#returning++
      this.#later(this.#random.below(3_000 * host.settings.evictAfterMs), () => {
        this.#returning--
        keeper.start()
      })
    }
  }

  #killClient(hit: () => void): void {
    const client = this.#random.pick(this.#load.clients)
    client.kill()
    hit()
    this.#later(this.#random.between(1, 500_000), () => client.start())
  }

  #killSupervisor(hit: () => void): void {
    hit()
    this.#swarm.killSupervisor()
    this.#later(this.#lasting(), () => this.#swarm.restartSupervisor())
  }

  /** Everything dies at once, clients too, and comes back one by one. */
  #reboot(hit: () => void): void {
    const swarm = this.#swarm
    hit()
    swarm.killSupervisor()
    swarm.manager?.kill()
    for (const node of swarm.nodes) node.kill()
    this.#load.kill()
    swarm.host.reboot(this.#random.chance(0.5))
    swarm.restartSupervisor()
    for (const client of this.#load.clients) {
      this.#later(this.#random.below(2_000_000), () => client.start())
    }
  }

  #pause(
    kind: FaultKind,
    victim: { stall(micros: Micros): void; resume(): void } | undefined,
  ): void {
    if (victim === undefined) return
    victim.stall(this.#lasting())
    this.#counting(kind)()
  }

  /** Of one node, or of the manager, or the one disk under them all. */
  #slowDisk(hit: () => void): void {
    const { host, journal, nodes } = this.#swarm
    const micros = this.#random.pick([20_000, 200_000, 1_000_000])
    const all = [
      journal,
      ...nodes.filter(({ id }) => id !== '').map(({ id }) => host.disk.store(id)),
    ]
    const slow = this.#random.chance(0.3) ? all : [this.#random.pick(all)]
    for (const file of slow) file.slowMicros = micros
    hit()
    this.#later(this.#lasting(), () => {
      for (const file of slow) file.slowMicros = 0
    })
  }

  #failDisk(hit: () => void, node: NodeProcess | undefined): void {
    const { manager } = this.#swarm
    if (manager !== undefined && this.#random.chance(0.2)) {
      manager.failDisk()
      hit()
    } else if (node?.failDisk() === true) hit()
  }

  #fillDisk(hit: () => void, node: NodeProcess | undefined): void {
    const { host, nodes } = this.#swarm
    const full = this.#random.chance(0.3) ? nodes : node === undefined ? [] : [node]
    const ids = full.map(({ id }) => id).filter((id) => id !== '')
    if (ids.length === 0) return
    for (const id of ids) host.disk.store(id).isLow = true
    hit()
    this.#later(this.#lasting(), () => {
      for (const id of ids) host.disk.store(id).isLow = false
    })
  }

  #delay(hit: () => void): void {
    const address = this.#random.pick(this.#addresses())
    const micros = this.#random.pick([5_000, 50_000, 500_000])
    this.#swarm.host.interference.slow(address, micros, this.#lasting(), hit)
  }

  /** Between two processes, between one and all others, or between two groups. */
  #cut(hit: () => void, isOneWay: boolean): void {
    const { interference, network } = this.#swarm.host
    const manner = this.#random.pick<CutManner>(['closing', 'losing', 'holding'])
    const addresses = this.#addresses()
    // The manager alone must not be believed about whom it cannot reach.
    const one = this.#random.chance(0.3) ? 'manager' : this.#random.pick(addresses)
    const other = this.#random.pick(addresses)
    const near = new Set(addresses.filter(() => this.#random.chance(0.5)))
    const across = this.#random.pick<(from: Address, to: Address) => boolean>([
      (from, to) => from === one && to === other,
      (from, to) => from === one && to !== one,
      (from, to) => near.has(from) && !near.has(to),
    ])
    const isCut = isOneWay
      ? across
      : (from: Address, to: Address) => across(from, to) || across(to, from)
    if (manner === 'closing') {
      const isHit = (from: Address, to: Address) => {
        const isTrue = isCut(from, to) && !isExempt(from) && !isExempt(to)
        if (isTrue) hit()
        return isTrue
      }
      network.cutAll(isHit)
    }
    interference.cut(isCut, manner, this.#lasting(), hit)
  }

  #addresses(): Address[] {
    const nodes = this.#swarm.nodes.flatMap(({ address }) => address ?? [])
    return ['manager', ...nodes, ...this.#load.clients.map(({ runtime }) => runtime.address)]
  }

  #mendDisk(node: string): void {
    if (node === '') return
    const store = this.#swarm.host.disk.store(node)
    store.isLow = false
    store.slowMicros = 0
  }

  #later(micros: Micros, then: () => void): void {
    this.#swarm.host.world.at(micros, then)
  }

  /** Short ones are as likely as long ones, on a scale of orders of magnitude. */
  #lasting(): Micros {
    const longest = Math.max(shortestMicros, this.#settings.lastsMs * 1_000)
    if (this.#random.chance(longestShare)) return longest
    return Math.round(shortestMicros * (longest / shortestMicros) ** this.#random.next())
  }

  #share(): number {
    return this.#random.pick([0.01, 0.05, 0.2])
  }
}
