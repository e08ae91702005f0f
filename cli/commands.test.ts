import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { makeSwarm } from './swarm.fixture.js'

/** One swarm for the whole file: these tests change its data, and its membership one at a time. */
const ends: (() => Promise<void>)[] = []
const swarm = makeSwarm({ teardown: (end) => ends.push(end) })
const { gtstore, feed, inShell, begin, status, root } = swarm
const onto = (file: string, ...args: string[]) => inShell(`"$@" > ${file}`, ...args)

test.before(async (t) => {
  t.timeout(60_000)
  const up = await gtstore('up', '-d', '-n', '4', '--durability', 'write')
  if (up.exitCode !== 0) throw new Error(up.stderr)
})

test.after.always(async () => {
  for (const end of ends) await end()
})

test.beforeEach((t) => t.timeout(60_000))

test.serial('put and get keep text, files and stdin byte for byte', async (t) => {
  t.deepEqual(await gtstore('put', 'text', 'grüße'), { exitCode: 0, stdout: '', stderr: '' })
  t.deepEqual(await gtstore('get', 'text'), { exitCode: 0, stdout: 'grüße', stderr: '' })
  writeFileSync(join(root, 'file'), 'of a file\n')
  t.is((await gtstore('put', 'file', `@${join(root, 'file')}`)).exitCode, 0)
  t.is((await gtstore('get', 'file')).stdout, 'of a file\n')
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
  t.is((await feed(bytes, 'put', 'bytes', '-')).exitCode, 0)
  const { value } = JSON.parse((await gtstore('get', 'bytes', '--json')).stdout)
  t.deepEqual(value, { base64: Buffer.from(bytes).toString('base64') })
  t.is((await feed(Buffer.alloc(0), 'put', 'empty', '-')).exitCode, 0)
  t.is(JSON.parse((await gtstore('get', 'empty', '--json')).stdout).value, '')
})

test.serial('--json of put, get and delete; versions are boot.micros.writer', async (t) => {
  const put = JSON.parse((await gtstore('put', 'city', 'Bochum', '--json', '-w', '3')).stdout)
  t.regex(put.version, /^\d+\.\d+\.[0-9a-f]{16}$/)
  const { node, ...got } = JSON.parse((await gtstore('--json', 'get', 'city', '-r', '3')).stdout)
  t.deepEqual(got, { key: 'city', value: 'Bochum', version: put.version })
  t.regex(node, /^n\d+$/)
  const meta = await gtstore('get', 'city', '--meta', '--via', 'n2')
  t.is(meta.stdout, 'Bochum')
  t.is(meta.stderr, `version ${put.version}\nnode ${/node (\S+)/.exec(meta.stderr)?.[1]}\n`)
  t.is((await gtstore('delete', 'city')).stdout, 'existed: true\n')
  t.deepEqual(await gtstore('delete', 'city', '--json'), {
    exitCode: 0,
    stdout: '{"key":"city","existed":false}\n',
    stderr: '',
  })
})

test.serial('a missing key is exit code 3, in words or as JSON', async (t) => {
  const missing = await gtstore('get', 'nothing')
  t.is(missing.exitCode, 3)
  t.is(missing.stdout, '')
  t.regex(missing.stderr, /^gtstore: there is no key "nothing"\n {2}next: /)
  const { exitCode, stderr } = await gtstore('get', 'nothing', '--json')
  t.is(exitCode, 3)
  t.like(JSON.parse(stderr), { error: { code: 'KEY_NOT_FOUND', definite: true } })
})

test.serial('what cannot be stored or asked is a usage error', async (t) => {
  for (const args of [
    ['put', '', 'value'],
    ['put', 'k'.repeat(1025), 'value'],
    ['put', 'key', 'value', '-w', '4'],
    ['put', 'key', 'value', '-w', '0'],
    ['get', 'key', '-r', '4'],
    ['get', 'key', '-r', 'x'],
    ['get', 'key', '--timeout', '0'],
    ['get', 'key', '--via', 'somewhere'],
    ['get'],
    ['get', 'one', 'two'],
    ['frobnicate'],
    [],
  ]) {
    const { exitCode, stdout, stderr } = await gtstore(...args)
    t.is(exitCode, 2, `${args.join(' ')}: ${stderr}`)
    t.is(stdout, '')
    t.regex(stderr, /gtstore: .*\n {2}next: /s)
  }
  const large = await feed(Buffer.alloc(8 * 1024 * 1024 + 1), 'put', 'large', '-')
  t.is(large.exitCode, 2, large.stderr)
  t.regex(large.stderr, /8388608/)
  const longKey = await gtstore('put', 'k'.repeat(1025), 'value')
  t.regex(longKey.stderr, /the key has 1025 bytes\n {2}next: name a key of 1 to 1024 bytes/)
})

