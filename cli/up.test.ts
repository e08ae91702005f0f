import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { ClassicLevel } from 'classic-level'
import { makeSwarm } from './swarm.fixture.js'

const small = ['-n', '3', '--durability', 'write'] as const

function patience(t: ExecutionContext): void {
  t.timeout(60_000, 'a swarm starts and stops within seconds')
}

test.serial(
  'up --detach returns when the swarm serves; down and up bring all data back',
  async (t) => {
    patience(t)
    const { gtstore, status, processes, data } = makeSwarm(t)
    const up = await gtstore('up', '-d', '--json', ...small)
    t.is(up.exitCode, 0, up.stderr)
    t.like(JSON.parse(up.stdout), { swarm: 'default', state: 'serving', nodes: 3, needed: 0, data })
    t.like(await status(), { state: 'serving', replicas: 3, readQuorum: 2, writeQuorum: 2 })
    t.is((await gtstore('put', 'city', 'Bochum')).exitCode, 0)
    const down = await gtstore('down')
    t.is(down.exitCode, 0)
    t.regex(down.stdout, /^stopped; the data stays in /)
    t.deepEqual(processes(), [])
    t.is((await gtstore('up', '--detach')).exitCode, 0)
    t.is((await gtstore('get', 'city')).stdout, 'Bochum')
    t.deepEqual(
      (await status()).nodes.map(({ id, incarnation }) => [id, incarnation]),
      [
        ['n1', 2],
        ['n2', 2],
        ['n3', 2],
      ],
    )
  },
)

test.serial(
  'up while it is up, and options that contradict the stored ones, are refused',
  async (t) => {
    patience(t)
    const { gtstore, processes, run, data } = makeSwarm(t)
    t.is((await gtstore('up', '-d', ...small)).exitCode, 0)
    const again = await gtstore('up', '-d')
    t.is(again.exitCode, 1)
    t.regex(again.stderr, /is up already/)
    await gtstore('down')
    for (const [flag, value, stored] of [
      ['--replicas', '5', '3'],
      ['--nodes', '4', '3'],
      ['--durability', 'sync', 'write'],
      ['--read-quorum', '1', '2'],
    ] as const) {
      const { exitCode, stderr } = await gtstore('up', '-d', flag, value)
      t.is(exitCode, 2, flag)
      t.true(stderr.includes(`${flag} ${stored}, but ${flag} ${value}`), stderr)
    }
    const there = ['--dir', run, '--data', data]
    const other = await gtstore('up', '-d', '--swarm', 'other', ...there)
    t.is(other.exitCode, 2)
    t.true(other.stderr.includes('--swarm default, but --swarm other'), other.stderr)
    t.deepEqual(processes(), [])
  },
)

test.serial('a swarm that is named by an option is not that of the environment', async (t) => {
  patience(t)
  const { gtstore, run } = makeSwarm(t)
  const { exitCode, stderr } = await gtstore('status', '--swarm', 'nobody-made-this')
  t.is(exitCode, 6)
  t.true(stderr.includes('/nobody-made-this'), stderr)
  t.false(stderr.includes(run), stderr)
})

test.serial(
  'down --volumes removes the data and nothing else; down of nothing succeeds',
  async (t) => {
    patience(t)
    const { gtstore, data } = makeSwarm(t)
    t.is((await gtstore('up', '-d', ...small)).exitCode, 0)
    writeFileSync(join(data, 'mine.txt'), 'not the swarm')
    const down = await gtstore('down', '--volumes', '--json')
    t.deepEqual(JSON.parse(down.stdout), { stopped: 5, killed: [], volumes: 'removed' })
    t.deepEqual(readFileSync(join(data, 'mine.txt'), 'utf8'), 'not the swarm')
    t.false(existsSync(join(data, 'swarm.json')))
    const nothing = await gtstore('down')
    t.is(nothing.exitCode, 0)
    t.regex(nothing.stdout, /^nothing was running/)
    t.is((await gtstore('up', '-d', '-n', '3', '--replicas', '1')).exitCode, 0)
  },
)

