/**
 * What every engine must do, whatever it is made of: all adapters of the port run this suite, the
 * simulator's own among them.
 */
import type { TestFn } from 'ava'
import fc from 'fast-check'
import { supersedes } from '../data/record.js'
import type { Token } from '../ring/description.js'
import { inRange } from '../ring/token.js'
import {
  type EngineUnderTest,
  entry,
  large,
  line,
  mark,
  markOf,
  show,
  Tools,
  text,
  whole,
} from './engine.fixture.js'
import type { EngineStats, Entry, Mark, Range } from './ports.js'

export function engineConformance(
  test: TestFn,
  name: string,
  open: () => Promise<EngineUnderTest>,
): void {
  const engineTest = (title: string, run: (t: Assertions, tools: Tools) => Promise<void>) => {
    test(`${name}: ${title}`, async (t) => {
      t.timeout(60_000)
      const tools = new Tools(await open())
      await run(t, tools)
      await tools.close()
    })
  }

  engineTest('an empty store has nothing', async (t, tools) => {
    t.is(await tools.read(1, 'a'), undefined)
    t.deepEqual(await tools.scanAll(whole), [])
    t.deepEqual(await tools.stats(), { keys: 0, bytes: 0 })
    t.is(tools.engine.meta('plan'), undefined)
  })

  engineTest('the newer version wins, in whatever order they come', async (t, tools) => {
    await tools.apply(entry(1, 'a', 5, 'five'))
    await tools.apply(entry(1, 'a', 4, 'four'))
    t.is(await tools.read(1, 'a'), '5:five')
    await tools.apply(entry(1, 'a', 6, 'six'))
    await tools.apply(entry(1, 'a', 6, 'six'))
    t.is(await tools.read(1, 'a'), '6:six')
  })

  engineTest('versions of one key in one turn merge, none is lost', async (t, tools) => {
    const versions = [3, 1, 7, 2, 7, 6, 5]
    const all = versions.map((version) => tools.apply(entry(9, 'k', version, `v${version}`)))
    t.is(await tools.read(9, 'k'), '7:v7')
    await Promise.all(all)
    t.is(await tools.read(9, 'k'), '7:v7')
  })

  engineTest('many keys written in one turn are all there', async (t, tools) => {
    const entries = Array.from({ length: 500 }, (_, i) => entry(i * 7919, `k${i % 50}`, i + 1, 'x'))
    await Promise.all(entries.map((each) => tools.apply(each)))
    for (const [i, each] of entries.entries()) {
      t.is(await tools.read(each.token, `k${i % 50}`), `${i + 1}:x`)
    }
  })

  engineTest('keys that share a token are kept apart', async (t, tools) => {
    await Promise.all([
      tools.apply(entry(5, 'a', 1, 'A')),
      tools.apply(entry(5, 'b', 1, 'B')),
      tools.apply(entry(5, '', 1, 'empty')),
    ])
    t.is(await tools.read(5, 'a'), '1:A')
    t.is(await tools.read(5, 'b'), '1:B')
    t.is(await tools.read(5, ''), '1:empty')
    t.is(await tools.read(5, 'c'), undefined)
  })

  engineTest('the input may be overwritten after the call', async (t, tools) => {
    const key = Buffer.from('kept')
    const value = Buffer.from('kept')
    const applied = tools.apply({
      token: 1,
      key,
      record: { version: { boot: 1, micros: 1, writer: 'w' }, value },
    })
    key.fill('x')
    value.fill('x')
    await applied
    t.is(await tools.read(1, 'kept'), '1:kept')
  })

  engineTest('tombstones are records, but not counted', async (t, tools) => {
    await tools.apply(entry(1, 'a', 1, 'abc'))
    await tools.apply(entry(2, 'bb', 1, 'x'))
    t.deepEqual(await tools.stats(), { keys: 2, bytes: 7 })
    await tools.apply(entry(1, 'a', 2, null))
    t.is(await tools.read(1, 'a'), '2:-')
    t.deepEqual(await tools.scanAll(whole), ['1 a 2:-', '2 bb 1:x'])
    t.deepEqual(await tools.stats(), { keys: 1, bytes: 3 })
    await tools.apply(entry(1, 'a', 3, ''))
    t.is(await tools.read(1, 'a'), '3:')
    t.deepEqual(await tools.stats(), { keys: 2, bytes: 4 })
  })

  engineTest('a scan is ordered, wraps and leaves out other ranges', async (t, tools) => {
    const last = 2 ** 32 - 1
    for (const token of [0, 1, 10, 20, 2 ** 31, last]) await tools.apply(entry(token, 'k', 1, 'v'))
    const tokens = async (from: Token, to: Token) =>
      (await tools.scanAll({ from, to })).map((line) => Number(line.split(' ')[0]))
    t.deepEqual(await tokens(0, 10), [1, 10])
    t.deepEqual(await tokens(10, 19), [])
    t.deepEqual(await tokens(20, 1), [2 ** 31, last, 0, 1])
    t.deepEqual(await tokens(last, 1), [0, 1])
    t.deepEqual(await tokens(10, 10), [20, 2 ** 31, last, 0, 1, 10])
    t.deepEqual(await tokens(last, last), [0, 1, 10, 20, 2 ** 31, last])
  })

  engineTest('pages hold at least one entry and miss none', async (t, tools) => {
    for (let i = 0; i < 40; i++)
      await tools.apply(entry((i % 8) * 2 ** 29, `k${i}`, 1, 'v'.repeat(i)))
    const once = await tools.scanAll({ from: 2 ** 31, to: 2 ** 31 })
    t.is(once.length, 40)
    for (const limit of [1, 100, 300, 1000]) {
      t.deepEqual(await tools.scanAll({ from: 2 ** 31, to: 2 ** 31 }, limit), once)
    }
  })

  engineTest('a scan holds all that was applied before it was asked for', async (t, tools) => {
    void tools.apply(entry(1, 'a', 1, 'first'))
    void tools.apply(entry(1, 'a', 2, 'second'))
    void tools.apply(entry(3, 'b', 1, 'third'))
    t.deepEqual(await tools.scanAll(whole), ['1 a 2:second', '3 b 1:third'])
  })

  engineTest('a batch merges, with its meta values', async (t, tools) => {
    await tools.apply(entry(1, 'a', 5, 'newer'))
    await tools.applyBatch([entry(1, 'a', 4, 'older'), entry(2, 'b', 1, 'x')], { 'plan.7': '12' })
    t.is(await tools.read(1, 'a'), '5:newer')
    t.is(await tools.read(2, 'b'), '1:x')
    t.is(tools.engine.meta('plan.7'), '12')
    await tools.applyBatch([], { 'plan.7': '13', other: 'ö' })
    t.is(tools.engine.meta('plan.7'), '13')
    t.is(tools.engine.meta('other'), 'ö')
  })

  engineTest('an erase takes its ranges and nothing else', async (t, tools) => {
    for (const token of [1, 10, 20, 30, 40]) await tools.apply(entry(token, 'k', 9, 'value'))
    await tools.erase(
      [
        { from: 5, to: 20 },
        { from: 35, to: 1 },
      ],
      { wiped: 'yes' },
    )
    t.deepEqual(await tools.scanAll(whole), ['30 k 9:value'])
    t.is(await tools.read(10, 'k'), undefined)
    t.is(tools.engine.meta('wiped'), 'yes')
    t.deepEqual(await tools.stats(), { keys: 1, bytes: 6 })
  })

  engineTest('what is written after an erase was asked for survives it', async (t, tools) => {
    for (let i = 0; i < 50; i++) await tools.apply(entry(i, 'k', 9, 'old'))
    void tools.apply(entry(50, 'k', 9, 'old'))
    const erased = tools.erase([{ from: 2 ** 31, to: 100 }], {})
    // Older than what is being erased, and nevertheless newer than nothing.
    const written = [7, 50].map((token) => tools.apply(entry(token, 'k', 3, 'new')))
    t.is(await tools.read(8, 'k'), undefined)
    await Promise.all([erased, ...written])
    t.deepEqual(await tools.scanAll(whole), ['7 k 3:new', '50 k 3:new'])
    t.is(await tools.read(7, 'k'), '3:new')
    t.deepEqual(await tools.stats(), { keys: 2, bytes: 8 })
  })

  engineTest('erases that overlap count each key once', async (t, tools) => {
    for (let i = 0; i < 20; i++) await tools.apply(entry(i, 'k', 1, 'v'))
    const first = tools.erase([{ from: 4, to: 15 }], { e: '1' })
    const second = tools.erase([whole], { e: '2' })
    void tools.apply(entry(3, 'k', 1, 'again'))
    await Promise.all([first, second])
    t.deepEqual(await tools.stats(), { keys: 1, bytes: 6 })
    t.is(tools.engine.meta('e'), '2')
  })

  engineTest('a discard takes exactly the versions named', async (t, tools) => {
    await tools.apply(entry(1, 'a', 5, 'five'))
    await tools.apply(entry(2, 'b', 5, null))
    await tools.apply(entry(3, 'c', 5, 'newer'))
    await tools.apply(entry(4, 'd', 5, 'kept'))
    const marks = [mark(1, 'a', 5), mark(2, 'b', 5), mark(3, 'c', 4), mark(4, 'e', 5)]
    await tools.discard([...marks, mark(4, 'd', 6), mark(1, 'a', 5)])
    t.deepEqual(await tools.scanAll(whole), ['3 c 5:newer', '4 d 5:kept'])
    t.is(await tools.read(1, 'a'), undefined)
    t.deepEqual(await tools.stats(), { keys: 2, bytes: 11 })
    await tools.discard([])
    t.deepEqual(await tools.stats(), { keys: 2, bytes: 11 })
  })

  engineTest('a discard meets what is not durable yet', async (t, tools) => {
    const applied = [
      tools.apply(entry(1, 'a', 5, 'old')),
      tools.apply(entry(2, 'b', 5, 'old')),
      tools.apply(entry(2, 'b', 6, 'new')),
    ]
    const discarded = tools.discard([mark(1, 'a', 5), mark(2, 'b', 5)])
    t.is(await tools.read(1, 'a'), undefined)
    await Promise.all([...applied, discarded])
    t.deepEqual(await tools.scanAll(whole), ['2 b 6:new'])
    t.deepEqual(await tools.stats(), { keys: 1, bytes: 4 })
  })

  engineTest('what comes after a discard wins, also an older version', async (t, tools) => {
    await tools.apply(entry(1, 'a', 5, 'five'))
    const discarded = tools.discard([mark(1, 'a', 5)])
    const applied = tools.apply(entry(1, 'a', 3, 'three'))
    t.is(await tools.read(1, 'a'), '3:three')
    await Promise.all([discarded, applied])
    t.deepEqual(await tools.scanAll(whole), ['1 a 3:three'])
    t.deepEqual(await tools.stats(), { keys: 1, bytes: 6 })
  })

  engineTest('a discard beside an erase counts each key once', async (t, tools) => {
    for (let i = 0; i < 20; i++) await tools.apply(entry(i, 'k', 5, 'old'))
    const erased = tools.erase([{ from: 2 ** 31, to: 9 }], { erased: '1' })
    const again = tools.apply(entry(3, 'k', 2, 'again'))
    // Erased, erased and written again (twice: one version of it is gone), and not erased.
    const marks = [mark(2, 'k', 5), mark(3, 'k', 5), mark(4, 'k', 2), mark(15, 'k', 5)]
    const also = tools.apply(entry(4, 'k', 2, 'also'))
    await Promise.all([erased, again, also, tools.discard(marks)])
    const left = ['3 k 2:again', ...Array.from({ length: 10 }, (_, i) => `${i + 10} k 5:old`)]
    t.deepEqual(
      await tools.scanAll(whole),
      left.filter((line) => !line.startsWith('15 ')),
    )
    t.deepEqual(await tools.stats(), { keys: 10, bytes: 9 * 4 + 6 })
  })

  engineTest('what was discarded stays gone', async (t, tools) => {
    await tools.applyBatch([entry(1, 'a', 1, 'x'), entry(2, 'b', 2, null)], {})
    await tools.apply(entry(3, 'c', 3, 'y'))
    await tools.discard([mark(1, 'a', 1), mark(2, 'b', 2)])
    if (!(await tools.reopen())) return t.pass()
    t.deepEqual(await tools.scanAll(whole), ['3 c 3:y'])
    t.deepEqual(await tools.stats(), { keys: 1, bytes: 2 })
  })

  engineTest('closing writes out what is pending', async (t, tools) => {
    const applied = tools.apply(entry(1, 'a', 1, 'x'))
    await tools.close()
    await applied
    await t.throwsAsync(tools.apply(entry(1, 'a', 2, 'y')))
    await t.throwsAsync(tools.read(1, 'a'))
  })

  engineTest('a store that outlives its engine comes back whole', async (t, tools) => {
    await tools.applyBatch([entry(1, 'a', 1, 'x'), entry(2, 'b', 2, null)], { plan: '3' })
    await tools.erase([{ from: 5, to: 6 }], { erased: '1' })
    if (!(await tools.reopen())) return t.pass()
    t.deepEqual(await tools.scanAll(whole), ['1 a 1:x', '2 b 2:-'])
    t.is(tools.engine.meta('plan'), '3')
    t.is(tools.engine.meta('erased'), '1')
    t.deepEqual(await tools.stats(), { keys: 1, bytes: 2 })
  })

  engineTest('an update meets what is not durable yet, and is met in turn', async (t, tools) => {
    const before = tools.apply(entry(1, 'a', 5, 'five'))
    const first = tools.update(1, 'a', (held) => entry(1, 'a', 6, `${show(held)}+`).record)
    const second = tools.update(1, 'a', (held) => entry(1, 'a', 7, `${show(held)}+`).record)
    const after = tools.apply(entry(1, 'a', 6, 'older'))
    t.is(await tools.read(1, 'a'), '7:6:5:five++')
    t.deepEqual(await Promise.all([first, second]), ['6:5:five+', '7:6:5:five++'])
    await Promise.all([before, after])
    t.deepEqual(await tools.scanAll(whole), ['1 a 7:6:5:five++'])
    t.deepEqual(await tools.stats(), { keys: 1, bytes: 11 })
  })

  engineTest('an update may make anything of the record, or leave it', async (t, tools) => {
    t.is(await tools.update(1, 'a', () => undefined), undefined)
    t.deepEqual(await tools.scanAll(whole), [])
    t.is(await tools.update(1, 'a', () => entry(1, 'a', 5, 'five').record), '5:five')
    t.is(await tools.update(1, 'a', () => undefined), '5:five')
    t.is(await tools.update(1, 'a', () => entry(1, 'a', 4, 'four').record), '4:four')
    t.is(await tools.update(1, 'a', () => entry(1, 'a', 6, null).record), '6:-')
    t.deepEqual(await tools.scanAll(whole), ['1 a 6:-'])
    t.deepEqual(await tools.stats(), { keys: 0, bytes: 0 })
  })

  engineTest('an update beside an erase meets nothing, and survives it', async (t, tools) => {
    for (let i = 0; i < 20; i++) await tools.apply(entry(i, 'k', 9, 'old'))
    const erased = tools.erase([{ from: 2 ** 31, to: 9 }], {})
    const updated = tools.update(3, 'k', (held) => entry(3, 'k', 2, `${show(held)}`).record)
    t.is(await tools.update(12, 'k', () => undefined), '9:old')
    t.is(await tools.update(4, 'k', () => undefined), undefined)
    t.is(await updated, '2:undefined')
    await erased
    t.is(await tools.read(3, 'k'), '2:undefined')
    t.deepEqual(await tools.stats(), { keys: 11, bytes: 10 * 4 + 10 })
  })

  engineTest('what is attached to a record is kept with it', async (t, tools) => {
    const attached = (text: string) => ({ attached: Buffer.from(text) })
    const tombstone = entry(2, 'b', 2, null)
    await tools.apply({ ...tombstone, record: { ...tombstone.record, ...attached('of b') } })
    await tools.update(1, 'a', () => ({ ...entry(1, 'a', 1, 'x').record, ...attached('of a') }))
    await tools.apply(entry(3, 'c', 1, 'x'))
    const all = async () => [
      await tools.attached(1, 'a'),
      await tools.attached(2, 'b'),
      await tools.attached(3, 'c'),
    ]
    t.deepEqual(await all(), ['of a', 'of b', undefined])
    if (!(await tools.reopen())) return
    t.deepEqual(await all(), ['of a', 'of b', undefined])
    t.deepEqual(await tools.scanAll(whole), ['1 a 1:x', '2 b 2:-', '3 c 1:x'])
  })

  test(`${name}: random calls agree with a plain map`, async (t) => {
    t.timeout(120_000)
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const tools = new Tools(await open())
        await runSteps(t, tools, steps)
        await tools.close()
      }),
      { numRuns: 60 },
    )
  })
}

