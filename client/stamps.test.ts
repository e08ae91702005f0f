import test from 'ava'
import { hostMicros } from '../shared/os/linux.js'
import { Stamps } from './stamps.js'

const writer = '00000000000000aa'

test('strictly increasing, also while the clock stands still', (t) => {
  const stamps = new Stamps({ hostMicros: () => 70 }, writer)
  t.deepEqual(stamps.next(2), { boot: 2, micros: 70, writer })
  t.deepEqual(stamps.next(2), { boot: 2, micros: 71, writer })
  t.deepEqual(stamps.next(2), { boot: 2, micros: 72, writer })
})

test('waits for a clock that moves, and is never ahead of it', (t) => {
  const stamps = new Stamps({ hostMicros }, writer)
  let last = 0
  for (let i = 0; i < 10_000; i++) {
    const { micros } = stamps.next(1)
    if (micros <= last || micros > hostMicros()) t.fail(`${micros} after ${last}`)
    last = micros
  }
  t.pass()
})
