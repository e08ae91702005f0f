/** Calls that ask for too much are refused before anything is written, in words. */
import test from 'ava'
import { init } from '../client/index.js'
import { connect, startSwarm } from './swarm.fixture.js'

test.serial(
  'keys, values and quorums outside their limits are refused, and change nothing',
  async (t) => {
    t.timeout(60_000)
    const swarm = await startSwarm(t, { nodes: 3, valueBytesMax: 100_000 })
    const client = await connect(t, swarm)
    const refusals: readonly (readonly [Promise<unknown>, string])[] = [
      [client.put('', 'value'), 'INVALID_ARGUMENT'],
      [client.put('k'.repeat(1025), 'value'), 'TOO_LARGE'],
      [client.put('key', 'v'.repeat(100_001)), 'TOO_LARGE'],
      [client.put('key', 'value', { w: 4 }), 'INVALID_ARGUMENT'],
      [client.put('key', 'value', { w: 0 }), 'INVALID_ARGUMENT'],
      [client.get('key', { r: 4 }), 'INVALID_ARGUMENT'],
      [client.get('key', { r: -1 }), 'INVALID_ARGUMENT'],
    ]
    for (const [call, code] of refusals) {
      const error = await t.throwsAsync(call)
      t.like(error, { code, definite: true })
    }
    t.is(await client.get('key'), undefined)
    await client.put('k'.repeat(1024), 'v'.repeat(100_000), { w: 3 })
    t.is((await client.get('k'.repeat(1024), { r: 3 }))?.value.length, 100_000)
  },
)

test.serial(
  'fewer nodes than copies: requests are refused clearly, and accepted once there are enough',
  async (t) => {
    t.timeout(60_000)
    const swarm = await startSwarm(t, { nodes: 3 })
    const client = await connect(t, swarm, { timeoutMs: 1_000 })
    await client.put('key', 'value')
    const [leaver] = (await swarm.status()).nodes
    await swarm.leave(leaver?.id ?? '')
    const error = await t.throwsAsync(client.get('key'))
    t.like(error, { code: 'FORMING', definite: true })
    t.is((await swarm.status()).state, 'forming')
    swarm.spawnNode()
    await swarm.settled(3)
    t.is((await client.get('key'))?.value, 'value')
  },
)

test.serial('no swarm: init says so at once, naming the directory', async (t) => {
  t.timeout(20_000)
  const error = await t.throwsAsync(init({ dir: '/tmp/gtstore-nobody-here', timeoutMs: 300 }))
  t.like(error, { code: 'CANNOT_CONNECT' })
  t.regex(error.message, /gtstore-nobody-here/)
})
