/** Chains on the table of cluster.fixture.ts: rings made by hand, writes, and what came of them. */

import { requestsOf } from '../../shared/data/chain-record.js'
import type { Condition } from '../../shared/data/mode.js'
import type { Version } from '../../shared/data/version.js'
import type { Message, MessageOf } from '../../shared/protocol/messages.js'
import type {
  Chain,
  Member,
  NodeId,
  Placement,
  RingDescription,
  Transfer,
} from '../../shared/ring/description.js'
import { Cluster, evenRing } from '../cluster.fixture.js'

const wholeRing = { from: 0xffffffff, to: 0xffffffff }

interface Chained {
  readonly epoch: number
  /** The head first. */
  readonly members: readonly NodeId[]
  /** All, if it is left out. */
  readonly full?: number
  /** The last full one, if it is left out. */
  readonly reader?: NodeId
  /** The nodes of the placement; the members, if it is left out. */
  readonly placed?: readonly NodeId[]
  /** The change under way. */
  readonly change?: { plan: number; next: readonly NodeId[]; switching?: boolean }
  readonly incarnations?: Readonly<Record<NodeId, number>>
}

/** A ring whose arcs are all one chain. */
export function chained({
  epoch,
  members,
  full = members.length,
  reader = members[full - 1] ?? '',
  placed = members,
  change,
  incarnations = {},
}: Chained): RingDescription {
  const chain: Chain = { ...wholeRing, members, full, reader }
  const everyone = [...new Set([...members, ...placed, ...(change?.next ?? [])])]
  const next = change === undefined ? undefined : placementOf(change.next)
  const transfers: Transfer[] = members.slice(full).map((gainer) => {
    const source = members[full - 1]
    const sources = source === undefined ? [] : [source]
    return { ...wholeRing, gainer, sources, needed: 1, wipe: true }
  })
  return {
    epoch,
    swarm: 'test',
    boot: 1,
    members: everyone.map((id): Member => {
      return { id, incarnation: incarnations[id] ?? 1, pid: 1, startTime: '1' }
    }),
    placement: placementOf(placed),
    ...(change !== undefined &&
      next !== undefined && {
        change: {
          plan: change.plan,
          next,
          transfers,
          ...(change.switching && { switching: true }),
        },
      }),
    chains: [chain],
  }
}

function placementOf(nodes: readonly NodeId[]): Placement {
  return { ...evenRing(1, nodes).placement, replicas: 1, readQuorum: 1, writeQuorum: 1 }
}

interface Asked {
  readonly id?: number
  readonly condition?: Condition
  /** Of an earlier attempt. */
  readonly stamp?: Version
  readonly timeoutMs?: number
}

export class ChainCluster extends Cluster {
  private stamps = 0

  constructor(...nodes: readonly NodeId[]) {
    super()
    this.mode = 'chain'
    for (const id of nodes) this.add(id)
  }

  stamp(client: string): Version {
    return { boot: 1, micros: this.hostMicros, writer: `${client}/${this.stamps++}` }
  }

  write(client: string, to: string, key: string, value: string | null, asked: Asked = {}): Version {
    const { id = 1, condition = null, stamp = this.stamp(client), timeoutMs = 5_000 } = asked
    this.send(client, to, {
      kind: 'write',
      id,
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      stamp,
      condition,
      context: null,
      w: 0,
      deadline: stamp.micros + timeoutMs * 1000,
    })
    return stamp
  }

  /** The value read through this node; null: missing; undefined: no answer. */
  read(to: string, key: string, id = 900): string | null | undefined {
    const client = `reader-${id}-${this.inbox.size}`
    this.get(client, to, key, id)
    this.settle()
    return this.readBy(client)
  }

  readBy(client: string): string | null | undefined {
    const answer = this.answer(client)
    if (answer?.kind !== 'get.ok') return undefined
    return answer.value === null ? null : Buffer.from(answer.value).toString()
  }

  /** Everything arrives and becomes durable. */
  settle(...addresses: string[]): void {
    for (let round = 0; round < 50; round++) {
      this.run()
      for (const address of addresses) this.seat(address).engine.sync()
    }
    this.run()
  }

  answersOf(client: string): readonly Message[] {
    return this.inbox.get(client) ?? []
  }

  ok(client: string): MessageOf<'write.ok'> {
    const answer = this.answer(client)
    if (answer?.kind === 'write.ok') return answer
    throw new Error(`${client} got ${JSON.stringify(answer)}`)
  }

  /** The version that a node holds of a key, and how many requests stand beside it. */
  held(address: string, key: string): { version: Version; requests: number } | undefined {
    const record = this.seat(address).engine.entries.get(key)?.record
    if (record === undefined) return undefined
    return { version: record.version, requests: requestsOf(record).length }
  }
}
