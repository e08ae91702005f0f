/** Planted bugs of those who keep siblings: merges, dots and contexts. */
import type { StoredRecord } from '../shared/data/record.js'
import {
  type Context,
  type Sibling,
  type Siblings,
  siblingsOf,
  written,
} from '../shared/data/siblings.js'
import { compareVersions } from '../shared/data/version.js'
import type { Engine } from '../shared/runtime/ports.js'
import { engineLike, type Plant } from './planting.js'

/** A replica keeps the newer of two records, as it would without siblings. */
export const dropsSiblings: Plant = {
  node: ({ engine }) => ({
    engine: engineLike(engine, {
      apply: ({ token, key, record }, done) => {
        const newer = (held: StoredRecord | undefined) =>
          held === undefined || compareVersions(record.version, held.version) > 0
            ? record
            : undefined
        engine.update(token, key, newer, (error) => done(error))
      },
    }),
  }),
}

/** A write supersedes all that its coordinator holds, whatever the writer has seen. */
export const supersedesUnseen: Plant = {
  node: ({ engine }) => ({
    engine: remaking(engine, (made, before) => ({ ...made, context: before.context })),
  }),
}

const coarseMicros = 20_000

/** Dots are drawn from a clock that stands still for a while. */
export const reusesDots: Plant = {
  node: ({ engine }) => ({
    engine: remaking(engine, (made) => {
      const { actor, micros } = made.sibling
      return {
        ...made,
        sibling: { ...made.sibling, actor, micros: micros - (micros % coarseMicros) },
      }
    }),
  }),
}

/** One put, as its coordinator makes it. */
interface Made {
  readonly sibling: Sibling
  /** Of the writer. */
  readonly context: Context
}

/** The same engine, but that puts are made otherwise. */
function remaking(engine: Engine, remake: (made: Made, before: Siblings) => Made): Engine {
  return engineLike(engine, {
    update: (token, key, change, done) => {
      const changed = (held: StoredRecord | undefined) => {
        const record = change(held)
        const before = siblingsOf(held)
        const made = record === undefined ? undefined : madeOf(before, siblingsOf(record))
        if (record === undefined || made === undefined) return record
        const { sibling, context } = remake(made, before)
        const { boot, micros } = record.version
        const { value, ...dot } = sibling
        return written(held, { value, context, draw: () => dot, boot, at: micros })
      }
      engine.update(token, key, changed, done)
    },
  })
}

/** undefined: nothing was put. */
function madeOf(before: Siblings, after: Siblings): Made | undefined {
  const isIn = ({ values }: Siblings, { actor, micros }: Sibling) =>
    values.some((it) => it.actor === actor && it.micros === micros)
  const sibling = after.values.find((it) => !isIn(before, it))
  if (sibling === undefined) return undefined
  const context = new Map<string, number>()
  for (const it of before.values) {
    if (!isIn(after, it)) context.set(it.actor, Math.max(it.micros, context.get(it.actor) ?? 0))
  }
  return { sibling, context }
}
