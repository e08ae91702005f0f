import test from 'ava'
import { Random } from '../random.js'
import { findViolation } from './linearizability.js'
import type { Asked, Operation } from './operation.js'

const never = Number.POSITIVE_INFINITY

/**
 * `c1 put a 1 2`: client, kind, value (`-` for nothing), called, returned (`?` for no answer); a write may
 * go on with what it asked (`absent`, `present` or a value), and `refused`, or by what (`refused:a`).
 */
function history(...lines: string[]): Operation[] {
  return lines.map((line) => {
    const [client = '', kind, value = '-', called, returned, asked, refused] = line.split(' ')
    if (kind !== 'put' && kind !== 'get' && kind !== 'delete') throw new Error(line)
    return {
      client,
      kind,
      key: 'k',
      value: value === '-' ? undefined : value,
      ...(asked !== undefined && { asked: askedOf(asked) }),
      ...(refused !== undefined && refusedBy(refused)),
      called: Number(called),
      returned: returned === '?' ? never : Number(returned),
    }
  })
}

function refusedBy(text: string): Pick<Operation, 'refused' | 'met'> {
  const [, met] = text.split(':')
  if (met === undefined) return { refused: true }
  return { refused: true, met: { value: met === '-' ? undefined : met } }
}

function askedOf(text: string): Asked {
  return text === 'absent' || text === 'present' ? { is: text } : { is: 'value', value: text }
}

const legal: Record<string, Operation[]> = {
  'nothing happened': [],
  'a read of what was written': history('c1 put a 1 2', 'c2 get a 3 4'),
  'a missing key': history('c1 get - 1 2', 'c1 put a 3 4', 'c1 delete - 5 6', 'c1 get - 7 8'),
  'a read during a write sees either': history('c1 put a 1 10', 'c2 get - 2 3', 'c2 get a 4 5'),
  'two writes at once, in either order': history('c1 put a 1 10', 'c2 put b 2 9', 'c3 get a 11 12'),
  'writes whose order only a later read tells': history(
    'c1 put a 1 10',
    'c2 put b 2 9',
    'c3 put c 3 8',
    'c4 get b 11 12',
    'c4 get b 13 14',
  ),
  'an unanswered write that happened late': history('c1 put a 1 ?', 'c2 get - 2 3', 'c2 get a 4 5'),
  'an unanswered write that never happened': history(
    'c1 put a 1 ?',
    'c2 get - 2 3',
    'c2 get - 4 5',
  ),
  'an unanswered delete that did': history('c1 put a 1 2', 'c2 delete - 3 ?', 'c1 get - 4 5'),
  'an unanswered delete that did not': history('c1 put a 1 2', 'c2 delete - 3 ?', 'c1 get a 4 5'),
  'one of two creates': history('c1 put a 1 9 absent', 'c2 put b 2 8 absent refused'),
  'an update of what was read': history('c1 put a 1 2', 'c2 put b 3 4 a', 'c1 put c 5 6 a refused'),
  'a refusal of a key that is missing': history(
    'c1 put a 1 2 present refused',
    'c1 put a2 3 4 absent',
    'c1 delete - 5 6 present',
    'c1 delete - 7 8 present refused',
  ),
  'an unanswered create that others met': history('c1 put a 1 ?', 'c2 put b 3 4 absent refused'),
  'an unanswered create that others met, and its delete': history(
    'c1 put a 1 ?',
    'c2 put b 3 4 absent refused',
    'c1 delete - 5 ?',
    'c2 put c 6 7 absent',
  ),
  'two unanswered writes of which the later one happened first': history(
    'c1 put a 1 ?',
    'c2 put b 2 ?',
    'c3 put c 3 4 absent refused',
    'c3 delete - 5 6 present',
    'c3 put d 7 8 absent refused',
  ),
  'refusals that tell what they met': history(
    'c1 put a 1 2 present refused:-',
    'c1 put b 3 4 absent',
    'c1 put c 5 6 absent refused:b',
  ),
  'an unanswered update that was refused': history(
    'c1 put a 1 2',
    'c2 put b 3 ? a',
    'c1 put c 4 5 a',
    'c1 get c 6 7',
  ),
}

