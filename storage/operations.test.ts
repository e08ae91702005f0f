import test from 'ava'
import type { Log } from '../shared/runtime/runtime.js'
import { Operations } from './operations.js'

const key = Buffer.from('a')

test('every outcome is counted where it belongs', (t) => {
  const operations = new Operations(undefined)
  operations.ended('coordinated', 'put', key, undefined)
  operations.ended('coordinated', 'put', key, 'TIMEOUT')
  operations.ended('coordinated', 'delete', key, undefined)
  operations.ended('replicated', 'delete', key, 'DISK_FULL')
  operations.ended('replicated', 'get', key, 'STORAGE_FAILED')
  operations.got('replicated', key, true)
  operations.got('replicated', key, false)
  t.deepEqual(operations.counts, {
    coordinated: {
      puts: 1,
      putsFailed: 1,
      deletes: 1,
      deletesFailed: 0,
      gets: 0,
      getsMissed: 0,
      getsFailed: 0,
    },
    replicated: {
      puts: 0,
      putsFailed: 0,
      deletes: 0,
      deletesFailed: 1,
      gets: 2,
      getsMissed: 1,
      getsFailed: 1,
    },
  })
})

test('with a log each is told, a coordinator’s with its quorum', (t) => {
  const lines: object[] = []
  const note = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, ...fields })
  }
  const log: Log = { debug() {}, error() {}, info: note('info'), warn: note('warn') }
  const operations = new Operations(log)
  const quorum = { told: { n: 3, r: 2, w: 2, acknowledged: ['n1', 'n3'] } }
  operations.ended('coordinated', 'put', key, undefined, quorum)
  operations.ended('replicated', 'delete', key, 'DISK_FULL: no room')
  operations.got('replicated', key, false)
  t.deepEqual(lines, [
    {
      level: 'info',
      message: 'put succeeded',
      part: 'coordinated',
      operation: 'put',
      key: 'a',
      ...quorum.told,
    },
    {
      level: 'warn',
      message: 'delete failed',
      part: 'replicated',
      operation: 'delete',
      key: 'a',
      refusal: 'DISK_FULL: no room',
    },
    {
      level: 'warn',
      message: 'get failed',
      part: 'replicated',
      operation: 'get',
      key: 'a',
      refusal: 'the key is missing',
    },
  ])
})

test('without a log nobody is asked what there would be to tell', (t) => {
  const quorum = {
    get told(): object {
      throw new Error('asked')
    },
  }
  const operations = new Operations(undefined)
  t.notThrows(() => operations.ended('coordinated', 'put', key, undefined, quorum))
})