test.serial('status --json has the shape that scripts rely on', async (t) => {
  const report = await status()
  t.like(report, { swarm: 'default', state: 'serving', replicas: 3, readQuorum: 2, writeQuorum: 2 })
  t.is(report.durability, 'write')
  t.true(report.epoch >= 1)
  t.true(Number(report.manager?.pid) > 1)
  t.is(report.nodes.length, 4)
  for (const node of report.nodes) {
    const fields =
      'bytes handoff hints id incarnation keys operations ownership pid readOnly reason repair socket state vnodes'
    t.is(Object.keys(node).sort().join(' '), fields)
    t.is(node.state, 'active')
    t.is(node.vnodes, 3)
    t.true((node.operations?.coordinated.puts ?? -1) >= 0)
  }
  const total = (part: 'coordinated' | 'replicated') =>
    report.nodes.reduce((sum, { operations }) => sum + (operations?.[part].puts ?? 0), 0)
  t.true(total('coordinated') > 0)
  t.true(total('replicated') > total('coordinated'), 'each put has several replicas')
  t.true(Math.abs(report.nodes.reduce((sum, { ownership }) => sum + ownership, 0) - 1) < 1e-9)
  const table = await gtstore('status')
  t.regex(
    table.stdout,
    /^swarm "default" is serving: epoch \d+, N=3 R=2 W=2, durability write, mode latest/,
  )
  t.regex(table.stdout, /^n4 +1 +\d+ +active +3 +25\.0 % /m)
  t.false(table.stdout.includes('\x1b'), 'no colour without a terminal')
})

test.serial('ring tells the owners of a key, as the file has it', async (t) => {
  const { key, token, owners, epoch } = JSON.parse(
    (await gtstore('ring', '--key', 'city', '--json')).stdout,
  )
  t.is(key, 'city')
  t.is(token, 0x4ed5d2ea, 'the first four bytes of the MD5 of the key')
  t.is(owners.length, 3)
  t.is(epoch, (await status()).epoch)
  const { vnodes } = JSON.parse((await gtstore('ring', '--json')).stdout)
  t.is(vnodes.length, 12)
  t.is((await gtstore('ring')).stdout.match(/^\d+ +n\d +[\d.]+ %$/gm)?.length, 12)
})

test.serial('node add, remove and replace print the id; ids are never reused', async (t) => {
  const ids = async () => (await status()).nodes.map(({ id }) => id).join(' ')
  t.deepEqual(JSON.parse((await gtstore('node', 'add', '--json')).stdout), { id: 'n5' })
  t.deepEqual(JSON.parse((await gtstore('node', 'remove', 'n5', '--json')).stdout), { id: 'n5' })
  t.is(await ids(), 'n1 n2 n3 n4')
  t.deepEqual(JSON.parse((await gtstore('node', 'replace', 'n2', '--json')).stdout), { id: 'n6' })
  t.is(await ids(), 'n1 n3 n4 n6')
  t.is((await gtstore('get', 'text')).stdout, 'grüße')
  for (const args of [
    ['remove', 'n2'],
    ['replace', 'n77'],
  ] as const) {
    const { exitCode, stderr } = await gtstore('node', ...args)
    t.is(exitCode, 1)
    t.regex(stderr, new RegExp(args[1]))
  }
  t.is((await gtstore('node', 'remove', '4')).exitCode, 2)
})

test.serial('watching a change can be interrupted: it goes on', async (t) => {
  const adding = begin('node', 'add')
  while ((await status()).changes.length === 0);
  adding.kill('SIGINT')
  const { exitCode, stderr } = await adding.ended
  t.is(exitCode, 130)
  t.regex(stderr, /the change goes on: `gtstore status` shows change \d+/)
  for (;;) {
    const { nodes, state } = await status()
    if (state === 'serving' && nodes.some(({ id }) => id === 'n7')) break
  }
  t.pass()
})

test.serial('logs shows what processes said, and follows them', async (t) => {
  const all = await gtstore('logs')
  t.is(all.exitCode, 0)
  t.regex(all.stdout, /^\d\d:\d\d:\d\d\.\d{3} manager +ring published/m)
  const lines = (await gtstore('logs', 'n1', '--json')).stdout.trimEnd().split('\n')
  t.true(lines.every((line) => JSON.parse(line).name === 'n1'))
  const unknown = await gtstore('logs', 'n99')
  t.is(unknown.exitCode, 1)
  t.regex(unknown.stderr, /there are logs of manager n1 /)
  const following = begin('logs', 'n8', 'manager', '-f')
  t.regex((await following.ended).stderr, /nothing is logged by n8/)
  const follower = begin('logs', 'manager', '--follow')
  await follower.said('ring published')
  t.is((await gtstore('node', 'add')).exitCode, 0)
  await follower.said('members=6')
  follower.kill('SIGINT')
  t.is((await follower.ended).exitCode, 130)
  const empty = await gtstore('logs', '--data', join(root, 'empty'))
  t.is(empty.exitCode, 0)
  t.regex(empty.stderr, /nothing is logged in .*empty/)
})

test.serial('a reader that had enough is no failure', async (t) => {
  t.is((await feed(Buffer.alloc(4_000_000, 'x'), 'put', 'big', '-')).exitCode, 0)
  const getting = begin('get', 'big')
  getting.readNoMore()
  t.deepEqual(await getting.ended, { exitCode: 0, stdout: '', stderr: '' })
})

