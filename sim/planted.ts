/**
 * Bugs planted on purpose, to know that the simulator would find them. The product's code stays as
 * it is: a plant gives a node ports that lie, so that it behaves as if the mistake were its own.
 */
import type { Message, ReplicaPut } from '../shared/protocol/messages.js'
import type { NodeId, RingDescription } from '../shared/ring/description.js'
import { Ring } from '../shared/ring/ring.js'
import type { Engine, RingFiles } from '../shared/runtime/ports.js'
import type { Address, Process, Runtime } from '../shared/runtime/runtime.js'

export interface Ports {
  readonly self: NodeId
  readonly runtime: Runtime
  readonly engine: Engine
  readonly ringFiles: RingFiles
}

export interface PlantedPorts {
  readonly runtime: Runtime
  readonly ringFiles: RingFiles
  /** Stands between the world and the node. */
  process(node: Process): Process
}

export type Plant = (ports: Ports) => PlantedPorts

/** No bug at all. */
export const faithful: Plant = ({ runtime, ringFiles }) => ({
  runtime,
  ringFiles,
  process: (node) => node,
})

/** A donor deletes what it will lose as soon as it hears of the change, not once it is settled. */
const donorDeletesEarly: Plant = (ports) => {
  const { self, engine } = ports
  return onEveryRing(ports, (description) => {
    const lost = new Ring(description).arcs.filter(
      ({ owners, next }) => owners.includes(self) && next?.owners.includes(self) === false,
    )
    if (lost.length > 0) engine.erase(lost, {}, () => {})
  })
}

/** A read answers without waiting until other owners hold what it returns. */
const readSkipsWriteBack: Plant = ({ runtime, ringFiles }) => {
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
    runtime: {
      ...delegating(runtime),
      send: (to, message) =>
        isWriteBack(message) ? acknowledge(to, message) : runtime.send(to, message),
    },
    ringFiles,
    process: (process) => {
      node = process
      return process
    },
  }
}

/** A coordinator answers without looking whether its epoch has passed. */
const replyWithoutFence: Plant = (ports) => {
  let known = 0
  const planted = onEveryRing(ports, ({ epoch }) => {
    known = Math.max(known, epoch)
  })
  return { ...planted, ringFiles: { ...planted.ringFiles, exists: (epoch) => epoch <= known } }
}

export interface Planted {
  readonly plant: Plant
  /** It is found within so many seeds. */
  readonly seedsMax: number
  /**
   * Within so many by what clients were told alone. Left out for the fence: a read under a ring that
   * copies must find its version on both sides, which already keeps a late answer from being wrong,
   * except where a key was never written.
   */
  readonly historySeedsMax?: number
}

export const plants: Readonly<Record<string, Planted>> = {
  'donor-deletes-early': { plant: donorDeletesEarly, seedsMax: 2, historySeedsMax: 100 },
  'read-skips-write-back': { plant: readSkipsWriteBack, seedsMax: 20, historySeedsMax: 150 },
  'reply-without-fence': { plant: replyWithoutFence, seedsMax: 20 },
}

/** Calls back with every ring that the node hears of, before the node does. */
function onEveryRing(ports: Ports, heard: (ring: RingDescription) => void): PlantedPorts {
  const { runtime, ringFiles } = ports
  return {
    runtime,
    ringFiles: {
      publish: (ring) => ringFiles.publish(ring),
      exists: (epoch) => ringFiles.exists(epoch),
      newest: () => {
        const ring = ringFiles.newest()
        if (ring !== undefined) heard(ring)
        return ring
      },
      prune: (keep) => ringFiles.prune(keep),
    },
    process: (node) => ({
      received: (from, message) => {
        if (message.kind === 'ring.publish') heard(message.ring)
        node.received(from, message)
      },
      opened: (peer) => node.opened(peer),
      closed: (peer) => node.closed(peer),
    }),
  }
}

function delegating(runtime: Runtime): Runtime {
  return {
    now: () => runtime.now(),
    hostMicros: () => runtime.hostMicros(),
    random: () => runtime.random(),
    send: (to, message) => runtime.send(to, message),
    after: (ms, label, fire) => runtime.after(ms, label, fire),
    isAlive: (process) => runtime.isAlive(process),
  }
}
