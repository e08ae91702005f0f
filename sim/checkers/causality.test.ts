import test from 'ava'
import type { StoredRecord } from '../../shared/data/record.js'
import { type Context, siblingsMerge, siblingsOf, written } from '../../shared/data/siblings.js'
import { Random } from '../random.js'
import { findCausalViolation } from './causality.js'
import type { Operation } from './operation.js'

const never = Number.POSITIVE_INFINITY

/**
 * `c1 put a 1 2 x,y`: client, kind, value, called, returned (`?` for no answer), what it had seen; of a
 * get the value is all that it read (`-` for nothing).
 */
function history(...lines: string[]): Operation[] {
  return lines.map((line) => {
    const [client = '', kind, value = '-', called, returned, seen] = line.split(' ')
    if (kind !== 'put' && kind !== 'get' && kind !== 'delete') throw new Error(line)
    return {
      client,
      kind,
      key: 'k',
      value: kind === 'put' ? value : undefined,
      ...(kind === 'get' && { values: listed(value) }),
      ...(seen !== undefined && { seen: listed(seen) }),
      called: Number(called),
      returned: returned === '?' ? never : Number(returned),
    }
  })
}

function listed(text: string): string[] {
  return text === '-' ? [] : text.split(',')
}

const causal: Record<string, Operation[]> = {
  'nothing happened': [],
  'two writes that had seen nothing are both kept': history(
    'c1 put a 1 2',
    'c2 put b 3 4',
    'c1 get a,b 5 6',
  ),
  'a write supersedes what it had seen': history(
    'c1 put a 1 2',
    'c2 put b 3 4',
    'c1 get a,b 5 6',
    'c1 put c 7 8 a,b',
    'c2 get c 9 10',
  ),
  'a write that was called during the get may have happened': history(
    'c1 put a 1 2',
    'c1 get a 3 4',
    'c1 put b 5 10 a',
    'c2 get a 6 7',
    'c3 get b 8 9',
  ),
  'an unanswered write happens late': history(
    'c1 put a 1 2',
    'c1 get a 3 4',
    'c1 put b 5 ? a',
    'c2 get a 6 7',
    'c2 get b 8 9',
  ),
  'an unanswered delete, and something newer beside it': history(
    'c1 put a 1 2',
    'c1 get a 3 4',
    'c1 delete - 5 ? a',
    'c2 put b 6 7',
    'c2 get b 8 9',
  ),
  'superseded by something that was superseded': history(
    'c1 put a 1 2',
    'c1 get a 3 4',
    'c1 put b 5 6 a',
    'c1 get b 7 8',
    'c1 put c 9 10 b',
    'c2 get c 11 12',
  ),
  'a value that only an unanswered put wrote may be missing': history(
    'c1 put a 1 ?',
    'c2 get - 2 3',
    'c2 get a 4 5',
  ),
}

const broken: Record<string, Operation[]> = {
  'a value from nowhere': history('c1 get a 1 2'),
  'a value from the future': history('c1 get a 1 2', 'c1 put a 3 4'),
  'a lost put': history('c1 put a 1 2', 'c2 get - 3 4'),
  'a sibling dropped by a write that had not seen it': history(
    'c1 put a 1 2',
    'c2 put b 3 4',
    'c1 get b 5 6',
  ),
  'a sibling dropped by a write that had seen another': history(
    'c1 put a 1 2',
    'c1 get a 3 4',
    'c2 put b 5 6',
    'c1 put c 7 8 a',
    'c1 get c 9 10',
  ),
  'a sibling that a get lacks though one before had it': history(
    'c1 put a 1 ?',
    'c2 get a 2 3',
    'c2 get - 4 5',
  ),
  'a superseded value beside what superseded it': history(
    'c1 put a 1 2',
    'c1 get a 3 4',
    'c1 put b 5 ? a',
    'c2 get a,b 6 7',
  ),
  'a superseded value after the acknowledgement': history(
    'c1 put a 1 2',
    'c1 get a 3 4',
    'c1 put b 5 6 a',
    'c2 get a,b 7 8',
  ),
  'a deleted value that comes back': history(
    'c1 put a 1 2',
    'c1 get a 3 4',
    'c1 delete - 5 6 a',
    'c2 get a 7 8',
  ),
  'a value that comes back after a get without it': history(
    'c1 put a 1 2',
    'c1 get a 3 4',
    'c1 put b 5 ? a',
    'c2 get b 6 7',
    'c2 get a 8 9',
  ),
  'a superseded value whose superseder is lost': history(
    'c1 put a 1 2',
    'c1 get a 3 4',
    'c1 put b 5 6 a',
    'c2 get - 7 8',
  ),
  'an old value that comes back from far': history(
    'c1 put a 1 2',
    'c1 get a 3 4',
    'c1 put b 5 6 a',
    'c1 get b 7 8',
    'c1 put c 9 ? b',
    'c2 get a,c 10 11',
  ),
  'a put with two effects': history('c1 put a 1 2', 'c1 get a,a 3 4'),
}

for (const [name, operations] of Object.entries(causal)) {
  test(`causal: ${name}`, (t) => {
    t.is(findCausalViolation(operations)?.explanation, undefined)
  })
}

for (const [name, operations] of Object.entries(broken)) {
  test(`not causal: ${name}`, (t) => {
    t.is(findCausalViolation(operations)?.key, 'k')
  })
}

