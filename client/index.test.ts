import { spawn } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ownProcessId } from '../shared/os/linux.js'
import { openRingFiles } from '../shared/os/ring-files.js'
import { fakeSwarm } from './fake-swarm.fixture.js'
import { type Client, GTStoreError, init } from './index.js'
import { ringOf } from './scripted.fixture.js'

test.beforeEach((t) => t.timeout(20_000))

/** A client that ends with the test, before its swarm does. */
function finalized<C extends Client<never, unknown>>(t: ExecutionContext, client: C): C {
  t.teardown(() => client.finalize())
  return client
}

test('put, get, overwrite, delete', async (t) => {
  const { run } = await fakeSwarm(t)
  const store = finalized(t, await init({ dir: run }))
  t.is(store.id, 42)
  t.is(await store.get('city'), undefined)
  const first = await store.put('city', 'Köln')
  t.regex(first.version, /^3\.\d+\.[0-9a-f]{16}$/)
  t.deepEqual(await store.get('city'), { value: 'Köln', version: first.version, node: 'n1' })
  t.deepEqual(await store.delete('city'), { existed: true })
  t.deepEqual(await store.delete('city'), { existed: false })
  t.is(await store.get('city'), undefined)
})

test('every encoding brings back what was put', async (t) => {
  const { run } = await fakeSwarm(t)
  const text = finalized(t, await init({ dir: run, valueEncoding: 'utf8' }))
  await text.put('k', '')
  t.is((await text.get('k'))?.value, '')

  const raw = finalized(t, await init({ dir: run, valueEncoding: 'buffer' }))
  await raw.put('k', new Uint8Array([0, 255, 128]))
  t.deepEqual((await raw.get('k'))?.value, Buffer.from([0, 255, 128]))

  const json = finalized(
    t,
    await init<{ names: string[] } | null>({ dir: run, valueEncoding: 'json' }),
  )
  await json.put('k', { names: ['a', 'ü'] })
  t.deepEqual((await json.get('k'))?.value, { names: ['a', 'ü'] })
  await json.put('k', null)
  t.is((await json.get('k'))?.value, null)

  const cbor = finalized(t, await init({ dir: run, valueEncoding: 'cbor' }))
  const value = { at: new Date(5), bytes: Buffer.from([1, 2]), map: new Map([[1, 'x']]), n: -1.5 }
  await cbor.put('k', value)
  t.deepEqual((await cbor.get('k'))?.value, value)
})

test('a call may have an encoding of its own', async (t) => {
  const { run } = await fakeSwarm(t)
  const store = finalized(t, await init({ dir: run }))
  await store.put('k', { a: 1 }, { valueEncoding: 'json' })
  t.is((await store.get('k'))?.value, '{"a":1}')
  t.deepEqual((await store.get('k', { valueEncoding: 'json' }))?.value, { a: 1 })
})

test('values that do not fit their encoding are refused, both ways', async (t) => {
  const { run } = await fakeSwarm(t)
  const store = finalized(t, await init({ dir: run }))
  const refused = { instanceOf: GTStoreError, code: 'INVALID_ARGUMENT' }
  const circle: unknown[] = []
  circle.push(circle)
  await t.throwsAsync(store.put('k', 5 as unknown as string), refused)
  await t.throwsAsync(store.put('k', 'text' as never, { valueEncoding: 'buffer' }), refused)
  await t.throwsAsync(store.put('k', undefined, { valueEncoding: 'json' }), refused)
  await t.throwsAsync(store.put('k', circle, { valueEncoding: 'json' }), refused)
  await t.throwsAsync(store.put('k', undefined, { valueEncoding: 'cbor' }), refused)
  await t.throwsAsync(store.put('k', '', { valueEncoding: 'xml' as 'utf8' }), refused)
  await t.throwsAsync(store.put(5 as unknown as string, ''), refused)
  await store.put('k', Buffer.from([0xff, 0xfe]), { valueEncoding: 'buffer' })
  await t.throwsAsync(store.get('k'), { ...refused, message: /not UTF-8.*'buffer'/ })
  await t.throwsAsync(store.get('k', { valueEncoding: 'json' }), refused)
  await t.throwsAsync(store.get('k', { valueEncoding: 'cbor' }), refused)
})