for (const [what, text] of [
  ['damaged', '{"format":'],
  ['of another format', '{"format":99}'],
] as const) {
  test.serial(`down stops a swarm whose options are ${what}, and removes it`, async (t) => {
    patience(t)
    const { gtstore, processes, data } = makeSwarm(t)
    t.is((await gtstore('up', '-d', ...small)).exitCode, 0)
    writeFileSync(join(data, 'swarm.json'), text)
    const down = await gtstore('down')
    t.is(down.exitCode, 0, down.stderr)
    t.deepEqual(processes(), [])
    t.not((await gtstore('up', '-d')).exitCode, 0)
    t.is((await gtstore('down', '--volumes')).exitCode, 0)
    t.false(existsSync(data))
    t.is((await gtstore('up', '-d', ...small)).exitCode, 0)
  })
}

test.serial(
  'down --volumes where no swarm ever was: nothing is touched, and it says so',
  async (t) => {
    patience(t)
    const { gtstore, root, data } = makeSwarm(t)
    const nothing = await gtstore('down', '--volumes')
    t.is(nothing.exitCode, 0)
    t.is(nothing.stdout, `nothing was running; there is no data in ${data}\n`)
    mkdirSync(join(data, 'logs'), { recursive: true })
    t.is(JSON.parse((await gtstore('down', '--volumes', '--json')).stdout).volumes, 'none')
    t.true(existsSync(join(data, 'logs')), 'of someone else')
    symlinkSync(data, join(root, 'link'))
    const link = await gtstore('down', '--volumes', '--data', join(root, 'link'))
    t.is(link.exitCode, 2)
    t.regex(link.stderr, /is refused: it is a symlink/)
  },
)

test.serial(
  'too few nodes: forming, requests refused with exit code 5, served after node add',
  async (t) => {
    patience(t)
    const { gtstore, status } = makeSwarm(t)
    const up = await gtstore('up', '-d', '-n', '2', '--durability', 'memory')
    t.is(up.exitCode, 0)
    t.regex(up.stdout, /^forming: 1 more node needed/)
    const refused = await gtstore('put', 'a', 'b', '--timeout', '300')
    t.is(refused.exitCode, 5, refused.stderr)
    const added = await gtstore('node', 'add', '--json')
    t.deepEqual(JSON.parse(added.stdout), { id: 'n3' })
    t.is((await status()).state, 'serving')
    t.is((await gtstore('put', 'a', 'b')).exitCode, 0)
  },
)

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  test.serial(`up in the foreground stops on ${signal} with exit code 0`, async (t) => {
    patience(t)
    const { begin, processes } = makeSwarm(t)
    const up = begin('up', ...small)
    await up.said('Ctrl-C stops it')
    t.is(processes().length, 5)
    up.kill(signal)
    const { exitCode, stderr } = await up.ended
    t.is(exitCode, 0, stderr)
    t.regex(stderr, /stopped; the data stays/)
    t.deepEqual(processes(), [])
  })
}

