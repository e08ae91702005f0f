import test from 'ava'
import { Throttle } from './throttle.js'

class Clock {
  millis = 1_000
  now(): number {
    return this.millis
  }
}

test('bookings follow one another at the rate', (t) => {
  const clock = new Clock()
  const throttle = new Throttle(clock, 1_000)
  t.deepEqual([throttle.book(500), throttle.book(500), throttle.book(250)], [0, 500, 1_000])
  clock.millis += 1_100
  t.is(throttle.book(100), 150)
  clock.millis += 60_000
  t.is(throttle.book(100), 0, 'what was not used is not saved up')
  t.is(throttle.book(100), 100)
})

test('what did not come is given back', (t) => {
  const clock = new Clock()
  const throttle = new Throttle(clock, 1_000)
  t.is(throttle.book(500), 0)
  throttle.giveBack(400)
  t.is(throttle.book(500), 100)
})

test('what has travelled is paid off first, together with what others booked', (t) => {
  const clock = new Clock()
  const throttle = new Throttle(clock, 1_000)
  t.is(throttle.spend(500), 500)
  t.deepEqual([throttle.book(250), throttle.spend(100)], [500, 850])
  clock.millis += 60_000
  t.is(throttle.spend(0), 0)
})

test('no rate, no wait', (t) => {
  const throttle = new Throttle(new Clock(), 0)
  t.is(throttle.spend(1e9), 0)
  t.deepEqual([throttle.book(1e9), throttle.book(1e9)], [0, 0])
})
