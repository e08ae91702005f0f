/** Planted bugs of stores: what they acknowledge, merge, hand over, wipe and forget. */
import { compareVersions } from '../shared/data/version.js'
import type { Engine, Entry, Mark } from '../shared/runtime/ports.js'
import { entryName } from './disk.js'
import { engineLike, type Plant } from './planting.js'

/** A write is acknowledged when the store was given it, not when it is on the disk. */
export const acknowledgesUnsynced: Plant = {
  node: ({ engine }) => ({
    engine: engineLike(engine, {
      apply: (entry, done) => {
        engine.apply(entry, () => {})
        done(undefined)
      },
    }),
  }),
}

/** A gainer says that it has everything before the last batch is on the disk. */
export const saysCompleteUnsynced: Plant = {
  node: ({ engine, runtime }) => ({
    engine: engineLike(engine, {
      applyBatch: (entries, meta, done) => {
        const isHandoff = Object.keys(meta).some((name) => name.startsWith('handoff/'))
        if (!isHandoff) return engine.applyBatch(entries, meta, done)
        engine.applyBatch(entries, meta, () => {})
        return void runtime.after(0, 'forged sync', () => done(undefined))
      },
    }),
  }),
}

/** A merge compares with what is on the disk alone: of two writes in one sync the later wins. */
export const forgetsUnsyncedMerges: Plant = {
  node: ({ engine }) => {
    const unsynced = new Map<string, Entry>()
    return {
      engine: engineLike(engine, {
        apply: (entry, done) => {
          const name = entryName(entry.token, entry.key)
          const pending = unsynced.get(name)
          // A tombstone that is discarded would be taken for a collected one.
          if (pending?.record.value && isOlder(entry, pending)) {
            const { token, key, record } = pending
            engine.discard([{ token, key, version: record.version }], () => {})
          }
          unsynced.set(name, entry)
          engine.apply(entry, (error) => {
            if (unsynced.get(name) === entry) unsynced.delete(name)
            done(error)
          })
        },
      }),
    }
  },
}

function isOlder(a: Entry, b: Entry): boolean {
  return compareVersions(a.record.version, b.record.version) < 0
}

/** A gainer takes what it still holds of its new ranges for as good as what it will get. */
export const gainerDoesNotWipe: Plant = {
  node: ({ engine }) => ({
    engine: engineLike(engine, {
      erase: (ranges, meta, done) => {
        if (Object.keys(meta).length > 0) engine.applyBatch([], meta, done)
        else engine.erase(ranges, meta, done)
      },
    }),
  }),
}

const graveMs = 1_000
const wholeRing = { from: 0, to: 0 }

/** Tombstones go when they are a second old, whoever may not have heard of them. */
export const discardsOldTombstones: Plant = {
  node: ({ engine, runtime }) => {
    const sweep = () => {
      runtime.after(graveMs, 'old tombstones', () => {
        discardOld(engine, runtime.hostMicros() - graveMs * 1_000)
        sweep()
      })
    }
    sweep()
    return {}
  },
}

function discardOld(engine: Engine, before: number): void {
  engine.scan(wholeRing, undefined, Number.MAX_SAFE_INTEGER, (error, page) => {
    if (error !== undefined) return
    const marks = (page?.entries ?? [])
      .filter(({ record }) => record.value === null && record.version.micros < before)
      .map(({ token, key, record }): Mark => ({ token, key, version: record.version }))
    if (marks.length > 0) engine.discard(marks, () => {})
  })
}

/** A handoff carries values alone. */
export const skipsTombstones: Plant = {
  node: ({ engine }) => ({
    engine: engineLike(engine, {
      scan: (range, after, limitBytes, done) =>
        engine.scan(range, after, limitBytes, (error, page) => {
          const entries = page?.entries.filter(({ record }) => record.value !== null) ?? []
          done(error, page && { entries, next: page.next })
        }),
    }),
  }),
}
