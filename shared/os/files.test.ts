import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { GTStoreError } from '../protocol/errors.js'
import { openLog, RotatingFile } from './log.js'
import { readSwarmFile, type SwarmOptions, writeSwarmFile } from './swarm-file.js'

const root = mkdtempSync(join(tmpdir(), 'gtstore-files-'))
test.after.always(() => rmSync(root, { recursive: true }))
const freshDirectory = () => mkdtempSync(join(root, 'd-'))

const options: SwarmOptions = {
  swarm: 'default',
  nodes: 6,
  replicas: 3,
  readQuorum: 2,
  writeQuorum: 2,
  virtualNodes: 3,
  durability: 'sync',
  restart: 'on-failure',
  valueBytesMax: 8_388_608,
  evictAfterMs: 30_000,
  sloppy: false,
  mode: 'latest',
  logOperations: false,
  handoffBytesPerSecond: 0,
}

test('the options of a swarm come back', (t) => {
  const data = freshDirectory()
  t.is(readSwarmFile(data), undefined)
  writeSwarmFile(data, options)
  t.deepEqual(readSwarmFile(data), options)
  writeSwarmFile(data, { ...options, nodes: 7 })
  t.deepEqual(readSwarmFile(data), { ...options, nodes: 7 })
  t.deepEqual(readdirSync(data), ['swarm.json'])
  t.is(statSync(join(data, 'swarm.json')).mode & 0o777, 0o600)
})

test('options of another format are refused with both named', (t) => {
  const data = freshDirectory()
  for (const [text, found] of [
    [JSON.stringify({ ...options, format: 2 }), '2'],
    ['{}', 'unknown'],
    ['null', 'unknown'],
  ] as const) {
    writeFileSync(join(data, 'swarm.json'), text)
    const error = t.throws<GTStoreError>(() => readSwarmFile(data))
    t.is(error.code, 'VERSION_MISMATCH')
    t.true(error.message.includes(`has format ${found}, this program reads format 1`))
  }
})

test('damaged options are named', (t) => {
  const data = freshDirectory()
  for (const text of ['', '{', JSON.stringify({ ...options, format: 1, replicas: 0 })]) {
    writeFileSync(join(data, 'swarm.json'), text)
    const error = t.throws<GTStoreError>(() => readSwarmFile(data))
    t.is(error.code, 'STORAGE_FAILED')
    t.regex(error.message, /swarm\.json cannot be read/)
  }
})

test('log lines are in the file when the call returns', (t) => {
  const file = join(freshDirectory(), 'n1.log')
  const log = openLog({ file, level: 'info', name: 'n1' })
  log.debug({}, 'not this')
  log.info({ epoch: 7 }, 'ring adopted')
  log.error({ error: new Error('why') }, 'failed')
  const lines = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.deepEqual(
    lines.map(({ name, epoch, msg }) => [name, epoch, msg]),
    [
      ['n1', 7, 'ring adopted'],
      ['n1', undefined, 'failed'],
    ],
  )
  t.is(lines[1].error.message, 'why')
  t.regex(lines[0].time, /^\d{4}-\d\d-\d\dT/)
  log.close()
  t.notThrows(() => log.info({}, 'after the end'))
})

test('logs rotate, and three files stay', (t) => {
  const directory = freshDirectory()
  const file = new RotatingFile(join(directory, 'log'), 100)
  const line = (i: number) => `${String(i).padStart(39, '0')}\n`
  for (let i = 0; i < 9; i++) file.write(line(i))
  file.close()
  t.deepEqual(readdirSync(directory).sort(), ['log', 'log.1', 'log.2'])
  t.is(readFileSync(join(directory, 'log.2'), 'utf8'), line(4) + line(5))
  t.is(readFileSync(join(directory, 'log.1'), 'utf8'), line(6) + line(7))
  t.is(readFileSync(join(directory, 'log'), 'utf8'), line(8))
})

test('a log goes on where an earlier life stopped', (t) => {
  const path = join(freshDirectory(), 'log')
  writeFileSync(path, 'x'.repeat(90))
  const file = new RotatingFile(path, 100)
  file.write('a line that does not fit\n')
  t.is(readFileSync(`${path}.1`, 'utf8').length, 90)
  t.is(readFileSync(path, 'utf8'), 'a line that does not fit\n')
  file.close()
})

test('a log whose directory is gone does not stop the process', (t) => {
  const directory = freshDirectory()
  const file = new RotatingFile(join(directory, 'log'), 50)
  file.write('x'.repeat(40))
  rmSync(directory, { recursive: true })
  t.notThrows(() => file.write('y'.repeat(40)))
  t.notThrows(() => file.write('z'.repeat(40)))
  t.false(existsSync(directory))
})
