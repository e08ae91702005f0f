/**
 * Disks that fail and disks that fill up, under real processes: system calls that return errors
 * (strace), and a small disk of the swarm's own (a tmpfs in a user namespace).
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import type { FullDiskFindings } from './full-disk.fixture.js'
import { connect, startSwarm } from './swarm.fixture.js'
import { VerifiedLoad } from './verified-load.js'

const canTrace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0
const traceTest = canTrace ? test.serial : test.serial.skip

const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0
const mountTest = canMount ? test.serial : test.serial.skip

/** Lets system calls of the process fail from now on; those on the files alone, if there are any. */
async function failCalls(
  t: ExecutionContext,
  pid: number,
  calls: string,
  files: readonly string[] = [],
): Promise<void> {
  const paths = files.flatMap((file) => ['-P', file])
  const inject = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=EIO`]
  const strace = spawn('strace', ['-f', '-p', `${pid}`, ...paths, ...inject], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.teardown(() => strace.kill('SIGKILL'))
  const [line] = await once(strace.stderr, 'data')
  t.regex(String(line), /attached/)
  strace.stderr.resume()
}

/** Logs of LevelDB: where writes go first. */
function logsBelow(path: string): string[] {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => /\d+\.log$/.test(name)).map((name) => join(path, name))
}

const faults = {
  sync: 'fsync,fdatasync',
  write: 'write,pwrite64,writev',
}

for (const [fault, calls] of Object.entries(faults)) {
  traceTest(`a ${fault} that fails is never acknowledged, and ends its node alone`, async (t) => {
    t.timeout(120_000)
    const swarm = await startSwarm(t, { nodes: 4, durability: 'sync', logLevel: 'warn' })
    const [writer, reader] = await Promise.all([connect(t, swarm), connect(t, swarm)])
    const load = new VerifiedLoad({ writer, reader, keys: 400, inFlight: 8 })
    t.teardown(() => load.stop())
    await load.preload()
    load.start()
    const { nodes } = await swarm.status()
    const [{ id, pid }] = nodes as [(typeof nodes)[number]]
    const child = swarm.childOf(pid)
    const ended = once(child, 'exit')
    const files = fault === 'write' ? logsBelow(join(swarm.data, 'nodes', id)) : []
    await failCalls(t, pid, calls, files)
    t.deepEqual(await ended, [1, null])
    t.regex(swarm.printed, /the store failed: this node stops serving/)
    const before = load.verdict.operations
    await new Promise<void>((resolve) => {
      const look = () => (load.verdict.operations > before + 500 ? resolve() : setImmediate(look))
      look()
    })
    swarm.spawnNode(id)
    await swarm.settled(4)
    await load.stop()
    await load.verify()
    const { failed, wrong, missing, examples } = load.verdict
    t.deepEqual(
      { failed, wrong, missing, examples },
      { failed: 0, wrong: 0, missing: 0, examples: [] },
    )
  })
}

async function onSmallDisk(t: ExecutionContext, story: string): Promise<FullDiskFindings> {
  const root = mkdtempSync(join(tmpdir(), 'gtstore-disk-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const program = fileURLToPath(new URL('full-disk.fixture.js', import.meta.url))
  const script = 'mount -t tmpfs -o size=64m none "$1" && exec "$2" "$3" "$1" "$4"'
  const inside = ['sh', '-c', script, 'sh', root, process.execPath, program, story]
  const child = spawn('unshare', ['-rm', ...inside], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let [printed, errors] = ['', '']
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`exit code ${code}: ${errors}`)
  return JSON.parse(printed)
}

mountTest('a nearly full disk: reads go on, writes are refused until there is room', async (t) => {
  t.timeout(120_000)
  const findings = await onSmallDisk(t, 'reserve')
  t.deepEqual(findings, {
    codes: ['DISK_FULL'],
    wrongWhileFull: [],
    wrongAfter: [],
    before: 300,
    after: 300,
    readOnly: 4,
    ended: 0,
  })
})

mountTest('a disk that is full in the middle of writing loses nothing acknowledged', async (t) => {
  t.timeout(120_000)
  const { wrongAfter, before, after, codes, ended } = await onSmallDisk(t, 'brim')
  t.log({ codes, ended })
  t.deepEqual(wrongAfter, [])
  t.is(before, 300)
  t.is(after, 300)
  t.true(codes.length > 0)
})
