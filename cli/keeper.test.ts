import { type ChildProcess, spawn } from 'node:child_process'
import test, { type ExecutionContext } from 'ava'
import { isProcessAlive, startTimeOf } from '../shared/os/linux.js'
import type { ProcessEntry } from '../shared/os/process-files.js'
import { exitCodes } from './errors.js'
import { Keeper, type KeeperOptions } from './keeper.js'

test.beforeEach((t) => t.timeout(20_000))

interface Kept {
  readonly keeper: Keeper
  readonly notes: string[]
  readonly ends: string[]
  /** The children it started, in order. */
  readonly children: ChildProcess[]
  /** Settles with the next note. */
  noted(): Promise<string>
}

/** A process that the keeper did not start. */
function stranger(t: ExecutionContext): ProcessEntry {
  const child = shell(t, 'exec sleep 60')
  const pid = child.pid as number
  return { role: 'node', address: 'n1.9', pid, startTime: startTimeOf(pid) as string }
}

function shell(t: ExecutionContext, script: string): ChildProcess {
  const child = spawn('sh', ['-c', script], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

function keep(
  t: ExecutionContext,
  scripts: readonly string[],
  options: Partial<KeeperOptions> = {},
): Kept {
  const kept: Omit<Kept, 'keeper'> = {
    notes: [],
    ends: [],
    children: [],
    noted: () => new Promise((resolve) => listeners.push(resolve)),
  }
  const listeners: ((note: string) => void)[] = []
  const keeper = new Keeper({
    name: 'n1',
    restart: true,
    start: () => {
      const child = shell(t, scripts[kept.children.length] ?? 'exec sleep 60')
      kept.children.push(child)
      return child
    },
    running: () => undefined,
    nameOf: () => undefined,
    endedClean: () => false,
    note: (text) => {
      kept.notes.push(text)
      for (const listener of listeners.splice(0)) listener(text)
    },
    onEnded: (_keeper, how) => kept.ends.push(how),
    ...options,
  })
  t.teardown(() => keeper.release())
  return { ...kept, keeper }
}

test('what crashes is started again after a pause, what ends well is not', async (t) => {
  const { keeper, children, noted, ends } = keep(t, ['exit 3', 'exit 0'])
  const note = noted()
  keeper.start()
  t.regex(await note, /^n1 \(pid \d+\) ended with exit code 3; it is started again in 100 ms$/)
  // Not by its exit: that may come in the turn of its start.
  while (ends.length < 2) await new Promise(setImmediate)
  t.deepEqual(ends, ['crashed', 'clean'])
  t.is(children.length, 2)
  t.true(keeper.done)
})

test('never to be restarted means so, unless it is asked for before its end is noticed', async (t) => {
  const { keeper, children, notes, noted } = keep(t, [], { restart: false })
  keeper.start()
  keeper.start()
  t.is(children.length, 1, 'one that runs is left alone')
  const [first] = children
  first?.kill('SIGKILL')
  const { process } = keeper
  // No turn of the event loop passes: its exit is not reported yet.
  while (process !== undefined && isProcessAlive(process));
  keeper.start()
  t.regex(await noted(), /^n1 .* ended by SIGKILL; it is started again, as it was asked for$/)
  t.is(children.length, 2)
  const last = noted()
  children[1]?.kill('SIGKILL')
  t.regex(await last, /it is not started again \(--restart never\)/)
  t.true(keeper.done)
  t.is(notes.length, 2)
})

test('why it is started is told where somebody asked for it, and it did not run', async (t) => {
  const { keeper, children, notes } = keep(t, [])
  keeper.start('the manager asked for it')
  keeper.start('a command asked for it')
  const [first] = children
  t.deepEqual(notes, [`n1 is started (pid ${first?.pid}): the manager asked for it`])
})

test('whoever runs under the name by then is adopted instead of a second start', async (t) => {
  const other = stranger(t)
  let runs = false
  const { keeper, children, noted } = keep(t, ['exit 1'], {
    running: (name) => (runs && name === 'n1' ? other : undefined),
  })
  keeper.start()
  await noted()
  runs = true
  t.is(await noted(), `n1 runs already (pid ${other.pid}): it is looked after`)
  t.is(children.length, 1)
  t.is(keeper.process?.pid, other.pid)
  runs = false
  const end = noted()
  process.kill(other.pid, 'SIGKILL')
  t.regex(await end, /^n1 \(pid \d+\) ended; it is started again/)
})

test('a manager that finds another one in its place gives way to it', async (t) => {
  const other = { ...stranger(t), address: 'manager' }
  const { keeper, children, noted } = keep(t, [`exit ${exitCodes.anotherManager}`], {
    name: 'manager',
    running: () => (children.length > 0 ? other : undefined),
  })
  const note = noted()
  keeper.start()
  t.is(await note, `another process is the manager (pid ${other.pid})`)
  t.deepEqual([children.length, keeper.crashes, keeper.process?.pid], [1, 0, other.pid])
})

test('a node that a command took out is not started again', async (t) => {
  const { keeper, children, noted, ends } = keep(t, ['exit 1', `exit ${exitCodes.dismissed}`])
  const crash = noted()
  keeper.start()
  await crash
  t.is(await noted(), 'n1 was taken out of the swarm: it is not started again')
  t.deepEqual(ends, ['crashed', 'clean'])
  t.deepEqual([children.length, keeper.done], [2, true])
})

test('asked for while it lives without a name, it is started again where that was its end', async (t) => {
  const taken = keep(t, [`exit ${exitCodes.dismissed}`, `exit ${exitCodes.dismissed}`])
  const note = taken.noted()
  taken.keeper.start()
  taken.keeper.start('a command asked for it')
  t.is(await note, 'n1 was taken out of the swarm; it is started again, as it was asked for')
  t.is(await taken.noted(), 'n1 was taken out of the swarm: it is not started again')
  t.deepEqual([taken.ends, taken.children.length], [['clean'], 2])
  const failing = keep(t, [], { restart: false })
  failing.keeper.start()
  failing.keeper.start('a command asked for it')
  failing.children[0]?.kill('SIGKILL')
  t.regex(await failing.noted(), /^n1 .* ended by SIGKILL; it is started again, as it was asked/)
  t.is(failing.children.length, 2)
})

test('who asked for what serves, or came to serve then, asks for no other start', async (t) => {
  let name: string | undefined
  const { keeper, children, noted } = keep(t, [], { restart: false, nameOf: () => name })
  keeper.start()
  keeper.start('a command asked for it')
  name = 'n1'
  children[0]?.kill('SIGKILL')
  t.regex(await noted(), /^n1 .* ended by SIGKILL; it is not started again \(--restart never\)$/)
  const serving = keep(t, [], { restart: false, nameOf: () => 'n1' })
  serving.keeper.start()
  serving.keeper.start('a command asked for it')
  serving.children[0]?.kill('SIGKILL')
  t.regex(await serving.noted(), /it is not started again \(--restart never\)$/)
})

test('a node that was evicted is started again under the name that it went on with', async (t) => {
  const names: string[] = []
  const { keeper, noted } = keep(t, [], {
    start: (name) => {
      names.push(name)
      return shell(t, names.length === 1 ? 'exit 1' : 'exec sleep 60')
    },
    nameOf: () => 'n7',
  })
  const note = noted()
  keeper.start()
  t.regex(await note, /^n7 /)
  while (names.length < 2) await new Promise(setImmediate)
  t.deepEqual(names, ['n1', 'n7'])
})