interface Assertions {
  is(actual: unknown, expected: unknown): void
  deepEqual(actual: unknown, expected: unknown): void
  pass(): void
  throwsAsync(promise: Promise<unknown>): Promise<unknown>
}

// --- Random calls -----------------------------------------------------------------------------

const tokenArbitrary = fc.constantFrom(0, 1, 2, 3, 2 ** 31, 2 ** 32 - 1)
const entryArbitrary = fc.record({
  token: tokenArbitrary,
  key: fc.constantFrom('a', 'b'),
  version: fc.integer({ min: 1, max: 9 }),
  isTombstone: fc.boolean(),
})
const rangeArbitrary = fc.record({ from: tokenArbitrary, to: tokenArbitrary })

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ call: fc.constant('apply' as const), entry: entryArbitrary }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      call: fc.constant('batch' as const),
      entries: fc.array(entryArbitrary, { maxLength: 5 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      call: fc.constant('erase' as const),
      ranges: fc.array(rangeArbitrary, { minLength: 1, maxLength: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constant('discard' as const),
      entries: fc.array(entryArbitrary, { maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constant('read' as const),
      token: tokenArbitrary,
      key: fc.constantFrom('a', 'b'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constant('scan' as const),
      range: rangeArbitrary,
      limit: fc.constantFrom(1, 150, large),
    }),
  },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('wait' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

function entryOf(drawn: typeof entryArbitrary extends fc.Arbitrary<infer E> ? E : never): Entry {
  // The same version must mean the same record, as in the product.
  const isTombstone = drawn.isTombstone && drawn.version % 2 === 0
  return entry(
    drawn.token,
    drawn.key,
    drawn.version * 2 + (isTombstone ? 1 : 0),
    isTombstone ? null : `v${drawn.version}`,
  )
}

/** Calls are not awaited, except for scans and `wait`: they meet each other's pending writes. */
async function runSteps(t: Assertions, tools: Tools, steps: readonly Step[]): Promise<void> {
  const model = new Model()
  let pending: Promise<unknown>[] = []
  for (const each of steps) {
    if (each.call === 'apply') {
      model.apply(entryOf(each.entry))
      pending.push(tools.apply(entryOf(each.entry)))
    } else if (each.call === 'batch') {
      for (const drawn of each.entries) model.apply(entryOf(drawn))
      pending.push(tools.applyBatch(each.entries.map(entryOf), { last: String(pending.length) }))
    } else if (each.call === 'erase') {
      model.erase(each.ranges)
      pending.push(tools.erase(each.ranges, {}))
    } else if (each.call === 'discard') {
      const marks = each.entries.map(entryOf).map(markOf)
      model.discard(marks)
      pending.push(tools.discard(marks))
    } else if (each.call === 'read') {
      t.is(await tools.read(each.token, each.key), model.read(each.token, each.key))
    } else if (each.call === 'scan') {
      t.deepEqual(await tools.scanAll(each.range, each.limit), model.scan(each.range))
    } else {
      await Promise.all(pending)
      pending = []
    }
  }
  await Promise.all(pending)
  t.deepEqual(await tools.scanAll(whole), model.scan(whole))
  t.deepEqual(await tools.stats(), model.stats())
}

class Model {
  #entries: Entry[] = []

  apply(incoming: Entry): void {
    const held = this.#find(incoming.token, text(incoming.key))
    if (!supersedes(incoming.record, held?.record)) return
    this.#entries = [...this.#entries.filter((each) => each !== held), incoming]
  }

  erase(ranges: readonly Range[]): void {
    this.#entries = this.#entries.filter(
      (each) => !ranges.some((range) => inRange(each.token, range)),
    )
  }

  discard(marks: readonly Mark[]): void {
    this.#entries = this.#entries.filter(
      ({ token, key, record }) =>
        !marks.some(
          (mark) =>
            mark.token === token &&
            text(mark.key) === text(key) &&
            mark.version.micros === record.version.micros,
        ),
    )
  }

  read(token: Token, key: string): string | undefined {
    return show(this.#find(token, key)?.record)
  }

  scan(range: Range): string[] {
    const distance = (token: Token) => (token - range.from - 1 + 2 ** 33) % 2 ** 32
    return this.#entries
      .filter((each) => inRange(each.token, range))
      .sort((a, b) => distance(a.token) - distance(b.token) || Buffer.compare(a.key, b.key))
      .map(line)
  }

  stats(): EngineStats {
    const live = this.#entries.filter((each) => each.record.value !== null)
    const bytes = live.map((each) => each.key.length + (each.record.value?.length ?? 0))
    return { keys: live.length, bytes: bytes.reduce((sum, one) => sum + one, 0) }
  }

  #find(token: Token, key: string): Entry | undefined {
    return this.#entries.find((each) => each.token === token && text(each.key) === key)
  }
}
