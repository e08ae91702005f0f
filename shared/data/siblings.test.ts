import test from 'ava'
import fc from 'fast-check'
import { Malformed } from './byte-stream.js'
import type { StoredRecord } from './record.js'
import {
  actorOf,
  type Context,
  contextActorsMax,
  contextRefusal,
  decodeSiblings,
  encodeContext,
  encodeSiblings,
  parseContext,
  siblingsMerge,
  siblingsOf,
  swarmTag,
  written,
} from './siblings.js'
import { compareVersions } from './version.js'

const owners = 3
const writers = 3
const noContext: Context = new Map()
const tag = swarmTag('test')

/** A copy of the key, and the writes that it has heard of, by their number. */
interface Copy {
  record: StoredRecord | undefined
  known: ReadonlySet<number>
}

/** What the model knows of a write: its dot, and the writes that its writer had seen. */
interface Write {
  readonly dot: string
  readonly isDelete: boolean
  readonly seen: ReadonlySet<number>
}

/** Owners of one key, and writers that each hold the context of their last get. */
class Story {
  readonly copies: Copy[] = Array.from({ length: owners }, () => ({
    record: undefined,
    known: new Set(),
  }))
  readonly gets = Array.from({ length: writers }, () => ({
    context: noContext,
    known: new Set<number>() as ReadonlySet<number>,
  }))
  readonly writes: Write[] = []
  readonly records: StoredRecord[] = []
  private clock = 100

  write(writer: number, owner: number, isDelete: boolean, isBlind: boolean): void {
    const copy = this.copies[owner] as Copy
    const get = isBlind ? { context: noContext, known: new Set<number>() } : this.gets[writer]
    if (get === undefined) throw new Error('no such writer')
    this.clock++
    const dot = { actor: actorOf(`n${owner + 1}.1`, 1, 0, tag), micros: this.clock }
    const number = this.writes.length
    const record = written(copy.record, {
      value: isDelete ? null : Buffer.from(`v${number}`),
      context: get.context,
      draw: () => dot,
      boot: 1,
      at: this.clock,
    })
    if (record === undefined) throw new Error('nothing limits it')
    this.writes.push({ dot: nameOf(dot), isDelete, seen: get.known })
    this.keep(owner, { record, known: new Set([...copy.known, ...get.known, number]) })
  }

  copy(from: number, to: number): void {
    this.keep(to, merged(this.copies[to], this.copies[from]))
  }

  /** Reads two owners, and leaves both with what it answers. */
  get(writer: number, first: number, second: number): void {
    const answer = merged(this.copies[first], this.copies[second])
    this.keep(first, answer)
    this.keep(second, answer)
    this.gets[writer] = { context: siblingsOf(answer.record).context, known: answer.known }
  }

  /** By the definition: what was written, is known, and that nobody who is known had seen. */
  expected({ known }: Copy): string[] {
    const superseded = new Set([...known].flatMap((each) => [...this.of(each).seen]))
    const left = [...known].filter((each) => !superseded.has(each) && !this.of(each).isDelete)
    return left.map((each) => this.of(each).dot).sort()
  }

  private of(write: number): Write {
    return this.writes[write] as Write
  }

  private keep(owner: number, copy: Copy): void {
    this.copies[owner] = copy
    if (copy.record !== undefined) this.records.push(copy.record)
  }
}

function merged(a: Copy | undefined, b: Copy | undefined): Copy {
  const record = b?.record === undefined ? a?.record : siblingsMerge(a?.record, b.record)
  return { record, known: new Set([...(a?.known ?? []), ...(b?.known ?? [])]) }
}

function nameOf({ actor, micros }: { actor: string; micros: number }): string {
  return `${actor} ${micros}`
}

function dotsIn(record: StoredRecord | undefined): string[] {
  return siblingsOf(record).values.map(nameOf).sort()
}

const owner = fc.nat(owners - 1)
const writer = fc.nat(writers - 1)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('put' as const), writer, owner, fc.boolean()) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('delete' as const), writer, owner) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('get' as const), writer, owner, owner) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('copy' as const), owner, owner) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never
const steps = fc.array(step, { minLength: 1, maxLength: 25 })

function told(all: readonly Step[]): Story {
  const story = new Story()
  for (const each of all) {
    if (each[0] === 'put') story.write(each[1], each[2], false, each[3])
    else if (each[0] === 'delete') story.write(each[1], each[2], true, false)
    else if (each[0] === 'get') story.get(each[1], each[2], each[3])
    else story.copy(each[1], each[2])
  }
  return story
}

