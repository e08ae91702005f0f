/** Planted bugs of those who make rings and those who follow them. */
import type { Message } from '../shared/protocol/messages.js'
import { addressOf, type Change, type RingDescription } from '../shared/ring/description.js'
import { Ring } from '../shared/ring/ring.js'
import type { Engine } from '../shared/runtime/ports.js'
import { hearing, onEveryRing, type Plant, remakingRings, ringFilesLike } from './planting.js'

/** A donor deletes what it will lose as soon as it hears of the change, not once it is settled. */
export const donorDeletesEarly: Plant = {
  node: (ports) => onEveryRing(ports, (ring) => eraseLost(ports.engine, ports.self, ring)),
}

function eraseLost(engine: Engine, self: string, ring: RingDescription): void {
  const lost = new Ring(ring).arcs.filter(
    ({ owners, next }) => owners.includes(self) && next?.owners.includes(self) === false,
  )
  if (lost.length > 0) engine.erase(lost, {}, () => {})
}

/** A donor takes a change that was given up for one that settled. */
export const erasesOnAbort: Plant = {
  node: (ports) => {
    let before: RingDescription | undefined
    return onEveryRing(ports, (ring) => {
      if (ring.epoch <= (before?.epoch ?? 0)) return
      if (before?.change !== undefined && ring.change === undefined) {
        eraseLost(ports.engine, ports.self, before)
      }
      before = ring
    })
  },
}

/** A replica answers requests of epochs that have passed as if they were of its own. */
export const answersStaleEpoch: Plant = {
  node: (ports) => {
    let held = 0
    const planted = onEveryRing(ports, ({ epoch }) => {
      held = Math.max(held, epoch)
    })
    const isAsked = ({ kind }: Message) => kind === 'replica.put' || kind === 'replica.get'
    return {
      ...planted,
      process: (process) => {
        const inner = planted.process(process)
        return hearing(inner, (from, message) => {
          const isStale = isAsked(message) && 'epoch' in message && message.epoch < held
          inner.received(from, isStale ? { ...message, epoch: held } : message)
        })
      },
    }
  },
}

/** A gainer copies from one old owner, also where that one may have missed writes. */
export const copiesFromOneSource: Plant = {
  node: ({ ringFiles }) => ({
    ringFiles: ringFilesLike(ringFiles, {
      newest: () => {
        const ring = ringFiles.newest()
        return ring && fromOne(ring)
      },
    }),
    process: (process) =>
      hearing(process, (from, message) => {
        const isRing = message.kind === 'ring.publish'
        process.received(from, isRing ? { ...message, ring: fromOne(message.ring) } : message)
      }),
  }),
}

/** The manager has every range copied from one old owner. */
export const plansOneSource: Plant = {
  manager: (ports) => remakingRings(ports, fromOne),
}

function fromOne(ring: RingDescription): RingDescription {
  if (ring.change === undefined) return ring
  const transfers = ring.change.transfers.map((transfer) => ({ ...transfer, needed: 1 }))
  return { ...ring, change: { ...ring.change, transfers } }
}

const reportMs = 500

/** The manager asks nobody: whom it does not reach itself, it takes out. */
export const evictsAlone: Plant = {
  manager: ({ ringFiles, runtime }) => ({
    process: (manager) => {
      const forge = () => {
        runtime.after(reportMs, 'forged reports', forge)
        const members = ringFiles.newest()?.members ?? []
        const suspects = members.map(({ id, incarnation }) => {
          return { node: id, incarnation, refutation: 0, health: 'dead' } as const
        })
        for (const { id, incarnation } of members) {
          const report = { kind: 'health.report', node: id, incarnation, suspects } as const
          manager.received(addressOf({ id, incarnation }), report)
        }
      }
      forge()
      return manager
    },
  }),
}

/** The manager takes the first gainer that has everything for all of them. */
export const settlesEarly: Plant = {
  manager: (ports) => {
    let change: Change | undefined
    const { ringFiles } = ports
    return {
      ringFiles: ringFilesLike(ringFiles, {
        publish: (ring) => {
          change = ring.change
          return ringFiles.publish(ring)
        },
      }),
      process: (manager) =>
        hearing(manager, (from, message) => {
          manager.received(from, message)
          if (message.kind !== 'handoff.complete' || message.plan !== change?.plan) return
          for (const { gainer } of change?.transfers ?? []) {
            manager.received(from, { ...message, node: gainer })
          }
        }),
    }
  },
}

/** A ring is announced when its entry was given to the journal, not when it is durable there. */
export const announcesBeforeJournal: Plant = {
  manager: ({ journal, runtime }) => ({
    journal: {
      append: (step, done) => {
        if (step.step !== 'ring.published') return journal.append(step, done)
        journal.append(step, () => {})
        return void runtime.after(0, 'forged sync', () => done(undefined))
      },
      compact: (step, done) => journal.compact(step, done),
      close: (done) => journal.close(done),
    },
  }),
}