test('keys are bytes: a string is its UTF-8', async (t) => {
  const { run } = await fakeSwarm(t)
  const store = finalized(t, await init({ dir: run }))
  await store.put('ä', 'v')
  t.is((await store.get(new Uint8Array([0xc3, 0xa4])))?.value, 'v')
  await t.throwsAsync(store.get(''), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(store.get('ä'.repeat(513)), { code: 'TOO_LARGE' })
  await t.throwsAsync(store.put('k', 'v'.repeat(100_001)), { code: 'TOO_LARGE' })
  await t.throwsAsync(store.get('k', { r: 4 }), { code: 'INVALID_ARGUMENT', message: /N=3/ })
})

test('what is got belongs to the caller', async (t) => {
  const { run } = await fakeSwarm(t)
  const store = finalized(t, await init({ dir: run, valueEncoding: 'buffer' }))
  const values = Array.from({ length: 200 }, (_, i) => Buffer.alloc(100, i))
  await Promise.all(values.map((value, i) => store.put(`k${i}`, value)))
  const found = await Promise.all(values.map((_, i) => store.get(`k${i}`)))
  for (const each of found.slice(100)) each?.value.fill(0)
  t.deepEqual(
    found.slice(0, 100).map((each) => each?.value),
    values.slice(0, 100),
  )
})

test('a signal gives a call up', async (t) => {
  const swarm = await fakeSwarm(t)
  const store = finalized(t, await init({ dir: swarm.run }))
  const arrived = new Promise<void>((resolve) => {
    swarm.handler = () => {
      resolve()
      return false
    }
  })
  const reason = new Error('enough')
  const controller = new AbortController()
  const put = store.put('k', 'v', { signal: controller.signal })
  await arrived
  controller.abort(reason)
  const sent = await t.throwsAsync(put, { code: 'ABORTED' })
  t.like(sent, { definite: false, cause: reason })
  const refused = store.put('k', 'v', { signal: controller.signal })
  const unsent = await t.throwsAsync(refused, { code: 'ABORTED' })
  t.like(unsent, { definite: true, cause: reason })
})

test('options that are none are refused before anything is sent', async (t) => {
  const swarm = await fakeSwarm(t)
  const store = finalized(t, await init({ dir: swarm.run }))
  let sent = 0
  swarm.handler = () => {
    sent++
    return true
  }
  const refused = { instanceOf: GTStoreError, code: 'INVALID_ARGUMENT' }
  const signal = new AbortController() as unknown as AbortSignal
  for (const options of [{ signal }, null as never, { timeoutMs: 0.5 }, { timeoutMs: 60_001 }]) {
    await t.throwsAsync(store.put('k', 'v', options), refused)
    await t.throwsAsync(store.get('k', options), refused)
    await t.throwsAsync(store.delete('k', options), refused)
    await t.throwsAsync(init(options === null ? options : { dir: swarm.run, ...options }), refused)
  }
  t.is(sent, 0)
})

test('an option that a method does not know is refused, and the known ones are named', async (t) => {
  const swarm = await fakeSwarm(t)
  const store = finalized(t, await init({ dir: swarm.run }))
  const misspelt = (method: string, names: string) => ({
    instanceOf: GTStoreError,
    code: 'INVALID_ARGUMENT',
    message: `${method} has no option "ifabsent", it has ${names}`,
  })
  const options = { ifabsent: true } as never
  const ofWrites = 'signal, timeoutMs, valueEncoding, w'
  const ofPut = `context, ifAbsent, ifPresent, ifVersion, ${ofWrites}`
  await t.throwsAsync(store.put('k', 'v', options), misspelt('put', ofPut))
  const ofGet = 'r, signal, timeoutMs, valueEncoding'
  await t.throwsAsync(store.get('k', options), misspelt('get', ofGet))
  await t.throwsAsync(store.read('k', options), misspelt('get', ofGet))
  await t.throwsAsync(store.explain('k', options), misspelt('explain', ofGet))
  await t.throwsAsync(store.create('k', 'v', options), misspelt('create', ofWrites))
  const ofUpdate = `context, ifVersion, ${ofWrites}`
  await t.throwsAsync(store.update('k', 'v', options), misspelt('update', ofUpdate))
  const ofDelete = 'context, ifPresent, ifVersion, signal, timeoutMs, w'
  await t.throwsAsync(store.delete('k', options), misspelt('delete', ofDelete))
  const ofInit = 'dir, signal, swarm, timeoutMs, valueEncoding, via'
  const begun = init({ dir: swarm.run, ifabsent: true } as never)
  await t.throwsAsync(begun, misspelt('init', ofInit))
})

test('half a surrogate pair has no bytes: it would become another key, or another value', async (t) => {
  const { run } = await fakeSwarm(t)
  const store = finalized(t, await init({ dir: run }))
  const refused = { instanceOf: GTStoreError, code: 'INVALID_ARGUMENT', message: /surrogate/ }
  for (const half of ['\ud800', 'a\udc00', `${'x'.repeat(100)}\ud800b`]) {
    await t.throwsAsync(store.put(half, 'v'), refused)
    await t.throwsAsync(store.get(half, { valueEncoding: 'json' }), refused)
    await t.throwsAsync(store.delete(half), refused)
    await t.throwsAsync(store.put('k', half), refused)
    const values = [half, [half], { [half]: 1 }, { a: [{ b: half }] }, new Map([[half, 1]])]
    for (const value of [...values, new Set([half])]) {
      await t.throwsAsync(store.put('k', value, { valueEncoding: 'cbor' }), refused)
    }
    await store.put('k', { [half]: half }, { valueEncoding: 'json' })
    const found = await store.get('k', { valueEncoding: 'json' })
    t.deepEqual(found?.value, { [half]: half }, 'JSON escapes it')
  }
  const whole = '\u{1f600} \ufffd \ud7ff'
  await store.put(whole, whole)
  t.is((await store.get(whole))?.value, whole)
  await store.put('k', { whole, bytes: Buffer.from([0xed, 0xef]) }, { valueEncoding: 'cbor' })
  t.like((await store.get('k', { valueEncoding: 'cbor' }))?.value, { whole })
})

test('any number of calls may share a signal', async (t) => {
  const swarm = await fakeSwarm(t)
  const store = finalized(t, await init({ dir: swarm.run }))
  const warnings: Error[] = []
  const warned = (warning: Error) => warnings.push(warning)
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  const controller = new AbortController()
  const { signal } = controller
  const names = Array.from({ length: 20 }, (_, index) => `k${index}`)
  for (let round = 0; round < 2; round++) {
    await Promise.all(names.map((name) => store.put(name, 'v', { signal })))
    t.is(getEventListeners(signal, 'abort').length, 0)
  }
  swarm.handler = () => false
  const gets = names.map((name) => store.get(name, { signal }))
  t.is(getEventListeners(signal, 'abort').length, 1)
  controller.abort(new Error('enough'))
  for (const get of gets) await t.throwsAsync(get, { code: 'ABORTED' })
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(warnings, [])
})

test('finalize lets pending calls end, then every call fails', async (t) => {
  const swarm = await fakeSwarm(t)
  const store = await init({ dir: swarm.run })
  const put = store.put('k', 'v')
  const silent = new Promise<void>((resolve) => {
    swarm.handler = (_from, message) => {
      if (message.kind !== 'get') return true
      resolve()
      return false
    }
  })
  const get = store.get('k', { timeoutMs: 300 })
  await silent
  const end = store.finalize()
  t.is(store.finalize(), end)
  await t.throwsAsync(store.get('k'), { code: 'CLOSED' })
  await t.notThrowsAsync(put)
  await t.throwsAsync(get, { code: 'TIMEOUT' })
  await end
  await t.throwsAsync(store.delete('k'), { code: 'CLOSED' })
})

test('await using finalizes', async (t) => {
  const { run } = await fakeSwarm(t)
  let used: Client | undefined
  {
    await using store = await init({ dir: run })
    used = store
    await store.put('k', 'v')
  }
  await t.throwsAsync(used.get('k'), { code: 'CLOSED' })
})

test('a dead forwarder: the call goes to another node', async (t) => {
  const swarm = await fakeSwarm(t, ['n1.1', 'n2.1'])
  const store = finalized(t, await init({ dir: swarm.run }))
  let asked = ''
  swarm.handler = (_from, message, node) => {
    if (message.kind !== 'put') return true
    asked += `${node.address} `
    if (node.address !== 'n1.1') return true
    void node.runtime.close()
    return false
  }
  await store.put('k', 'v')
  t.is(asked, 'n1.1 n2.1 ')
})

test('without a manager a node that the ring file names registers the client', async (t) => {
  const swarm = await fakeSwarm(t)
  await swarm.stop('manager')
  const member = { id: 'n1', incarnation: 1, ...ownProcessId() }
  const ring = ringOf([1], 6)
  openRingFiles(swarm.run).publish({ ...ring, members: [member] })
  const store = finalized(t, await init({ dir: swarm.run }))
  t.is(store.id, 42)
  t.regex((await store.put('k', 'v')).version, /^3\./)
})

test('a client outlives everybody it knew', async (t) => {
  const swarm = await fakeSwarm(t)
  const store = finalized(t, await init({ dir: swarm.run }))
  await store.put('k', 'v')
  await swarm.stop('n1.1')
  await swarm.stop('manager')
  const found = store.get('k')
  const definite = await t.throwsAsync(store.put('k', 'w', { timeoutMs: 100 }))
  t.like(definite, { code: 'CANNOT_CONNECT', definite: true })
  swarm.nodes = ['n1.2']
  await swarm.start('n1.2')
  await swarm.start('manager')
  t.is((await found)?.value, 'v')
})

test('nobody there: says where and what to do', async (t) => {
  const run = mkdtempSync(join(tmpdir(), 'gts-client-'))
  t.teardown(() => rmSync(run, { recursive: true }))
  const unreached = { instanceOf: GTStoreError, code: 'CANNOT_CONNECT' }
  await t.throwsAsync(init({ dir: run, timeoutMs: 50 }), {
    ...unreached,
    message: /no manager runs in .*gtstore up/,
  })
  await t.throwsAsync(init({ dir: join(run, 'none'), timeoutMs: 50 }), {
    ...unreached,
    message: /none does not exist.*gtstore up/,
  })
})

test('directories that are not to be trusted, and options that make no sense', async (t) => {
  const { run } = await fakeSwarm(t)
  const link = `${run}-link`
  symlinkSync(run, link)
  t.teardown(() => rmSync(link))
  const refused = { instanceOf: GTStoreError, code: 'INVALID_ARGUMENT' }
  await t.throwsAsync(init({ dir: link }), { ...refused, message: /symlink/ })
  await t.throwsAsync(init({ dir: join(run, 'x'.repeat(100)) }), refused)
  for (const timeoutMs of [0, 60_001, Number.POSITIVE_INFINITY, Number.NaN, '5' as never]) {
    await t.throwsAsync(init({ dir: run, timeoutMs }), { ...refused, message: /1 to 60000/ })
  }
  await t.throwsAsync(init({ dir: run, valueEncoding: 'xml' as 'utf8' }), refused)
  await t.throwsAsync(init({ dir: run, swarm: 'a/b' }), refused)
  const texts = { ...refused, message: /is 5, not a string/ }
  await t.throwsAsync(init({ dir: run, swarm: 5 as never }), texts)
  await t.throwsAsync(init({ dir: run, via: 5 as never }), texts)
  await t.throwsAsync(init({ dir: '' }), { ...refused, message: /dir is empty/ })
  await t.throwsAsync(init({ dir: run, via: 'n9' }), { code: 'NOT_FOUND', message: /n9/ })
})

test('init can be aborted', async (t) => {
  const swarm = await fakeSwarm(t)
  swarm.handler = () => false
  const controller = new AbortController()
  const pending = init({ dir: swarm.run, signal: controller.signal })
  controller.abort()
  await t.throwsAsync(pending, { code: 'ABORTED' })
  await t.throwsAsync(init({ dir: swarm.run, signal: controller.signal }), { code: 'ABORTED' })
})

/** Runs a program with the library, and gives what it printed and its exit code. */
async function runProgram(run: string, source: string) {
  const library = new URL('./index.js', import.meta.url).href
  const program = `import { init } from ${JSON.stringify(library)}\n${source}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, GTSTORE_DIR: run },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  const [code] = await once(child, 'close')
  return { printed: printed.trim(), code }
}

test('an open client does not keep its process alive', async (t) => {
  const { run } = await fakeSwarm(t)
  const source = `const store = await init(); await store.put('k', 'v'); console.log('done')`
  t.deepEqual(await runProgram(run, source), { printed: 'done', code: 0 })
})

test('a pending call keeps its process alive until it ends', async (t) => {
  const swarm = await fakeSwarm(t)
  swarm.handler = (_from, message) => message.kind !== 'get'
  const source = `
    const store = await init()
    await store.get('k', { timeoutMs: 400 }).catch((error) => console.log(error.code))
    await store.put('k', 'v')
    await store.finalize()
    console.log('finalized')`
  t.deepEqual(await runProgram(swarm.run, source), { printed: 'TIMEOUT\nfinalized', code: 0 })
})
