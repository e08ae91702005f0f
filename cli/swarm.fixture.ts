/** A swarm's directories and the command for one test; whatever it started is gone when the test ends. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { listProcesses, type ProcessEntry } from '../shared/os/process-files.js'
import type { StatusReport } from '../shared/protocol/messages.js'
import { stopSwarm } from './stop.js'

const main = fileURLToPath(new URL('./main.js', import.meta.url))

export interface Result {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A command that runs; `ended` settles with what it said. */
export interface Running {
  readonly pid: number
  readonly ended: Promise<Result>
  /** Settles once stdout holds the text; rejects if the command ends before. */
  said(text: string): Promise<void>
  kill(signal: NodeJS.Signals): void
  /** Closes the reading end of its stdout. */
  readNoMore(): void
}

export interface SwarmFixture {
  readonly root: string
  readonly run: string
  readonly data: string
  /** Runs the command to its end. */
  gtstore(...args: readonly string[]): Promise<Result>
  /** The same, with `input` on its stdin. */
  feed(input: Uint8Array, ...args: readonly string[]): Promise<Result>
  /** Runs a line of shell, in which `"$@"` is the command with its arguments. */
  inShell(line: string, ...args: readonly string[]): Promise<Result>
  begin(...args: readonly string[]): Running
  status(): Promise<StatusReport>
  /** Those that are alive. */
  processes(): ProcessEntry[]
}

/**
 * `owner`: a test, or whatever else calls what it is given when all is done. Short paths: a socket's
 * is limited to some 100 bytes.
 */
export function makeSwarm(owner: { teardown(end: () => Promise<void>): void }): SwarmFixture {
  const root = mkdtempSync('/tmp/gts-')
  const run = join(root, 'r')
  const data = join(root, 'd')
  const environment = { GTSTORE_DIR: run, GTSTORE_DATA: data }
  const begun = new Set<Running>()
  const begin = (...args: readonly string[]): Running => {
    const running = beginCommand(environment, root, command(args))
    begun.add(running)
    void running.ended.then(() => begun.delete(running))
    return running
  }
  owner.teardown(async () => {
    for (const { role, pid } of listProcesses(run)) if (role === 'supervisor') killNow(pid)
    for (const running of begun) running.kill('SIGKILL')
    await stopSwarm(run, [], AbortSignal.abort())
    rmSync(root, { recursive: true, force: true })
  })
  const gtstore = (...args: readonly string[]) => begin(...args).ended
  return {
    root,
    run,
    data,
    gtstore,
    begin,
    feed: (input, ...args) => beginCommand(environment, root, command(args), input).ended,
    inShell: (line, ...args) => {
      const shell = ['sh', '-c', `exec ${line}`, 'sh', ...command(args)] as const
      return beginCommand(environment, root, shell).ended
    },
    status: async () => JSON.parse((await gtstore('status', '--json')).stdout),
    processes: () => listProcesses(run),
  }
}

function command(args: readonly string[]): readonly [string, ...string[]] {
  return [process.execPath, main, ...args]
}

function beginCommand(
  environment: Readonly<Record<string, string>>,
  cwd: string,
  [program, ...args]: readonly [string, ...string[]],
  input?: Uint8Array,
): Running {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const ended = new Promise<Result>((resolve) => {
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => stdout.includes(text) && resolve()
      child.stdout.on('data', look)
      void ended.then(() => reject(new Error(`ended without "${text}": ${stdout}${stderr}`)))
      look()
    })
  return {
    pid: child.pid ?? 0,
    ended,
    said,
    kill: (signal) => child.kill(signal),
    readNoMore: () => child.stdout.destroy(),
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
