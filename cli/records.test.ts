import test from 'ava'
import { contextOf } from './options.js'
import { scan } from './scan.js'
import { makeSwarm } from './swarm.fixture.js'

/** One swarm for the whole file, in mode latest, one node of which may be down at the end. */
const ends: (() => Promise<void>)[] = []
const swarm = makeSwarm({ teardown: (end) => ends.push(end) })
const { gtstore } = swarm

test.before(async (t) => {
  t.timeout(60_000)
  const up = await gtstore('up', '-d', '-n', '4', '--durability', 'memory', '--restart', 'never')
  if (up.exitCode !== 0) throw new Error(up.stderr)
})

test.after.always(async () => {
  for (const end of ends) await end()
})

test.beforeEach((t) => t.timeout(60_000))

const pairsOf = (stdout: string): { key: string; value: string; version: string }[] =>
  stdout === ''
    ? []
    : stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))

test.serial('create, read, update, delete', async (t) => {
  t.is((await gtstore('update', 'record', 'none')).exitCode, 4)
  t.is((await gtstore('read', 'record')).exitCode, 3)
  t.deepEqual(await gtstore('create', 'record', 'one'), { exitCode: 0, stdout: '', stderr: '' })
  const twice = await gtstore('create', 'record', 'two')
  t.is(twice.exitCode, 4)
  t.regex(twice.stderr, /the key exists, in version \d+\.\d+\.[0-9a-f]{16}\n {2}next: get the key/)
  t.is((await gtstore('read', 'record')).stdout, 'one')
  const { version } = JSON.parse((await gtstore('update', 'record', 'two', '--json')).stdout)
  t.like(JSON.parse((await gtstore('read', 'record', '--json')).stdout), { value: 'two', version })
  const failed = JSON.parse((await gtstore('create', 'record', 'x', '--json')).stderr)
  t.like(failed, { error: { code: 'CONDITION_FAILED', definite: true, version } })
  t.is((await gtstore('put', 'record', 'three', '--if-present')).exitCode, 0)
  t.is((await gtstore('delete', 'record', '--if-present')).stdout, 'existed: true\n')
  t.is((await gtstore('delete', 'record', '--if-present')).exitCode, 4)
  t.is((await gtstore('put', 'record', 'four', '--if-present')).exitCode, 4)
})

test.serial('what another mode has is a usage error that says which', async (t) => {
  const version = '1.5.00000000000000aa'
  for (const [args, message] of [
    [['put', 'k', 'v', '--if-absent'], /UNSUPPORTED.*ifAbsent.*up --replication chain/],
    [['put', 'k', 'v', '--if-version', version], /UNSUPPORTED.*up --replication chain/],
    [['delete', 'k', '--if-version', version], /UNSUPPORTED.*up --replication chain/],
    [['put', 'k', 'v', '--context', 'gIzksWs'], /UNSUPPORTED.*up --conflicts siblings/],
    [['put', 'k', 'v', '--context', '?'], /UNSUPPORTED.*up --conflicts siblings/],
    [['put', 'k', 'v', '--if-version', 'newest'], /INVALID_ARGUMENT.*version/],
    [['put', 'k', 'v', '--if-absent', '--if-present'], /INVALID_ARGUMENT.*only one/],
    [['delete'], /USAGE/],
    [['delete', 'k', '--all'], /USAGE/],
    [['delete', '--all', '--node', 'n1', '--yes'], /USAGE/],
    [['delete', '--all', '--if-present', '--yes'], /USAGE.*one key/],
    [['scan'], /USAGE/],
    [['scan', '--all', '--node', 'n1'], /USAGE/],
    [['up', '--replication', 'chain', '--conflicts', 'siblings'], /siblings/],
    [['up', '--replication', 'circle'], /quorum, chain/],
  ] as const) {
    const { exitCode, stdout, stderr } = await gtstore(...args, '--json')
    const isUp = args[0] === 'up' && exitCode === 1
    t.true(exitCode === 2 || isUp, `${args.join(' ')}: ${stderr}`)
    t.is(stdout, '')
    if (!isUp) t.regex(stderr, message)
  }
  t.is((await gtstore('get', 'k')).exitCode, 3)
})