test('a write supersedes exactly what its context covers, and nothing unseen is lost', (t) => {
  fc.assert(
    fc.property(steps, (all) => {
      const story = told(all)
      for (const copy of story.copies) t.deepEqual(dotsIn(copy.record), story.expected(copy))
      const everything = story.copies.reduce((a, b) => merged(a, b))
      t.deepEqual(dotsIn(everything.record), story.expected(everything))
    }),
    { numRuns: 500 },
  )
})

test('a merge is commutative, associative and idempotent', (t) => {
  const picks = fc.array(fc.nat(), { minLength: 3, maxLength: 3 })
  fc.assert(
    fc.property(steps, picks, (all, picked) => {
      const { records } = told(all)
      const [a, b, c] = picked.map((pick) => records[pick % records.length])
      if (a === undefined || b === undefined || c === undefined) return
      const ab = siblingsMerge(a, b)
      t.deepEqual(ab, siblingsMerge(b, a))
      t.deepEqual(siblingsMerge(ab, c), siblingsMerge(a, siblingsMerge(b, c)))
      t.is(siblingsMerge(a, a), a)
      t.is(siblingsMerge(ab, a), ab, 'what it has already adds nothing')
      t.is(siblingsMerge(undefined, a), a)
    }),
    { numRuns: 500 },
  )
})

test('copies that heard of the same writes have equal versions, others do not', (t) => {
  fc.assert(
    fc.property(steps, (all) => {
      const story = told(all)
      const known = ({ known }: Copy) => [...known].sort((a, b) => a - b).join()
      for (const a of story.copies) {
        for (const b of story.copies) {
          if (a.record === undefined || b.record === undefined) continue
          const areAlike = compareVersions(a.record.version, b.record.version) === 0
          if (known(a) === known(b)) t.true(areAlike)
          if (areAlike) t.deepEqual(a.record, b.record)
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('interleaved writers with contexts never hold more siblings than writers', (t) => {
  const turn = fc.tuple(writer, owner, owner, owner, fc.boolean())
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 40 }), (turns) => {
      const story = new Story()
      for (const [who, coordinator, second, read, isWriting] of turns) {
        if (!isWriting) {
          story.get(who, read, (read + 1) % owners)
          continue
        }
        story.write(who, coordinator, false, false)
        // It is acknowledged by two owners of three, so the next get of its writer meets it.
        story.copy(coordinator, second === coordinator ? (second + 1) % owners : second)
        story.get(who, read, (read + 1) % owners)
        for (const { record } of story.copies) {
          t.true(siblingsOf(record).values.length <= writers)
        }
      }
    }),
    { numRuns: 300 },
  )
})

const actor = actorOf('n1.1', 1, 0, tag)

function put(
  held: StoredRecord | undefined,
  micros: number,
  value: string | null,
  context = noContext,
  limits = { count: 9, bytes: 99, actors: 9 },
): StoredRecord | undefined {
  const draw = () => ({ actor, micros })
  const bytes = value === null ? null : Buffer.from(value)
  return written(held, { value: bytes, context, draw, boot: 1, at: micros }, limits)
}

test('a put that would leave too many siblings, or too many bytes, is refused; a delete never', (t) => {
  const limits = { count: 2, bytes: 8, actors: 9 }
  const two = put(put(undefined, 1, 'one'), 2, 'two')
  t.is(put(two, 3, '3', noContext, limits), undefined)
  t.is(put(two, 3, 'long', new Map([[actor, 1]]), limits)?.version.micros, 3)
  t.is(put(two, 3, 'longer', new Map([[actor, 1]]), limits), undefined)
  const one = put(two, 3, 'longer', new Map([[actor, 2]]), limits)
  t.is(siblingsOf(one).values.length, 1)
  const three = put(two, 3, 'three')
  t.is(siblingsOf(put(three, 4, null, noContext, limits)).values.length, 3)
})

test('a delete with the context leaves a tombstone that remembers', (t) => {
  const one = put(undefined, 1, 'one')
  const gone = put(one, 2, null, siblingsOf(one).context)
  t.is(gone?.value, null)
  t.is(gone, siblingsMerge(gone, one as StoredRecord))
  t.deepEqual([...siblingsOf(gone).context], [[actor, 2]])
})

test('the dot is drawn knowing what the key and the context have seen', (t) => {
  const held = put(undefined, 7, 'one')
  const other = actorOf('n2.1', 1, 0, tag)
  let seen: Context = noContext
  written(held, {
    value: null,
    context: new Map([[other, 9]]),
    draw: (given) => {
      seen = given
      return { actor, micros: 8 }
    },
    boot: 1,
    at: 8,
  })
  t.deepEqual([...seen].sort(), [
    [actor, 7],
    [other, 9],
  ])
})

test('siblings and contexts survive the wire', (t) => {
  fc.assert(
    fc.property(steps, (all) => {
      for (const record of told(all).records) {
        const siblings = siblingsOf(record)
        t.deepEqual(decodeSiblings(encodeSiblings(siblings)), siblings)
        t.deepEqual(parseContext(encodeContext(siblings.context)), siblings.context)
      }
    }),
    { numRuns: 50 },
  )
})

test('malformed contexts are refused as such', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      let context: Context
      try {
        context = parseContext(bytes)
      } catch (error) {
        t.true(error instanceof Malformed)
        return
      }
      // What parses at all is what we would write, but for the order and for lengths told at length.
      t.true(encodeContext(context).length <= bytes.length)
      t.deepEqual(parseContext(encodeContext(context)), context)
    }),
    { numRuns: 2_000, examples: [[Uint8Array.of(0x98, 0)]] },
  )
  const twice = Buffer.concat([Buffer.from([0x82]), ...[1, 2].map(() => dotBytes)])
  t.throws(() => parseContext(twice), { instanceOf: Malformed, message: /twice/ })
})

