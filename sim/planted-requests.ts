/** Planted bugs on the path of a request: quorums, the fence, stamps. */
import type { Message, ReplicaPut } from '../shared/protocol/messages.js'
import { addressOf, type RingDescription } from '../shared/ring/description.js'
import type { Address, Process, Runtime } from '../shared/runtime/runtime.js'
import { nodeOf } from './host.js'
import { hearing, onEveryRing, type Plant, ringFilesLike, runtimeLike } from './planting.js'

/** A read answers without waiting until other owners hold what it returns. */
export const readSkipsWriteBack: Plant = {
  node: ({ runtime }) => {
    let node: Process | undefined
    const acknowledge = (owner: Address, { id }: ReplicaPut) => {
      runtime.after(0, 'forged acknowledgement', () => {
        node?.received(owner, { kind: 'replica.put.ok', id })
      })
      return true
    }
    const isWriteBack = (message: Message): message is ReplicaPut =>
      message.kind === 'replica.put' && message.born !== message.version.micros
    return {
      runtime: runtimeLike(runtime, {
        send: (to, message) =>
          isWriteBack(message) ? acknowledge(to, message) : runtime.send(to, message),
      }),
      process: (process) => {
        node = process
        return process
      },
    }
  },
}

/** A coordinator answers without looking whether its epoch has passed. */
export const replyWithoutFence: Plant = {
  node: (ports) => {
    let known = 0
    const planted = onEveryRing(ports, ({ epoch }) => {
      known = Math.max(known, epoch)
    })
    const ringFiles = ringFilesLike(planted.ringFiles, { exists: (epoch) => epoch <= known })
    return { ...planted, ringFiles }
  },
}

/** A get believes the first owner that answers: it takes the others to say the same. */
export const readsFromOne: Plant = {
  node: ({ runtime }) => {
    const asked = new Map<number, Address[]>()
    return {
      runtime: runtimeLike(runtime, {
        send: (to, message) => {
          if (message.kind === 'replica.get') {
            asked.set(message.id, [...(asked.get(message.id) ?? []), to])
          }
          return runtime.send(to, message)
        },
      }),
      process: (process) =>
        hearing(process, (from, message) => {
          if (message.kind !== 'replica.get.ok') return process.received(from, message)
          const owners = asked.get(message.id) ?? []
          asked.delete(message.id)
          for (const owner of owners) process.received(owner, message)
        }),
    }
  },
}

/** A hint that a fallback keeps counts as if an owner held the write. */
export const countsHints: Plant = { node: () => ({ sloppy: true }) }

/** While the ring changes, a joiner's acknowledgement also counts for those that it will replace. */
export const countsJoinerForOwner: Plant = {
  node: (ports) => {
    let ring: RingDescription | undefined
    const planted = onEveryRing(ports, (description) => {
      ring = description
    })
    return {
      ...planted,
      process: (process) => {
        const inner = planted.process(process)
        return hearing(inner, (from, message) => {
          inner.received(from, message)
          if (message.kind !== 'replica.put.ok' || ring?.change === undefined) return
          const { placement, members } = ring
          if (placement.nodes.includes(nodeOf(from))) return
          const old = members.filter(({ id }) => placement.nodes.includes(id) && id !== ports.self)
          for (const member of old) inner.received(addressOf(member), message)
        })
      },
    }
  },
}

/** Clients stamp by a clock of milliseconds, and all sign with the same name. */
export const drawsVersionsTwice: Plant = {
  client: ({ runtime }) => ({
    writer: '0123456789abcdef',
    runtime: runtimeLike(runtime, { hostMicros: () => toMillis(runtime) }),
  }),
}

function toMillis(runtime: Runtime): number {
  return Math.floor(runtime.hostMicros() / 1_000) * 1_000
}

/** A replica does not look at how long a value was on its way. */
export const takesOldMessages: Plant = {
  node: ({ runtime }) => ({
    process: (process) =>
      hearing(process, (from, message) => {
        const isDated = message.kind === 'replica.put' || message.kind === 'hint.put'
        const received = isDated ? { ...message, born: runtime.hostMicros() } : message
        process.received(from, received)
      }),
  }),
}
