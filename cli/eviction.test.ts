/** What becomes of the processes of nodes that lost their place. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import test from 'ava'
import { makeSwarm } from './swarm.fixture.js'

test('evicted, a node joins as new without its data; taken out by force, it stays away', async (t) => {
  t.timeout(120_000)
  const { gtstore, status, data } = makeSwarm(t)
  const up = await gtstore('up', '-d', '-n', '4', '--durability', 'write', '--evict-after', '1s')
  t.is(up.exitCode, 0, up.stderr)
  t.is((await gtstore('put', 'key', 'value')).exitCode, 0)
  const members = async () => (await status()).nodes.map(({ id, state }) => `${id} ${state}`).sort()
  const until = async (expected: readonly string[]) => {
    while (`${await members()}` !== `${expected}`) await delay(50)
  }
  const store = (node: string) => existsSync(join(data, 'nodes', node))
  t.is((await gtstore('node', 'pause', 'n4')).exitCode, 0)
  await until(['n1 active', 'n2 active', 'n3 active', 'n5 active'])
  t.deepEqual([store('n4'), store('n5')], [false, true])
  t.is((await gtstore('node', 'pause', 'n5')).exitCode, 0)
  t.is((await gtstore('node', 'remove', 'n5', '--force')).exitCode, 0)
  const log = join(data, 'logs', 'supervisor.log')
  while (!/n5 was taken out of the swarm/.test(readFileSync(log, 'utf8'))) await delay(50)
  await until(['n1 active', 'n2 active', 'n3 active'])
  t.is((await gtstore('get', 'key')).stdout, 'value')
  t.is((await gtstore('run', 'node', '--node', 'n5')).exitCode, 9)
})

test('with --restart never, an evicted node that is started again joins as new', async (t) => {
  t.timeout(120_000)
  const { gtstore, status } = makeSwarm(t)
  const options = ['-n', '4', '--durability', 'write', '--evict-after', '1s', '--restart', 'never']
  const up = await gtstore('up', '-d', ...options)
  t.is(up.exitCode, 0, up.stderr)
  t.is((await gtstore('node', 'kill', 'n4')).exitCode, 0)
  while ((await status()).nodes.length > 3) await delay(50)
  const restarted = await gtstore('node', 'restart', 'n4')
  t.regex(restarted.stdout, /^n4 has lost its place for good: .* joins as n5$/m)
  while ((await status()).nodes.filter(({ state }) => state === 'active').length < 4)
    await delay(50)
})
