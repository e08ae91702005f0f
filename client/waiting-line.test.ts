import test from 'ava'
import { WaitingLine } from './waiting-line.js'

interface Item {
  readonly number: number
  gone: boolean
}

test('keeps its order over removals from the middle, at any length', (t) => {
  const line = new WaitingLine<Item>((item) => item.gone)
  const items = Array.from({ length: 10_000 }, (_, number) => ({ number, gone: false }))
  for (const item of items) line.push(item)
  for (const item of items) {
    if (item.number % 3 !== 1) continue
    item.gone = true
    line.removed()
  }
  const expected = items.filter((item) => !item.gone)
  t.is(line.size, expected.length)
  t.deepEqual(line.all(), expected)
  const taken: Item[] = []
  for (let item = line.shift(); item !== undefined; item = line.shift()) taken.push(item)
  t.deepEqual(taken, expected)
  t.is(line.size, 0)
  line.push({ number: 1, gone: false })
  t.is(line.shift()?.number, 1)
})

test('items that are removed while the line stands still do not pile up', (t) => {
  const line = new WaitingLine<Item>((item) => item.gone)
  line.push({ number: 0, gone: false })
  for (let number = 1; number < 5_000; number++) {
    const item = { number, gone: false }
    line.push(item)
    item.gone = true
    line.removed()
  }
  t.is(line.size, 1)
  t.true((line as unknown as { items: Item[] }).items.length < 2_000)
})
