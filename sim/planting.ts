/**
 * How a bug is planted on purpose: the product's code stays as it is, but a plant gives a process ports
 * that lie, so that it behaves as if the mistake were its own.
 */
import type { Step } from '../manager/steps.js'
import type { Message } from '../shared/protocol/messages.js'
import type { NodeId, RingDescription } from '../shared/ring/description.js'
import type { Engine, Journal, RingFiles } from '../shared/runtime/ports.js'
import type { Address, Process, Runtime } from '../shared/runtime/runtime.js'

interface Planted {
  /** Stands between the world and the process. */
  process(process: Process): Process
}

export interface NodePorts {
  readonly sloppy: boolean
  readonly runtime: Runtime
  readonly engine: Engine
  readonly hints: Engine
  readonly ringFiles: RingFiles
}

export interface ManagerPorts {
  readonly runtime: Runtime
  readonly journal: Journal<Step>
  readonly ringFiles: RingFiles
}

export interface ClientPorts {
  /** What its stamps are signed with. */
  readonly writer: string
  readonly runtime: Runtime
}

/** What a plant may change in the processes of a run; what it leaves out stays honest. */
export interface Plant {
  node?(ports: NodePorts & { readonly self: NodeId }): Partial<NodePorts & Planted>
  manager?(ports: ManagerPorts): Partial<ManagerPorts & Planted>
  client?(ports: ClientPorts): Partial<ClientPorts & Planted>
}

/** No bug at all. */
export const faithful: Plant = {}

export function plantNode(
  plant: Plant,
  ports: NodePorts & { readonly self: NodeId },
): NodePorts & Planted {
  return { ...honest, ...ports, ...plant.node?.(ports) }
}

export function plantManager(plant: Plant, ports: ManagerPorts): ManagerPorts & Planted {
  return { ...honest, ...ports, ...plant.manager?.(ports) }
}

export function plantClient(plant: Plant, ports: ClientPorts): ClientPorts & Planted {
  return { ...honest, ...ports, ...plant.client?.(ports) }
}

const honest: Planted = { process: (process) => process }

/** The same runtime, but for what is given. */
export function runtimeLike(runtime: Runtime, lies: Partial<Runtime>): Runtime {
  return {
    now: () => runtime.now(),
    hostMicros: () => runtime.hostMicros(),
    random: () => runtime.random(),
    send: (to, message) => runtime.send(to, message),
    after: (ms, label, fire) => runtime.after(ms, label, fire),
    isAlive: (process) => runtime.isAlive(process),
    ...lies,
  }
}

/** The same engine, but for what is given. */
export function engineLike(engine: Engine, lies: Partial<Engine>): Engine {
  return {
    apply: (entry, done) => engine.apply(entry, done),
    applyBatch: (entries, meta, done) => engine.applyBatch(entries, meta, done),
    update: (token, key, change, done) => engine.update(token, key, change, done),
    read: (token, key, done) => engine.read(token, key, done),
    scan: (range, after, limitBytes, done) => engine.scan(range, after, limitBytes, done),
    erase: (ranges, meta, done) => engine.erase(ranges, meta, done),
    discard: (marks, done) => engine.discard(marks, done),
    meta: (name) => engine.meta(name),
    stats: (done) => engine.stats(done),
    close: (done) => engine.close(done),
    ...lies,
  }
}

export function ringFilesLike(files: RingFiles, lies: Partial<RingFiles>): RingFiles {
  return {
    publish: (ring) => files.publish(ring),
    exists: (epoch) => files.exists(epoch),
    newest: () => files.newest(),
    prune: (keep) => files.prune(keep),
    ...lies,
  }
}

/** A process that hears of each message through `hear`, which passes on what it likes. */
export function hearing(
  process: Process,
  hear: (from: Address, message: Message) => void,
): Process {
  return {
    received: hear,
    opened: (peer) => process.opened(peer),
    closed: (peer) => process.closed(peer),
  }
}

/** Calls back with every ring that the process hears of, before it does. */
export function onEveryRing(
  ports: Pick<NodePorts, 'ringFiles'>,
  heard: (ring: RingDescription) => void,
): Pick<NodePorts, 'ringFiles'> & Planted {
  const { ringFiles } = ports
  return {
    ringFiles: ringFilesLike(ringFiles, {
      newest: () => {
        const ring = ringFiles.newest()
        if (ring !== undefined) heard(ring)
        return ring
      },
    }),
    process: (process) =>
      hearing(process, (from, message) => {
        if (message.kind === 'ring.publish') heard(message.ring)
        process.received(from, message)
      }),
  }
}

/** The manager's rings as they would be if it made them so: journaled, published and sent. */
export function remakingRings(
  { journal, ringFiles, runtime }: ManagerPorts,
  remake: (ring: RingDescription) => RingDescription,
): Partial<ManagerPorts> {
  return {
    journal: {
      append: (step, done) =>
        journal.append(
          step.step === 'ring.published' ? { ...step, ring: remake(step.ring) } : step,
          done,
        ),
      compact: (step, done) => journal.compact(step, done),
      close: (done) => journal.close(done),
    },
    ringFiles: ringFilesLike(ringFiles, { publish: (ring) => ringFiles.publish(remake(ring)) }),
    runtime: runtimeLike(runtime, {
      send: (to, message) =>
        runtime.send(
          to,
          message.kind === 'ring.publish' ? { ...message, ring: remake(message.ring) } : message,
        ),
    }),
  }
}