test('writers with contexts hold no more siblings than there are writers', (t) => {
  const lines = ['c1 put a 1 2', 'c2 put b 3 4', 'c3 get a,b 5 6']
  t.is(findCausalViolation(history(...lines), { writers: 2 }), undefined)
  t.regex(
    findCausalViolation(history(...lines), { writers: 1 })?.explanation ?? '',
    /2 siblings of 1 writers/,
  )
  const unanswered = history('c1 put a 1 ?', 'c2 put b 3 4', 'c3 get a,b 5 6')
  t.is(findCausalViolation(unanswered, { writers: 1 }), undefined)
})

test('a violation names the key and what took the value away', (t) => {
  const { explanation } =
    findCausalViolation(
      history('c1 put a 1 2', 'c1 get a 3 4', 'c1 put b 5 6 a', 'c2 get a 7 8'),
    ) ?? {}
  t.is(
    explanation,
    'key k is not causal: c2 get -> {a} [7, 8] brought a back: c1 put b after {a} [5, 6] had seen it',
  )
})

test('what replicas of siblings do is causal, and every mistake among many is seen', (t) => {
  const random = new Random(3, 'siblings')
  const found: Record<Mistake, number> = { none: 0, drops: 0, reuses: 0, oneReplica: 0, blind: 0 }
  for (const mistake of Object.keys(found) as Mistake[]) {
    for (let round = 0; round < 150; round++) {
      const operations = new Store(random, mistake).history()
      const violation = findCausalViolation(operations)
      if (violation !== undefined) found[mistake]++
      if (mistake === 'none') t.is(violation?.explanation, undefined, JSON.stringify(operations))
    }
  }
  const { none, ...mistakes } = found
  t.is(none, 0)
  for (const [mistake, count] of Object.entries(mistakes)) t.true(count > 30, `${mistake} ${count}`)
})

/**
 * drops: a merge loses a sibling now and then; reuses: a node draws dots that it drew before; oneReplica:
 * a get believes one replica; blind: a write supersedes all that its coordinator holds.
 */
type Mistake = 'none' | 'drops' | 'reuses' | 'oneReplica' | 'blind'

interface Writer {
  readonly name: string
  seen: readonly string[] | undefined
  context: Context
}

/** One key on three replicas, two of which must hold what is answered. */
class Store {
  readonly #random: Random
  readonly #mistake: Mistake
  readonly #replicas: (StoredRecord | undefined)[] = [undefined, undefined, undefined]
  readonly #writers: Writer[] = ['c1', 'c2', 'c3'].map((name) => {
    return { name, seen: undefined, context: new Map() }
  })
  #time = 0
  #clock = 0

  constructor(random: Random, mistake: Mistake) {
    this.#random = random
    this.#mistake = mistake
  }

  history(): Operation[] {
    return Array.from({ length: 60 }, () => {
      const writer = this.#random.pick(this.#writers)
      return this.#random.chance(0.5) ? this.#get(writer) : this.#write(writer)
    })
  }

  #get(writer: Writer): Operation {
    const called = ++this.#time
    const [one, other] = this.#two()
    if (this.#mistake !== 'oneReplica') this.#copy(one, other)
    if (this.#mistake !== 'oneReplica') this.#copy(other, one)
    const { values, context } = siblingsOf(this.#replicas[one])
    writer.seen = values.map(({ value }) => Buffer.from(value).toString())
    writer.context = context
    const common = { client: writer.name, key: 'k', value: undefined, values: writer.seen }
    return { kind: 'get', ...common, called, returned: ++this.#time }
  }

  #write(writer: Writer): Operation {
    const called = ++this.#time
    const [one, other] = this.#two()
    const hasSeen = writer.seen !== undefined && this.#random.chance(0.8)
    const isDelete = hasSeen && this.#random.chance(0.2)
    const value = isDelete ? undefined : `v${called}`
    const held = this.#replicas[one]
    const isReused = this.#mistake === 'reuses' && this.#random.chance(0.3)
    const dot = { actor: `n${one}.1`, micros: isReused ? this.#clock : ++this.#clock }
    const context = hasSeen ? writer.context : new Map()
    this.#replicas[one] = written(held, {
      value: value === undefined ? null : Buffer.from(value),
      context: this.#mistake === 'blind' ? siblingsOf(held).context : context,
      draw: () => dot,
      boot: 1,
      at: dot.micros,
    })
    const isLost = this.#random.chance(0.1)
    if (!isLost) this.#copy(one, other)
    const returned = isLost ? never : ++this.#time
    const seen = hasSeen ? { seen: writer.seen } : {}
    const kind = isDelete ? 'delete' : 'put'
    return { client: writer.name, kind, key: 'k', value, ...seen, called, returned }
  }

  #copy(from: number, to: number): void {
    const [theirs, mine] = [this.#replicas[from], this.#replicas[to]]
    if (theirs === undefined) return
    const isDropping = this.#mistake === 'drops' && this.#random.chance(0.3)
    this.#replicas[to] = isDropping ? theirs : siblingsMerge(mine, theirs)
  }

  #two(): [number, number] {
    const one = this.#random.below(3)
    return [one, (one + this.#random.between(1, 2)) % 3]
  }
}
