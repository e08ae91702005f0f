import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { GTStoreError } from '../protocol/errors.js'
import {
  prepareDataDirectory,
  prepareRunDirectory,
  socketPath,
  swarmDirectories,
} from './directories.js'

const root = mkdtempSync(join(tmpdir(), 'gts-dir-'))
test.after.always(() => rmSync(root, { recursive: true }))
let count = 0
const fresh = () => join(root, `d${count++}`)

test('without options and environment there are defaults', (t) => {
  t.deepEqual(swarmDirectories({}, {}), {
    swarm: 'default',
    run: join(tmpdir(), `gtstore-${process.getuid?.()}`, 'default'),
    data: join(homedir(), '.local/state/gtstore/default'),
  })
})

test('the XDG directories are used, empty variables are not', (t) => {
  const environment = {
    XDG_RUNTIME_DIR: '/run/user/7',
    XDG_STATE_HOME: '/state',
    GTSTORE_DIR: '',
    GTSTORE_SWARM: 'orders',
  }
  t.deepEqual(swarmDirectories({}, environment), {
    swarm: 'orders',
    run: '/run/user/7/gtstore/orders',
    data: '/state/gtstore/orders',
  })
})

test('options win over the environment', (t) => {
  const environment = { GTSTORE_DIR: '/e/run', GTSTORE_DATA: '/e/data', GTSTORE_SWARM: 'e' }
  t.deepEqual(swarmDirectories({}, environment), { swarm: 'e', run: '/e/run', data: '/e/data' })
  t.deepEqual(swarmDirectories({ swarm: 'o', dir: '/o/run', data: '/o/data' }, environment), {
    swarm: 'o',
    run: '/o/run',
    data: '/o/data',
  })
})

test('a swarm named by an option lives where its name says, unless directories are named too', (t) => {
  const environment = {
    GTSTORE_DIR: '/e/run',
    GTSTORE_DATA: '/e/data',
    XDG_RUNTIME_DIR: '/x',
    XDG_STATE_HOME: '/s',
  }
  t.like(swarmDirectories({ swarm: 'o' }, environment), {
    run: '/x/gtstore/o',
    data: '/s/gtstore/o',
  })
  t.like(swarmDirectories({ swarm: 'o', data: '/o' }, environment), {
    run: '/x/gtstore/o',
    data: '/o',
  })
  t.like(swarmDirectories({ dir: '/o' }, environment), { run: '/o', data: '/e/data' })
})

test('a directory that is empty or no string is refused', (t) => {
  for (const path of ['', 5, null] as string[]) {
    for (const options of [{ dir: path }, { data: path }]) {
      t.throws(() => swarmDirectories(options, {}), { message: /name a directory/ })
    }
  }
})

test('a swarm name that could leave its directory is refused', (t) => {
  for (const swarm of ['', '..', '../x', 'a/b', '.hidden', 'x'.repeat(65)]) {
    const error = t.throws<GTStoreError>(() => swarmDirectories({ swarm }, {}))
    t.is(error.code, 'INVALID_ARGUMENT')
  }
})

for (const [name, prepare] of Object.entries({
  run: prepareRunDirectory,
  data: prepareDataDirectory,
})) {
  test(`a ${name} directory is created private, and found again`, (t) => {
    const path = join(fresh(), 'nested', 'swarm')
    prepare(path)
    t.is(statSync(path).mode & 0o777, 0o700)
    prepare(path)
  })

  test(`a ${name} directory that others may read becomes private`, (t) => {
    const path = fresh()
    mkdirSync(path, { mode: 0o755 })
    prepare(path)
    t.is(statSync(path).mode & 0o777, 0o700)
  })

  test(`a ${name} directory that is a symlink or a file is refused`, (t) => {
    const target = fresh()
    mkdirSync(target)
    const link = fresh()
    symlinkSync(target, link)
    t.throws(() => prepare(link), { message: /is refused: it is a symlink; name another with --d/ })
    const file = fresh()
    writeFileSync(file, '')
    t.throws(() => prepare(file), { message: /it is not a directory/ })
    t.throws(() => prepare(join(file, 'below')), { message: /cannot create directory/ })
  })
}

test('a directory of someone else is refused', (t) => {
  // Only root can give a directory away; everyone else finds one of root's.
  const path = process.getuid?.() === 0 ? fresh() : '/usr'
  if (path !== '/usr') {
    mkdirSync(path)
    chownSync(path, 12_345, 12_345)
  }
  t.throws(() => prepareRunDirectory(path), {
    message: /is refused: it belongs to user (0|12345);/,
  })
})

test('a path too long for a socket is refused with the fix named', (t) => {
  const long = join(root, 'x'.repeat(100))
  t.throws(() => prepareRunDirectory(long), { message: /name a shorter run directory/ })
  t.throws(() => socketPath(long, 'manager'), { message: /bytes long, the system allows 100/ })
  const most = `/${'x'.repeat(86)}`
  t.is(socketPath(most, 'manager').length, 100)
  t.throws(() => socketPath(`${most}x`, 'manager'))
  t.throws(() => socketPath(`/${'ö'.repeat(44)}`, 'manager'))
})