test.serial('what stdout does not take is one failure, in words', async (t) => {
  const full = async (...args: string[]) => {
    const { exitCode, stderr } = await onto('/dev/full', ...args)
    t.is(exitCode, 1, stderr)
    return stderr
  }
  const lost =
    /^gtstore: cannot write to stdout: ENOSPC.*\n {2}next: the command has succeeded.*\n$/
  for (const args of [['get', 'text'], ['status'], ['scan', '--all'], ['ring'], ['--help']]) {
    t.regex(await full(...args), lost, args.join(' '))
  }
  const { error } = JSON.parse(await full('put', 'lost', 'v', '--json'))
  t.like(error, { code: 'ENOSPC', definite: undefined })
  t.regex(error.next, /the command has succeeded/)
  t.is((await gtstore('get', 'lost')).stdout, 'v')
  t.is((await onto('/dev/full', 'get', 'nothing')).exitCode, 3, 'there was nothing to print')
})

test.serial('an argument that is no text is refused; U+FFFD itself is text', async (t) => {
  const bytes = (octal: string) => inShell(`"$@" put "$(printf '${octal}')" v`)
  const refused = await bytes('k\\377')
  t.is(refused.exitCode, 2)
  t.regex(refused.stderr, /^gtstore: the argument "k\ufffd" is not valid UTF-8\n {2}next: .*@FILE/)
  t.is((await bytes('k\\357\\277\\275')).exitCode, 0)
  t.is((await gtstore('get', 'k\ufffd')).stdout, 'v')
})

test.serial('a key is shown so that it stays in its line', async (t) => {
  const key = 'a\nkey     b\u001b[31m'
  t.regex((await gtstore('ring', '--key', key)).stdout, /^key {5}"a\\nkey {5}b\\u001b\[31m"\ntoken/)
  const explained = await gtstore('read', key, '--explain')
  t.regex(explained.stdout, /^key {6}"a\\nkey {5}b\\u001b\[31m"\ntoken/)
  t.regex((await gtstore('get', 'a\u009b')).stderr, /there is no key "a\\u009b"/)
})

test.serial('too little time is not a swarm that is down', async (t) => {
  const { exitCode, stderr } = await gtstore('get', 'text', '--timeout', '1')
  t.true(exitCode === 5 || exitCode === 6, stderr)
  t.regex(stderr, /allow more time|longer --timeout/)
})

test.serial('doctor finds nothing wrong, then what is', async (t) => {
  const well = await gtstore('doctor', '--json')
  t.is(well.exitCode, 0, well.stdout)
  t.true(JSON.parse(well.stdout).ok)
  mkdirSync(join(root, 'd2'))
  writeFileSync(join(root, 'd2', 'swarm.json'), '{"format":99}')
  const ill = await gtstore('doctor', '--data', join(root, 'd2'))
  t.is(ill.exitCode, 1)
  t.regex(ill.stdout, /WRONG +options .*format 99.*format 1/)
})

test.serial('bench measures puts and gets', async (t) => {
  const { exitCode, stdout } = await gtstore('bench', '-n', '400', '-c', '8', '-d', '10', '--json')
  t.is(exitCode, 0)
  t.like(JSON.parse(stdout), { ops: 400, errors: 0 })
  t.regex((await gtstore('bench', '-n', '100', '--mix', '0:100')).stdout, /operations\/s: 100 in/)
  t.is((await gtstore('bench', '--mix', '1')).exitCode, 2)
})

test.serial('help and version succeed', async (t) => {
  const help = await gtstore('up', '--help')
  t.is(help.exitCode, 0)
  for (const option of ['--nodes', '--durability', '--detach', '--swarm', '--dir', '--data']) {
    t.true(help.stdout.includes(option), option)
  }
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.is((await gtstore('--version')).stdout, `${version}\n`)
})

test.serial('nobody there: exit code 6', async (t) => {
  for (const args of [['status'], ['get', 'a'], ['bench'], ['ring'], ['node', 'add']]) {
    const began = performance.now()
    const { exitCode, stderr } = await gtstore(...args, '--dir', join(root, 'elsewhere'))
    t.is(exitCode, 6, `${args.join(' ')}: ${stderr}`)
    t.regex(stderr, /gtstore.* up`/)
    t.true(performance.now() - began < 4_000, 'at once, not after the default timeout')
  }
})

test('what a pipe does not take at once comes out all the same', async (t) => {
  const { data, gtstore } = makeSwarm(t)
  mkdirSync(join(data, 'logs'), { recursive: true })
  const line = JSON.stringify({ level: 30, time: '2026-01-01T00:00:00.000Z', msg: 'x'.repeat(200) })
  const lines = `${line}\n`.repeat(5_000)
  writeFileSync(join(data, 'logs', 'n1.log'), lines)
  const { exitCode, stdout } = await gtstore('logs', '--json')
  t.is(exitCode, 0)
  t.is(stdout.length, lines.length)
})
