import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { GTStoreError } from '../protocol/errors.js'
import {
  assertSupportedPlatform,
  hostBootId,
  hostMicros,
  isProcessAlive,
  ownProcessId,
  startTimeOf,
} from './linux.js'
import { listProcesses, writeProcessFile } from './process-files.js'

const root = mkdtempSync(join(tmpdir(), 'gtstore-processes-'))
test.after.always(() => rmSync(root, { recursive: true }))

test('this process is alive, one with its pid and another start is not', (t) => {
  const own = ownProcessId()
  t.is(own.pid, process.pid)
  t.true(isProcessAlive(own))
  t.false(isProcessAlive({ ...own, startTime: '1' }))
  t.is(startTimeOf(2 ** 22 + 1), undefined)
})

test('a killed process is dead at once, also while it is a zombie', async (t) => {
  t.timeout(20_000)
  // The shell's child is killed and not waited for: it stays a zombie as long as the shell sleeps.
  const shell = spawn('sh', ['-c', 'sleep 60 & echo $!; kill -9 $!; echo killed; exec sleep 60'])
  t.teardown(() => shell.kill('SIGKILL'))
  let output = ''
  shell.stdout.on('data', (chunk) => {
    output += chunk
  })
  while (!output.includes('killed')) await once(shell.stdout, 'data')
  const pid = Number(output.split('\n')[0])
  while (startTimeOf(pid) !== undefined) await new Promise(setImmediate)
  t.is(startTimeOf(pid), undefined)
  const id = { pid: shell.pid as number, startTime: startTimeOf(shell.pid as number) as string }
  t.true(isProcessAlive(id))
  shell.kill('SIGKILL')
  await once(shell, 'exit')
  t.false(isProcessAlive(id))
})

test('a name with brackets and spaces does not confuse', async (t) => {
  t.timeout(20_000)
  const odd = spawn(process.execPath, [
    '-e',
    'process.title = "a) Z (b 1 2"; console.log("on"); setInterval(() => {}, 1e6)',
  ])
  t.teardown(() => odd.kill('SIGKILL'))
  await once(odd.stdout, 'data')
  t.regex(startTimeOf(odd.pid as number) ?? '', /^[0-9a-f]{8}-\d+$/)
})

test('the host clock is the one of every process', async (t) => {
  t.timeout(20_000)
  const program = `
    const [s, n] = process.hrtime()
    console.log(s * 1e6 + n / 1e3)
  `
  const before = hostMicros()
  const child = spawn(process.execPath, ['-e', program])
  const [chunk] = await once(child.stdout, 'data')
  const there = Number(chunk)
  t.true(before <= there && there <= hostMicros())
  t.true(Number.isSafeInteger(before))
})

test('the boot has an id', (t) => {
  t.regex(hostBootId(), /^[0-9a-f-]{36}$/)
})

test('a process of an earlier boot with the same pid and ticks is another one', (t) => {
  const run = mkdtempSync(join(root, 'run-'))
  const ticks = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ')[19]
  const own = ownProcessId()
  t.is(own.startTime, `${hostBootId().slice(0, 8)}-${ticks}`)
  const entry = { role: 'node' as const, pid: process.pid }
  writeProcessFile(run, { ...entry, address: 'n1.1', startTime: `${ticks}` })
  writeProcessFile(run, { ...entry, address: 'n2.1', startTime: `0000beef-${ticks}` })
  t.deepEqual(listProcesses(run), [])
})

test('other systems are refused in words', (t) => {
  assertSupportedPlatform('linux')
  const error = t.throws<GTStoreError>(() => assertSupportedPlatform('darwin'))
  t.regex(error.message, /runs on Linux only so far, this is darwin/)
})

test('processes that are alive are listed, dead ones and other files are not', (t) => {
  const run = mkdtempSync(join(root, 'run-'))
  t.deepEqual(listProcesses(join(run, 'missing')), [])
  const own = ownProcessId()
  const node = { role: 'node' as const, address: 'n1.1', ...own }
  const manager = { role: 'manager' as const, address: 'manager', ...own }
  const remove = writeProcessFile(run, node)
  writeProcessFile(run, manager)
  writeProcessFile(run, { ...node, address: 'n2.1', startTime: '1' })
  writeFileSync(join(run, 'process.n3.1.json'), '{half')
  t.deepEqual(listProcesses(run), [manager, node])
  remove()
  remove()
  t.deepEqual(listProcesses(run), [manager])
})

test('removing spares the file of a later life', (t) => {
  const run = mkdtempSync(join(root, 'run-'))
  const own = ownProcessId()
  const remove = writeProcessFile(run, { role: 'manager', address: 'manager', ...own, pid: 99_999 })
  writeProcessFile(run, { role: 'manager', address: 'manager', ...own })
  remove()
  t.is(listProcesses(run).length, 1)
  t.deepEqual(readdirSync(run), ['process.manager.json'])
})