test.serial('a start that is interrupted leaves nothing behind', async (t) => {
  patience(t)
  const { begin, processes, gtstore } = makeSwarm(t)
  for (const detach of [[], ['--detach']]) {
    const up = begin('up', ...detach, ...small)
    while (processes().length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    up.kill('SIGINT')
    t.is((await up.ended).exitCode, 130)
    t.deepEqual(processes(), [])
  }
  t.is((await gtstore('up', '-d', ...small)).exitCode, 0)
})

test.serial('a detached supervisor whose parent died at once starts nothing', async (t) => {
  patience(t)
  const { gtstore, processes, run, data } = makeSwarm(t)
  t.is((await gtstore('up', '-d', ...small)).exitCode, 0)
  t.is((await gtstore('down')).exitCode, 0)
  const options = JSON.parse(readFileSync(join(data, 'swarm.json'), 'utf8'))
  const plan = JSON.stringify({ run, data, options, logLevel: 'info' })
  const main = fileURLToPath(new URL('./main.js', import.meta.url))
  const supervisor = spawn(process.execPath, [main, 'supervise', plan], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  supervisor.disconnect()
  t.deepEqual(await once(supervisor, 'exit'), [143, null])
  t.deepEqual(processes(), [])
})

test.serial('a new swarm does not adopt the processes of another', async (t) => {
  patience(t)
  const { gtstore, processes, root, run } = makeSwarm(t)
  t.is((await gtstore('up', '-d', ...small)).exitCode, 0)
  for (const { role, pid } of processes()) if (role !== 'node') process.kill(pid, 'SIGKILL')
  while (processes().length > 3) await new Promise((resolve) => setTimeout(resolve, 5))
  const { exitCode, stderr } = await gtstore('up', '-d', '--data', join(root, 'd2'), ...small)
  t.is(exitCode, 1)
  t.true(stderr.includes(run), stderr)
  t.regex(stderr, /n1\.1 .*next: .*down.*--dir/s)
  t.false(existsSync(join(root, 'd2')))
  t.is(processes().length, 3)
  t.is((await gtstore('down')).exitCode, 0)
  t.deepEqual(processes(), [])
})

test.serial('a start that fails shows why, and leaves nothing behind', async (t) => {
  patience(t)
  const { gtstore, processes, data } = makeSwarm(t)
  mkdirSync(data, { mode: 0o700 })
  writeFileSync(join(data, 'manager'), 'where the journal should be')
  for (const detach of [[], ['--detach']]) {
    const { exitCode, stderr } = await gtstore('up', ...detach, ...small)
    t.is(exitCode, 1)
    t.regex(stderr, /did not start: the manager ended: cannot open the journal in .*; everything/)
    t.is(stderr.match(/gtstore manager: /g)?.length, 1, 'nothing of an earlier start is shown')
    t.regex(stderr, /next: /)
    t.deepEqual(processes(), [])
    t.false(existsSync(join(data, 'swarm.json')), 'other options may be tried')
  }
})

test.serial('a store or a journal of another format: the start says so', async (t) => {
  patience(t)
  const { gtstore, processes, data } = makeSwarm(t)
  t.is((await gtstore('up', '-d', ...small)).exitCode, 0)
  t.is((await gtstore('down')).exitCode, 0)
  for (const [folder, formatKey, who] of [
    ['nodes/n2', 'mengine.format', 'n2 ended 3 times'],
    ['manager', 'format', 'the manager ended'],
  ] as const) {
    const level = new ClassicLevel(join(data, folder))
    await level.put(formatKey, '99')
    await level.close()
    const { exitCode, stderr } = await gtstore('up', '-d')
    t.is(exitCode, 1)
    const head = new RegExp(
      `did not start: ${who}: the .* has format 99, this program reads format 1`,
    )
    t.regex(stderr, head)
    t.false(/--- n[13]|--- supervisor/.test(stderr), stderr)
    t.deepEqual(processes(), [])
  }
})

test.serial('bad options and directories: exit code 2, and what to do about it', async (t) => {
  patience(t)
  const { gtstore, root } = makeSwarm(t)
  symlinkSync('/tmp', join(root, 'link'))
  writeFileSync(join(root, 'file'), '')
  for (const [args, said] of [
    [['--nodes', '0'], /whole number from 1 to 256/],
    [['--replicas', 'three'], /whole number from 1 to 256/],
    [['--read-quorum', '4'], /more than the 3 replicas/],
    [['--durability', 'paper'], /Allowed choices are sync, write, memory/],
    [['--bogus'], /unknown option '--bogus'/],
    [['--dir', join(root, 'link')], /is refused: it is a symlink/],
    [['--data', join(root, 'link')], /is refused: it is a symlink/],
    [['--dir', join(root, 'file')], /is refused: it is not a directory/],
    [['--data', join(root, 'file')], /is refused: it is not a directory/],
    [['--data', join(root, 'file', 'below')], /it lies below what is not a directory/],
    [['--dir', join(root, 'x'.repeat(100))], /name a shorter run directory/],
    [['--swarm', 'a/b'], /swarm name "a\/b"/],
  ] as const) {
    const { exitCode, stderr } = await gtstore('up', '-d', ...args)
    t.is(exitCode, 2, stderr)
    t.regex(stderr, said)
    t.regex(stderr, /next: /)
  }
})
