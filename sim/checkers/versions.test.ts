import test from 'ava'
import { findVersionConflict, type VersionedValue } from './versions.js'

function told(value: string, micros: number, key = 'k'): VersionedValue {
  return { key, value, version: { boot: 1, micros, writer: '0123456789abcdef' } }
}

test('each value has its version', (t) => {
  t.is(findVersionConflict([told('a', 1), told('b', 2), told('a', 1)]), undefined)
})

test('a value with two versions was written twice', (t) => {
  t.regex(findVersionConflict([told('a', 1), told('a', 2)]) ?? '', /^a of k has two versions/)
})

test('a version with two values was drawn twice', (t) => {
  t.regex(findVersionConflict([told('a', 1), told('b', 1)]) ?? '', /two values of k .* a and b$/)
})

test('versions of other keys are of no concern', (t) => {
  t.is(findVersionConflict([told('a', 1), told('b', 1, 'other')]), undefined)
})