const illegal: Record<string, Operation[]> = {
  'a value from nowhere': history('c1 get a 1 2'),
  'a stale read': history('c1 put a 1 2', 'c1 put b 3 4', 'c2 get a 5 6'),
  'a lost write': history('c1 put a 1 2', 'c2 get - 3 4'),
  'a read from the future': history('c1 get a 1 2', 'c2 put a 3 4'),
  'reads that go back': history('c1 put a 1 2', 'c1 put b 3 20', 'c2 get b 4 5', 'c3 get a 6 7'),
  'a deleted value that came back': history('c1 put a 1 2', 'c1 delete - 3 4', 'c2 get a 5 6'),
  'two readers who disagree on the order': history(
    'c1 put a 1 10',
    'c2 put b 1 10',
    'c3 get a 11 12',
    'c4 get b 13 14',
  ),
  'an unanswered write that came and went': history(
    'c1 put a 1 2',
    'c2 put b 3 ?',
    'c3 get b 4 5',
    'c3 get a 6 7',
  ),
  'two creates of one key': history('c1 put a 1 9 absent', 'c2 put b 2 8 absent'),
  'a create that was refused for nothing': history('c1 put a 1 2 absent refused'),
  'two updates of one version': history('c1 put a 1 2', 'c1 put b 3 9 a', 'c2 put c 4 8 a'),
  'an update of what was replaced': history('c1 put a 1 2', 'c1 put b 3 4', 'c2 put c 5 6 a'),
  'an update that was refused for nothing': history('c1 put a 1 2', 'c2 put c 3 4 a refused'),
  'a refused write that happened': history(
    'c1 put a 1 2',
    'c2 put b 3 4 absent refused',
    'c1 get b 5 6',
  ),
  'a refusal by what was there before': history(
    'c1 put a 1 2',
    'c1 put b 3 4',
    'c2 put c 5 6 absent refused:a',
  ),
  'a refusal that an unanswered write explains only once': history(
    'c1 put a 1 ?',
    'c2 put b 2 3 absent refused',
    'c2 delete - 4 5',
    'c2 put c 6 7 absent refused',
  ),
}

for (const [name, operations] of Object.entries(legal)) {
  test(`legal: ${name}`, (t) => {
    t.is(findViolation(operations)?.explanation, undefined)
  })
}

for (const [name, operations] of Object.entries(illegal)) {
  test(`illegal: ${name}`, (t) => {
    t.is(findViolation(operations)?.key, 'k')
  })
}

test('keys are independent, and the violation names its own', (t) => {
  const good = history('c1 put a 1 2', 'c2 get a 3 4')
  const bad = history('c1 put b 5 6', 'c2 get - 7 8').map((operation) => ({
    ...operation,
    key: 'bad',
  }))
  t.is(findViolation([...good, ...bad])?.key, 'bad')
})

test('a violation is explained: the order so far, the state, what does not fit', (t) => {
  const violation = findViolation(
    history('c1 put a 1 2', 'c1 put b 3 4', 'c2 get a 5 7', 'c3 get x 6 9', 'c4 put c 8 9'),
  )
  t.is(
    violation?.explanation,
    [
      'key k is not linearizable: no order of its 5 operations is legal.',
      'The longest legal order places 1 of them:',
      '    c1 put a [1, 2]',
      'The key then holds a, and no order places, before it returned,',
      '    c1 put b [3, 4]',
      'Still to read what it holds:',
      '    c2 get -> a [5, 7]',
    ].join('\n'),
  )
})

test('it agrees with trying every order, on random histories', (t) => {
  const random = new Random(1, 'histories')
  const verdicts = { legal: 0, illegal: 0 }
  for (let round = 0; round < 6_000; round++) {
    const operations = randomHistory(random, round % 2 === 0)
    const expected = someOrderIsLegal(operations, undefined)
    verdicts[expected ? 'legal' : 'illegal']++
    t.is(findViolation(operations) === undefined, expected, JSON.stringify(operations))
    // Whatever order somebody says the writes had.
    const ordered = operations.map((operation) => ({ ...operation, order: random.below(1_000) }))
    t.is(findViolation(ordered) === undefined, expected, JSON.stringify(ordered))
  }
  t.true(verdicts.legal > 400 && verdicts.illegal > 400, JSON.stringify(verdicts))
})