const dotBytes = encodeContext(new Map([[actor, 1]])).subarray(1)

test('a context is refused that names nobody, is of another swarm, or ahead of the clock', (t) => {
  const judge = { boot: 2, now: 10_000, tag }
  const of = (name: string, micros: number) => contextRefusal(new Map([[name, micros]]), judge)
  t.is(of(actorOf('n1.1', 2, 0, tag), 11_000), undefined, 'a burst may be ahead for a moment')
  t.is(of(actorOf('n12.34', 1, 56, tag), 99_999), undefined, 'of an earlier life of the host')
  t.regex(of(actorOf('n1.1', 2, 0, tag), 11_001) ?? '', /ahead/)
  t.regex(of(actorOf('n99.9', 2, 7, tag), 11_001) ?? '', /ahead/)
  t.regex(of(actorOf('n1.1', 3, 0, tag), 5) ?? '', /ahead/)
  t.regex(of(actorOf('n1.1', 1, 0, swarmTag('another swarm')), 5) ?? '', /of another swarm/)
  for (const form of ['', 'n1.1', 'n0.1@1.0', 'x1.1@1.0', 'n1.1@1.0 ', 'n1.1@1', 'n1.1@01.0']) {
    t.regex(of(`${form}+${tag}`, 1) ?? '', /a writer that is none/, form)
  }
  for (const name of ['', 'n1.1@1.0', 'n1.1@1.0+', `n1.1@1.0+${tag}0`, 'n1.1@1.0+ABCDEF00']) {
    t.regex(of(name, 1) ?? '', /a writer that is none/, name)
  }
})

test('a context from outside lengthens none beyond its limit; one that grew over the years is taken', (t) => {
  const limits = { count: 64, bytes: 1_000, actors: contextActorsMax }
  const life = (number: number) => actorOf(`n1.${number}`, 1, 0, tag)
  const lives = (count: number): Context =>
    new Map(Array.from({ length: count }, (_, index) => [life(index + 1), 1]))
  const years = contextActorsMax + 9
  const value = Buffer.from('v')
  let held: StoredRecord | undefined
  for (let number = 1; number <= years; number++) {
    const { context } = siblingsOf(held)
    const draw = () => ({ actor: life(number), micros: 1 })
    held = written(held, { value, context, draw, boot: 1, at: number }, limits)
    if (held === undefined) return t.fail(`life ${number} could not write`)
  }
  t.is(siblingsOf(held).context.size, years)
  const draw = () => ({ actor: life(1), micros: 2 })
  const write = { context: siblingsOf(held).context, draw, boot: 1, at: 9_999 }
  t.is(siblingsOf(written(held, { ...write, value }, limits)).values.length, 1)
  t.is(written(held, { ...write, value: null }, limits)?.value, null, 'it can be deleted')
  const invented = { ...write, context: lives(contextActorsMax + 1) }
  for (const put of [value, null]) {
    t.is(written(undefined, { ...invented, value: put }, limits), undefined)
    t.is(written(held, { ...write, context: lives(years + 2), value: put }, limits), undefined)
  }
})
