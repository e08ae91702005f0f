/** Planted bugs of chains: what heads decide and forget, who answers, who reads, how chains are planned. */
import { type DecidedRequest, requestsOf, withRequests } from '../shared/data/chain-record.js'
import { mergeOf } from '../shared/data/merge.js'
import type { StoredRecord } from '../shared/data/record.js'
import { formatVersion, type Version } from '../shared/data/version.js'
import type { ChainPut, Message } from '../shared/protocol/messages.js'
import type { NodeId, RingDescription } from '../shared/ring/description.js'
import { Ring } from '../shared/ring/ring.js'
import type { Address } from '../shared/runtime/runtime.js'
import { entryName } from './disk.js'
import {
  engineLike,
  hearing,
  onEveryRing,
  type Plant,
  remakingRings,
  runtimeLike,
} from './planting.js'

const merge = mergeOf('chain')
/** Of a link that nobody has made. */
const forgedSession = Number.MAX_SAFE_INTEGER

/** A reader of a new ring takes the mark for said. */
export const readsBeforeMark: Plant = {
  node: (ports) => {
    const { self, runtime } = ports
    let hear: (from: Address, message: Message) => void = () => {}
    const planted = onEveryRing(ports, (description) => {
      runtime.after(0, 'forged marks', () => {
        for (const [from, mark] of marksOf(description, self)) hear(from, mark)
      })
    })
    return {
      ...planted,
      process: (process) => {
        hear = (from, message) => process.received(from, message)
        return planted.process(process)
      },
    }
  },
}

/** Those that the node waits for as a reader, and from whom. */
function marksOf(description: RingDescription, self: string): [Address, Message][] {
  const ring = new Ring(description)
  return ring.arcs.flatMap(({ chain, owners, from, to }): [Address, Message][] => {
    const before = owners[owners.indexOf(self) - 1]
    const address = before === undefined ? undefined : ring.address(before)
    if (chain?.reader !== self || address === undefined) return []
    const { epoch } = ring
    return [[address, { kind: 'chain.mark', id: forgedSession, epoch, from, to }]]
  })
}

/** The head answers a request that it has decided before, wherever the chain is with it. */
export const headAnswersRetries: Plant = {
  node: ({ runtime }) => {
    const decided = new Map<string, Version>()
    return {
      runtime: runtimeLike(runtime, {
        send: (to, message) => {
          if (message.kind === 'chain.put') {
            for (const { stamp, version } of requestsIn(message)) {
              if (version !== null) decided.set(formatVersion(stamp), version)
            }
          }
          return runtime.send(to, message)
        },
      }),
      process: (process) =>
        hearing(process, (from, message) => {
          const isAsked = message.kind === 'coordinate.write'
          const version = isAsked ? decided.get(formatVersion(message.stamp)) : undefined
          if (!isAsked || version === undefined) return process.received(from, message)
          runtime.send(from, { kind: 'coordinate.write.ok', id: message.id, version })
        }),
    }
  },
}

/** A condition is decided on what is on the disk, not on what was ordered before it. */
export const decidesOnDurable: Plant = {
  node: ({ engine }) => {
    const durable = new Map<string, StoredRecord | undefined>()
    return {
      engine: engineLike(engine, {
        update: (token, key, change, done) => {
          const name = entryName(token, key)
          const decide = (held: StoredRecord | undefined) => {
            const seen = durable.has(name) ? durable.get(name) : held
            durable.set(name, seen)
            const decided = change(seen)
            return decided === undefined ? undefined : merge(held, decided)
          }
          engine.update(token, key, decide, (error, record) => {
            durable.delete(name)
            done(error, record)
          })
        },
      }),
    }
  },
}

/** A request is forgotten when its write came to the end, not when nobody can send it any more. */
export const forgetsAnswered: Plant = {
  node: ({ engine }) => {
    const ended = new Set<string>()
    return {
      engine: engineLike(engine, {
        update: (token, key, change, done) => {
          const isOpen = ({ stamp }: DecidedRequest) => !ended.has(formatVersion(stamp))
          const forgetful = (held: StoredRecord | undefined) =>
            change(held && withRequests(held, requestsOf(held).filter(isOpen)))
          engine.update(token, key, forgetful, done)
        },
      }),
      process: (process) =>
        hearing(process, (from, message) => {
          process.received(from, message)
          if (message.kind !== 'chain.ack') return
          for (const stamp of message.stamps) ended.add(formatVersion(stamp))
        }),
    }
  },
}

/** Members pass on a write before it is on their disk. */
export const passesUnsynced: Plant = {
  node: ({ engine, runtime }) => ({
    engine: engineLike(engine, {
      update: (token, key, change, done) => {
        let made: StoredRecord | undefined
        const noting = (held: StoredRecord | undefined) => {
          const record = change(held)
          made = record ?? held
          return record
        }
        engine.update(token, key, noting, () => {})
        return void runtime.after(0, 'forged sync', () => done(undefined, made))
      },
    }),
  }),
}

/** Chains are in the order of the preference lists, also when nodes come back or join. */
export const ordersByPreference: Plant = {
  manager: (ports) =>
    remakingRings(ports, (ring) => {
      const { chains, change: _change, ...placed } = ring
      const preferences = new Ring(placed)
      const reordered = chains?.map((chain) => {
        const { owners } = preferences.arcOf(chain.to)
        const place = (node: NodeId) => owners.indexOf(node) + 1 || owners.length + 1
        const holders = chain.members.slice(0, chain.full).sort((a, b) => place(a) - place(b))
        return { ...chain, members: [...holders, ...chain.members.slice(chain.full)] }
      })
      return { ...ring, ...(reordered && { chains: reordered }) }
    }),
}

/** What joins is copied from the head, which holds what may never come to the end. */
export const copiesFromHead: Plant = {
  manager: (ports) =>
    remakingRings(ports, (ring) => {
      if (ring.change === undefined) return ring
      const { arcs } = new Ring(ring)
      const transfers = ring.change.transfers.map((transfer) => {
        const head = arcs.find(({ to }) => to === transfer.to)?.chain?.members[0]
        return head === undefined ? transfer : { ...transfer, sources: [head] }
      })
      return { ...ring, change: { ...ring.change, transfers } }
    }),
}

function requestsIn({ version, value, attached }: ChainPut): readonly DecidedRequest[] {
  return requestsOf({ version, value, ...(attached !== null && { attached }) })
}