test('a long history with many operations at once is decided quickly', (t) => {
  const random = new Random(2, 'long')
  const operations: Operation[] = []
  let held: string | undefined
  for (let step = 0; step < 2_000; step++) {
    const kind = random.pick(['put', 'get'] as const)
    if (kind === 'put') held = `v${step}`
    const spread = random.between(1, 60)
    operations.push({
      client: `c${step % 8}`,
      kind,
      key: 'k',
      value: held,
      called: step * 10 - spread,
      returned: step * 10 + spread,
    })
  }
  t.is(findViolation(operations), undefined)
  const last = operations.findLastIndex(({ kind }) => kind === 'get')
  const broken = operations.with(last, { ...(operations[last] as Operation), value: 'v0' })
  t.is(findViolation(broken)?.key, 'k')
})

test('a search without end has no verdict, which is a failure', (t) => {
  const operations = history('c1 put a 1 2', 'c1 put b 3 4', 'c1 get b 5 6')
  t.regex(findViolation(operations, 1)?.explanation ?? '', /no verdict after/)
})

test('where the order of the writes is told, it is tried first', (t) => {
  const writes = Array.from({ length: 24 }, (_, i) =>
    i < 12 ? `c${i} delete - ${i + 1} ${i + 101}` : `c${i} put v${i} ${i + 1} ${i + 101}`,
  )
  const operations = history(...writes, 'c1 get - 201 202')
  t.regex(findViolation(operations, 1_000)?.explanation ?? '', /no verdict/)
  const told = operations.map((each, i) =>
    each.kind === 'get' ? each : { ...each, order: each.kind === 'delete' ? 99 + i : i },
  )
  t.is(findViolation(told, 1_000), undefined)
})

test('many writes without an answer that a condition may have met are decided quickly', (t) => {
  const operations: Operation[] = []
  for (let i = 0; i < 60; i++) {
    const lines = [
      `c1 put a${i} ${10 * i + 1} ?`,
      `c2 delete - ${10 * i + 2} ?`,
      `c3 put b${i} ${10 * i + 3} ${10 * i + 4} absent`,
      `c3 put c${i} ${10 * i + 5} ${10 * i + 6} absent refused`,
      `c3 put d${i} ${10 * i + 7} ${10 * i + 8} b${i}`,
      `c3 delete - ${10 * i + 9} ${10 * i + 10} present`,
    ]
    operations.push(...history(...lines))
  }
  t.is(findViolation(operations, 100_000), undefined)
  const twice = history('c4 put x 602 603 absent', 'c4 put y 604 605 b59')
  t.is(findViolation([...operations, ...twice])?.key, 'k')
})

function randomHistory(random: Random, isAsking: boolean): Operation[] {
  const operations: Operation[] = []
  for (let i = 0; i < 6; i++) {
    const called = random.below(20)
    const kind = random.pick(['put', 'get', 'get', 'delete'] as const)
    const read = random.pick([undefined, 'v0', 'v1', 'v2', 'v3'])
    const returned = random.chance(0.15) ? never : called + random.between(1, 8)
    const met = random.pick([undefined, { value: undefined }, { value: 'v0' }, { value: 'v1' }])
    const asks = isAsking && kind !== 'get' && random.chance(0.7)
    operations.push({
      client: `c${i}`,
      kind,
      key: 'k',
      value: kind === 'put' ? `v${i}` : kind === 'get' ? read : undefined,
      ...(asks && { asked: askedOf(random.pick(['absent', 'present', 'v0', 'v1'])) }),
      ...(asks && returned !== never && random.chance(0.4) && { refused: true, met }),
      called,
      returned,
    })
  }
  return operations
}

/** The definition itself: some operation that nobody else preceded can come first, and so on. */
function someOrderIsLegal(left: readonly Operation[], held: string | undefined): boolean {
  if (left.every(({ returned }) => returned === never)) return true
  return left.some((first) => {
    if (left.some((other) => other.returned < first.called)) return false
    const rest = left.filter((other) => other !== first)
    const answered = first.returned !== never
    if (first.kind === 'get') {
      return (!answered || first.value === held) && someOrderIsLegal(rest, held)
    }
    const holds = conditionHolds(first.asked, held)
    if (answered && holds === (first.refused === true)) return false
    const isOther = first.met !== undefined && first.met.value !== held
    if (!holds && isOther) return false
    if (!holds) return someOrderIsLegal(rest, held)
    return someOrderIsLegal(rest, first.kind === 'put' ? first.value : undefined)
  })
}

function conditionHolds(asked: Asked | undefined, held: string | undefined): boolean {
  if (asked === undefined) return true
  if (asked.is === 'value') return held === asked.value
  return (held === undefined) === (asked.is === 'absent')
}
