/** What every journal must do: all adapters of the port run this suite. */
import type { TestFn } from 'ava'
import type { Journal } from './ports.js'

export interface JournalUnderTest {
  readonly journal: Journal<unknown>
  /** Closes and opens the same journal again, and returns what it holds. */
  reopen(): Promise<{ journal: Journal<unknown>; steps: unknown[] }>
  /** Lets time pass until nothing is pending, where the journal's world does not do so by itself. */
  readonly pump?: () => void
}

export function journalConformance(
  test: TestFn,
  name: string,
  open: () => Promise<JournalUnderTest>,
): void {
  test(`${name}: appended steps come back in order`, async (t) => {
    t.timeout(60_000)
    const under = await open()
    const steps = [{ step: 1 }, { step: 2, nested: { list: [1, 'ö', null] } }, 'three']
    for (const step of steps) await append(under, under.journal, step)
    const again = await under.reopen()
    t.deepEqual(again.steps, steps)
    await append(under, again.journal, 4)
    t.deepEqual((await under.reopen()).steps, [...steps, 4])
  })

  test(`${name}: steps appended at once are answered in order, each once`, async (t) => {
    t.timeout(60_000)
    const under = await open()
    const answered: number[] = []
    const numbers = Array.from({ length: 50 }, (_, i) => i)
    await Promise.all(
      numbers.map((i) => append(under, under.journal, i).then(() => answered.push(i))),
    )
    t.deepEqual(answered, numbers)
    t.deepEqual((await under.reopen()).steps, numbers)
  })

  test(`${name}: a step that stands for all before it is what remains of them`, async (t) => {
    t.timeout(60_000)
    const under = await open()
    for (const step of [1, 2, 3]) await append(under, under.journal, step)
    await compact(under, under.journal, 'all three')
    await append(under, under.journal, 5)
    const again = await under.reopen()
    t.deepEqual(again.steps, ['all three', 5])
    const answered: unknown[] = []
    await Promise.all([
      append(under, again.journal, 6).then(() => answered.push(6)),
      compact(under, again.journal, 'all six').then(() => answered.push('all six')),
      append(under, again.journal, 8).then(() => answered.push(8)),
    ])
    t.deepEqual(answered, [6, 'all six', 8])
    t.deepEqual((await under.reopen()).steps, ['all six', 8])
  })

  test(`${name}: closing writes what was appended, and refuses more`, async (t) => {
    t.timeout(60_000)
    const under = await open()
    const appended = append(under, under.journal, 'last')
    await call(under, (done) => under.journal.close(done))
    await appended
    await t.throwsAsync(append(under, under.journal, 'too late'))
    await t.throwsAsync(compact(under, under.journal, 'too late'))
  })
}

function append(under: JournalUnderTest, journal: Journal<unknown>, step: unknown): Promise<void> {
  return call(under, (done) => journal.append(step, done))
}

function compact(under: JournalUnderTest, journal: Journal<unknown>, step: unknown): Promise<void> {
  return call(under, (done) => journal.compact(step, done))
}

function call(
  under: JournalUnderTest,
  ask: (done: (error: Error | undefined) => void) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    ask((error) => (error === undefined ? resolve() : reject(error)))
    under.pump?.()
  })
}
