/** The bugs planted on purpose, to know that the simulator would find them. */
import type { Message, ReplicaPut } from '../shared/protocol/messages.js'
import { Ring } from '../shared/ring/ring.js'
import type { Address, Process } from '../shared/runtime/runtime.js'
import { onEveryRing, type Plant, ringFilesLike, runtimeLike } from './planting.js'

/** A donor deletes what it will lose as soon as it hears of the change, not once it is settled. */
const donorDeletesEarly: Plant = {
  node: (ports) =>
    onEveryRing(ports, (description) => {
      const { self, engine } = ports
      const lost = new Ring(description).arcs.filter(
        ({ owners, next }) => owners.includes(self) && next?.owners.includes(self) === false,
      )
      if (lost.length > 0) engine.erase(lost, {}, () => {})
    }),
}

/** A read answers without waiting until other owners hold what it returns. */
const readSkipsWriteBack: Plant = {
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
const replyWithoutFence: Plant = {
  node: (ports) => {
    let known = 0
    const planted = onEveryRing(ports, ({ epoch }) => {
      known = Math.max(known, epoch)
    })
    const ringFiles = ringFilesLike(planted.ringFiles, { exists: (epoch) => epoch <= known })
    return { ...planted, ringFiles }
  },
}

export interface PlantedBug {
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

export const plants: Readonly<Record<string, PlantedBug>> = {
  'donor-deletes-early': { plant: donorDeletesEarly, seedsMax: 2, historySeedsMax: 100 },
  'read-skips-write-back': { plant: readSkipsWriteBack, seedsMax: 20, historySeedsMax: 150 },
  'reply-without-fence': { plant: replyWithoutFence, seedsMax: 20 },
}
