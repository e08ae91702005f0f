import test, { type ExecutionContext } from 'ava'
import { makeSwarm, type SwarmFixture } from './swarm.fixture.js'

test.beforeEach((t) => t.timeout(180_000))

async function swarmOf(t: ExecutionContext, ...options: string[]): Promise<SwarmFixture> {
  const swarm = makeSwarm(t)
  const up = await swarm.gtstore('up', '-d', '-n', '4', '--durability', 'memory', ...options)
  t.is(up.exitCode, 0, up.stderr)
  return swarm
}

test('chain: conditions hold or fail with exit code 4 and the version met', async (t) => {
  const { gtstore, status } = await swarmOf(t, '--replication', 'chain')
  const json = async (...args: string[]) =>
    JSON.parse((await gtstore(...args, '--json')).stdout) as Record<string, unknown>
  const refused = async (...args: string[]) => {
    const { exitCode, stderr } = await gtstore(...args, '--json')
    t.is(exitCode, 4, stderr)
    return JSON.parse(stderr).error as Record<string, unknown>
  }
  t.like(await refused('put', 'k', 'v', '--if-present'), {
    code: 'CONDITION_FAILED',
    definite: true,
    version: null,
  })
  const { version: first } = await json('put', 'k', 'one', '--if-absent')
  t.like(await refused('put', 'k', 'x', '--if-absent'), { version: first })
  t.like(await refused('create', 'k', 'x'), { version: first })
  const { version: second } = await json('put', 'k', 'two', '--if-version', String(first))
  t.like(await refused('put', 'k', 'x', '--if-version', String(first)), { version: second })
  t.like(await refused('delete', 'k', '--if-version', String(first)), { version: second })
  t.like(await json('get', 'k'), { value: 'two', version: second })
  const { version: third } = await json('update', 'k', 'three', '--if-version', String(second))
  t.like(await json('delete', 'k', '--if-version', String(third)), { existed: true })
  t.like(await json('delete', 'k'), { existed: false })
  await refused('update', 'k', 'x')
  t.is((await gtstore('get', 'k')).exitCode, 3)
  t.is((await gtstore('create', 'k', 'again')).exitCode, 0)
  t.is((await gtstore('scan', '--all')).stdout, 'k\tagain\n')

  t.is((await status()).mode, 'chain')
  t.regex((await gtstore('status')).stdout, / N=3, durability memory, mode chain,/)
  const { owners, reader } = await json('ring', '--key', 'k')
  t.is(reader, (owners as string[]).at(-1))
  const explained = await gtstore('get', 'k', '--explain')
  t.regex(explained.stdout, /^n\d +tail +current +\S+ +yes/m, explained.stderr)
  for (const [args, message] of [
    [['put', 'k', 'v', '-w', '2'], /UNSUPPORTED.*every member/],
    [['get', 'k', '-r', '2'], /UNSUPPORTED.*one answers/],
    [['put', 'k', 'v', '--context', 'gIzksWs'], /UNSUPPORTED.*--conflicts siblings/],
    [['repair'], /UNSUPPORTED.*nothing to repair/],
  ] as const) {
    const { exitCode, stderr } = await gtstore(...args, '--json')
    t.is(exitCode, 2, stderr)
    t.regex(stderr, message)
  }
  t.is((await gtstore('verify', '--wait', '10')).exitCode, 0)
})

test('chain: of many clients that create one key at once, one does', async (t) => {
  const { gtstore } = await swarmOf(t, '--replication', 'chain')
  const makers = Array.from({ length: 6 }, (_, maker) => gtstore('create', 'k', `of ${maker}`))
  const codes = (await Promise.all(makers)).map(({ exitCode }) => exitCode)
  t.deepEqual([...codes].sort(), [0, 4, 4, 4, 4, 4])
  t.is((await gtstore('get', 'k')).stdout, `of ${codes.indexOf(0)}`)
})

test('siblings: all are shown, and a put with their context takes their place', async (t) => {
  const { gtstore, status } = await swarmOf(t, '--conflicts', 'siblings')
  for (const value of ['one', 'two', 'three']) {
    t.is((await gtstore('put', 'k', value)).exitCode, 0)
  }
  const shown = await gtstore('get', 'k', '--meta')
  t.is(shown.stdout, 'one\ntwo\nthree\n')
  t.regex(shown.stderr, /^node n\d\n3 values were written at the same time.*\ncontext \S+\n$/m)
  const found = JSON.parse((await gtstore('get', 'k', '--json')).stdout)
  t.like(found, { value: 'three', values: ['one', 'two', 'three'] })
  t.regex(shown.stderr, new RegExp(`^context ${found.context}$`, 'm'))
  t.is((await gtstore('put', 'k', 'unseen')).exitCode, 0)
  t.is((await gtstore('put', 'k', 'merged', '--context', found.context)).exitCode, 0)
  t.is((await gtstore('get', 'k')).stdout, 'unseen\nmerged\n', 'what was not seen stays')
  t.is((await gtstore('scan', '--all')).stdout, 'k\tunseen\tmerged\n')
  t.is((await gtstore('delete', 'k', '--context', found.context)).stdout, 'existed: true\n')
  t.is((await gtstore('get', 'k')).stdout, 'unseen\nmerged\n', 'it had seen neither')
  t.is((await gtstore('update', 'k', 'last')).exitCode, 0)
  const one = await gtstore('read', 'k')
  t.is(one.stdout, 'last', 'an update takes the place of what it read')
  t.regex(one.stderr, /^context \S+\n$/)
  t.is((await gtstore('delete', 'k')).stdout, 'existed: true\n')
  t.is((await gtstore('get', 'k')).exitCode, 3)
  t.is((await gtstore('create', 'k', 'anew')).exitCode, 0)
  t.is((await gtstore('create', 'k', 'twice')).exitCode, 4)
  t.is((await status()).mode, 'siblings')
  for (const args of [
    ['put', 'k', 'v', '--if-absent'],
    ['put', 'k', 'v', '--context', 'AAAA'],
  ]) {
    const { exitCode, stderr } = await gtstore(...args)
    t.is(exitCode, 2, stderr)
  }
  t.is((await gtstore('get', 'k')).stdout, 'anew')
  const bench = ['bench', '-n', '200', '-c', '4', '-d', '10', '--json']
  t.like(JSON.parse((await gtstore(...bench)).stdout), { ops: 200, errors: 0 })
  t.like(JSON.parse((await gtstore(...bench)).stdout), { ops: 200, errors: 0 })
  const held = (await gtstore('scan', '--all')).stdout.trimEnd().split('\n')
  t.true(
    held.every((line) => line.split('\t').length < 5),
    'no key holds more than its writers',
  )
})

test('a mode is stored with the data, and another one is refused', async (t) => {
  const { gtstore } = await swarmOf(t, '--conflicts', 'siblings', '--log-operations')
  t.is((await gtstore('put', 'k', 'v')).exitCode, 0)
  t.regex((await gtstore('logs')).stdout, /put succeeded/)
  t.is((await gtstore('down')).exitCode, 0)
  for (const [args, message] of [
    [['--replication', 'chain'], /made with --replication quorum, but --replication chain/],
    [['--conflicts', 'latest'], /made with --conflicts siblings, but --conflicts latest/],
  ] as const) {
    const { exitCode, stderr } = await gtstore('up', '-d', ...args)
    t.is(exitCode, 2)
    t.regex(stderr, message)
  }
  const again = await gtstore('up', '-d', '--conflicts', 'siblings', '--json')
  t.like(JSON.parse(again.stdout), { mode: 'siblings' })
})