test.serial('scan shows what one node stores, and every key of the swarm once', async (t) => {
  const values = Array.from(
    { length: 40 },
    (_, index) => [`key ${index}`, `value ${index}`] as const,
  )
  await Promise.all(values.slice(0, 4).map(([key, value]) => gtstore('put', key, value)))
  for (const [key, value] of values.slice(4, 12)) await gtstore('put', key, value)
  await gtstore('put', 'gone', 'x')
  await gtstore('delete', 'gone')
  await gtstore('put', 'lines', 'a\n\tb')
  await gtstore('put', 'json', '{"base64":"AP8B"}')
  const all = pairsOf((await gtstore('scan', '--all', '--json')).stdout)
  t.deepEqual(
    all.map(({ key }) => key).sort(),
    [...values.slice(0, 12).map(([key]) => key), 'json', 'lines'].sort(),
  )
  t.is(all.find(({ key }) => key === 'key 7')?.value, 'value 7')
  const nodes = await Promise.all(
    ['n1', 'n2', 'n3', 'n4'].map(async (node) =>
      pairsOf((await gtstore('scan', '--node', node, '--json')).stdout),
    ),
  )
  const copies = nodes.flat().filter(({ key }) => key === 'key 7')
  t.is(copies.length, 3, 'each of its three owners stores it')
  t.is(new Set(copies.map(({ version }) => version)).size, 1)
  const text = (await gtstore('scan', '--all')).stdout
  t.regex(text, /^key 7\tvalue 7$/m)
  t.regex(text, /^lines\t"a\\n\\tb"$/m)
  t.regex(text, /^json\t"\{\\"base64\\":\\"AP8B\\"\}"$/m)
  let lines = 0
  const context = contextOf({ dir: swarm.run, data: swarm.data })
  const bytes = async () => ++lines < 3
  t.is(await scan({ ...context, output: { ...context.output, bytes } }, { all: true }), 0)
  t.is(lines, 3, 'nobody reads any more')
  const unknown = await gtstore('scan', '--node', 'n9')
  t.is(unknown.exitCode, 1)
  t.regex(unknown.stderr, /n9 is not a member/)
})

test.serial('delete of what a node stores, and of everything', async (t) => {
  const held = pairsOf((await gtstore('scan', '--node', 'n1', '--json')).stdout).length
  const before = pairsOf((await gtstore('scan', '--all', '--json')).stdout).length
  t.true(held > 0 && held < before, `${held} of ${before}`)
  const unsure = await gtstore('delete', '--node', 'n1')
  t.is(unsure.exitCode, 2)
  t.regex(
    unsure.stderr,
    new RegExp(`every key on n1, from every owner: ${held} now\n.*--yes.*scan --node n1`),
  )
  t.is((await gtstore('delete', '--node', 'n1', '--yes')).stdout, `deleted: ${held}\n`)
  t.is((await gtstore('scan', '--node', 'n1')).stdout, '')
  const left = before - held
  t.is(pairsOf((await gtstore('scan', '--all', '--json')).stdout).length, left)
  t.deepEqual(await gtstore('delete', '--all', '--yes', '--json'), {
    exitCode: 0,
    stdout: `{"deleted":${left}}\n`,
    stderr: '',
  })
  t.is((await gtstore('scan', '--all')).stdout, '')
})

test.serial(
  'a delete of many keys says nothing else; interrupted, how many it deleted',
  async (t) => {
    const store = ['bench', '-c', '64', '-d', '10', '--mix', '100:0', '-n']
    t.is((await gtstore(...store, '200')).exitCode, 0)
    const few = await gtstore('delete', '--all', '--yes')
    t.deepEqual({ ...few, stdout: '' }, { exitCode: 0, stdout: '', stderr: '' })
    t.is((await gtstore(...store, '20000')).exitCode, 0)
    const deletes = async () =>
      (await swarm.status()).nodes.reduce(
        (sum, { operations }) => sum + (operations?.coordinated.deletes ?? 0),
        0,
      )
    const before = await deletes()
    const deleting = swarm.begin('delete', '--all', '--yes')
    while ((await deletes()) === before);
    deleting.kill('SIGINT')
    const { exitCode, stdout, stderr } = await deleting.ended
    t.is(exitCode, 130)
    const deleted = Number(/^deleted: (\d+)\n$/.exec(stdout)?.[1])
    t.true(0 < deleted && deleted < 10_000, stdout)
    t.regex(stderr, /^gtstore: interrupted: .*the same command deletes the rest\n$/)
    t.is((await gtstore('delete', '--all', '--yes')).exitCode, 0)
    t.is((await gtstore('scan', '--all')).stdout, '')
  },
)

test.serial('a read that nobody answers leaves nothing in doubt: exit code 5', async (t) => {
  t.is((await gtstore('node', 'pause', 'n1')).exitCode, 0)
  const scanned = await gtstore('scan', '--node', 'n1')
  t.is(scanned.exitCode, 5, scanned.stderr)
  t.notRegex(scanned.stderr, /outcome/)
  const deleted = await gtstore('delete', '--node', 'n1', '--yes', '--json')
  t.is(deleted.exitCode, 5)
  t.like(JSON.parse(deleted.stderr), { error: { code: 'TIMEOUT', definite: true } })
  t.is((await gtstore('node', 'resume', 'n1')).exitCode, 0)
})

test.serial('with one node down a scan of all misses nothing; with two it says so', async (t) => {
  const keys = Array.from({ length: 6 }, (_, index) => `after ${index}`)
  for (const key of keys) t.is((await gtstore('put', key, 'v')).exitCode, 0)
  t.is((await gtstore('node', 'kill', 'n2')).exitCode, 0)
  const all = pairsOf((await gtstore('scan', '--all', '--json')).stdout)
  t.deepEqual(all.map(({ key }) => key).sort(), keys)
  t.is((await gtstore('scan', '--node', 'n2')).exitCode, 6)
  t.is((await gtstore('node', 'kill', 'n3')).exitCode, 0)
  const { exitCode, stderr } = await gtstore('scan', '--all')
  t.is(exitCode, 5, stderr)
  t.regex(stderr, /acknowledged writes might be missed; not read are n/)
})
