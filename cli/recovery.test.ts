import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { openRingFiles } from '../shared/os/ring-files.js'
import { openSocketRuntime } from '../shared/os/sockets.js'
import type { Message } from '../shared/protocol/messages.js'
import { addressOf, type NodeId } from '../shared/ring/description.js'
import { tokenOf } from '../shared/ring/token.js'
import { makeSwarm } from './swarm.fixture.js'

/** One swarm for the whole file; nothing is started again by itself. */
const ends: (() => Promise<void>)[] = []
const swarm = makeSwarm({ teardown: (end) => ends.push(end) })
const { gtstore, status, begin } = swarm
const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`)

test.before(async (t) => {
  t.timeout(60_000)
  const options = ['-n', '5', '--durability', 'write', '--restart', 'never', '--evict-after', '10m']
  const up = await gtstore('up', '-d', ...options)
  if (up.exitCode !== 0) throw new Error(up.stderr)
  for (const key of keys) t.is((await gtstore('put', key, 'value')).exitCode, 0)
})

test.after.always(async () => {
  for (const end of ends) await end()
})

async function json(...args: readonly string[]) {
  const { exitCode, stdout, stderr } = await gtstore(...args, '--json')
  return { exitCode, stderr, ...JSON.parse(stdout || '{}') }
}

async function ownersOf(key: string): Promise<NodeId[]> {
  return JSON.parse((await gtstore('ring', '--key', key, '--json')).stdout).owners
}

/** Writes to one node alone, as no coordinator would: the other owners do not hear of it. */
async function writeBehind(node: NodeId, key: string): Promise<void> {
  const ring = openRingFiles(swarm.run).newest()
  const member = ring?.members.find(({ id }) => id === node)
  if (ring === undefined || member === undefined) throw new Error(`${node} is no member`)
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const runtime = await openSocketRuntime({ run: swarm.run, self: 'stray', listen: false, log })
  const answered = new Promise<Message>((resolve) => {
    runtime.attach({ opened() {}, closed() {}, received: (_from, message) => resolve(message) })
  })
  const { boot, epoch } = ring
  const bytes = Buffer.from(key)
  const born = runtime.hostMicros()
  runtime.send(addressOf(member), {
    kind: 'replica.put',
    attached: null,
    id: 1,
    epoch,
    token: tokenOf(bytes),
    key: bytes,
    value: Buffer.from('stray'),
    version: { boot, micros: born, writer: '00000000000000aa' },
    born,
  })
  const { kind } = await answered
  await runtime.close()
  if (kind !== 'replica.put.ok') throw new Error(`answered by ${kind}`)
}

async function allActive(): Promise<void> {
  for (;;) {
    const { nodes, state } = await status()
    if (state === 'serving' && nodes.every((node) => node.state === 'active')) return
    await delay(20)
  }
}

test.serial('verify: all copies are there; transfers: nothing moves', async (t) => {
  t.timeout(120_000)
  const verified = await json('verify', '--wait', '10')
  t.like(verified, { exitCode: 0, clean: true, keys: 20, copies: 60, members: 5 })
  t.like(verified, { missing: 0, misplaced: 0, divergent: 0, beyond: 0, changing: false })
  const told = await gtstore('verify')
  t.regex(told.stdout, /^epoch \d+: 20 keys, 60 copies on 5 nodes\nmissing 0, misplaced 0, /)
  const { exitCode, nodes, changes } = await json('transfers')
  t.is(exitCode, 0)
  t.deepEqual(changes, [])
  t.deepEqual(
    nodes.map((node: object) => Object.keys(node).sort().join(' ')),
    Array(5).fill('handoff hints id repair state'),
  )
  t.regex((await gtstore('transfers')).stdout, /^n3 +active +0\/0 +0 +0 B +0 +0 B /m)
  const watching = begin('transfers', '--watch', '--json')
  await watching.said('\n{')
  watching.kill('SIGINT')
  t.is((await watching.ended).exitCode, 130)
})

test.serial('copies that are missing are found by verify and made by repair', async (t) => {
  t.timeout(120_000)
  // None begins by itself for a while then.
  t.is((await json('repair')).exitCode, 0)
  const [owner = '', ...others] = await ownersOf('stray')
  await writeBehind(owner, 'stray')
  const found = await json('verify')
  t.like(found, { exitCode: 1, clean: false, keys: 21, copies: 61, missing: 2, divergent: 0 })
  t.like(found.examples[0], { key: 'stray', missing: others })
  const told = await gtstore('verify')
  t.is(told.exitCode, 1)
  t.regex(told.stdout, new RegExp(`^  "stray": missing on ${others.join(' ')}$`, 'm'))
  const repaired = await json('repair')
  t.is(repaired.exitCode, 0, JSON.stringify(repaired))
  t.true(repaired.complete)
  t.true(repaired.received + repaired.given >= 2)
  t.is(repaired.nodes.length, 5)
  t.like(await json('verify'), { exitCode: 0, clean: true, copies: 63 })
  const again = await gtstore('repair')
  t.is(again.exitCode, 0, again.stderr)
  t.regex(again.stdout, /nothing had to be mended: 0 records received, 0 given\n$/)
})

test.serial('another version on one owner, and a copy on a node that is no owner', async (t) => {
  t.timeout(120_000)
  const [, key = ''] = keys
  const owners = await ownersOf(key)
  const stranger = (await status()).nodes.find(({ id }) => !owners.includes(id))?.id ?? ''
  await writeBehind(stranger, key)
  await writeBehind(owners[1] ?? '', key)
  const found = await json('verify')
  t.like(found, { exitCode: 1, copies: 64, missing: 0, divergent: 2, misplaced: 1, beyond: 1 })
  const divergent = [owners[0], owners[2]]
  t.like(found.examples[0], { key, divergent, misplaced: [stranger] })
  const one = await json('repair', '--node', owners[1] ?? '')
  t.is(one.exitCode, 0, JSON.stringify(one))
  t.deepEqual(
    one.nodes.map(({ id }: { id: NodeId }) => id),
    [owners[1]],
  )
  t.like(await json('verify'), { exitCode: 1, divergent: 0, misplaced: 1, beyond: 1 })
  t.is((await gtstore('get', key)).stdout, 'stray')
  // A node that starts wipes what it does not own.
  t.is((await gtstore('node', 'restart', stranger)).exitCode, 0)
  await allActive()
  t.like(await json('verify', '--wait', '10'), { exitCode: 0, clean: true, copies: 63 })
})

test.serial(
  'a node that is down: its copies are not counted, its ranges not repaired',
  async (t) => {
    t.timeout(120_000)
    t.is((await gtstore('node', 'kill', 'n5')).exitCode, 0)
    const down = await gtstore('verify')
    t.is(down.exitCode, 1)
    t.regex(down.stdout, /^missing 0, misplaced 0, divergent 0, beyond N 0$/m)
    t.regex(down.stdout, /^n5 is down: copies on it are not counted$/m)
    const repair = await gtstore('repair')
    t.is(repair.exitCode, 1)
    t.regex(repair.stderr, /not all copies were compared: .*n5: it is down\n {2}next: /s)
    const waiting = begin('verify', '--wait', '60')
    t.is((await gtstore('node', 'restart', 'n5')).exitCode, 0)
    t.is((await waiting.ended).exitCode, 0, 'it waits until all is well')
  },
)

test.serial('verify and repair need no manager', async (t) => {
  t.timeout(120_000)
  t.is((await gtstore('node', 'kill', 'manager')).exitCode, 0)
  t.is((await json('repair')).exitCode, 0)
  t.like(await json('verify', '--wait', '10'), { exitCode: 0, clean: true })
  t.is((await gtstore('transfers')).exitCode, 0)
  const manager = begin('run', 'manager')
  while ((await status()).manager?.pid === undefined) await delay(20)
  await allActive()
  t.true(manager.pid > 0)
})

test.serial('writes go on while verify looks: it is clean all the same', async (t) => {
  t.timeout(120_000)
  const load = begin('bench', '-n', '20000', '--mix', '100:0')
  const verified = await json('verify', '--wait', '30')
  t.is(verified.exitCode, 0, JSON.stringify(verified))
  t.is((await load.ended).exitCode, 0)
})

test.serial('a dead node is removed by force, one that hangs is replaced', async (t) => {
  t.timeout(120_000)
  t.is((await gtstore('node', 'kill', 'n5')).exitCode, 0)
  const removed = await json('node', 'remove', 'n5', '--force')
  t.is(removed.exitCode, 0, removed.stderr)
  t.is((await gtstore('node', 'pause', 'n4')).exitCode, 0)
  const replaced = await json('node', 'replace', 'n4', '--force')
  t.is(replaced.exitCode, 0, replaced.stderr)
  t.deepEqual(
    (await status()).nodes.map(({ id }) => id),
    ['n1', 'n2', 'n3', replaced.id],
  )
  t.like(await json('verify', '--wait', '10'), { exitCode: 0, clean: true, members: 4 })
})

test.serial('wrong calls, and nobody there', async (t) => {
  t.timeout(120_000)
  t.is((await gtstore('repair', '--node', 'n77')).exitCode, 1)
  t.is((await gtstore('repair', '--node', '3')).exitCode, 2)
  t.is((await gtstore('verify', '--wait', 'x')).exitCode, 2)
  const loss = await gtstore('node', 'remove', 'n1', '--accept-loss')
  t.is(loss.exitCode, 2)
  t.regex(loss.stderr, /next: `gtstore node remove n1 --force --accept-loss`/)
  for (const command of ['transfers', 'repair', 'verify']) {
    const { exitCode, stderr } = await gtstore(command, '--dir', join(swarm.root, 'elsewhere'))
    t.is(exitCode, 6, stderr)
  }
})
